"""Who wrote entries of the log: principals by the ids that stand in them."""

from __future__ import annotations

from collections.abc import Iterable

from coscribe.model import ANYONE, SERVER, Entry, Principal, PrincipalKind
from coscribe.ports import Principals

# Those of a document with many visitors; one takes 300 bytes.
_REMEMBERED = 1000


class Authors:
    """Principals of one document's entries; who is not known any more is somebody."""

    def __init__(self, principals: Principals) -> None:
        self._principals = principals
        self._known = {principal.id: principal for principal in (SERVER, ANYONE)}

    async def learn(self, entries: Iterable[Entry]) -> None:
        """Look up those who are not known yet. Raises Unavailable."""
        unknown = sorted({entry.principal_id for entry in entries} - self._known.keys())
        if unknown:
            if len(self._known) > _REMEMBERED:
                self._known = {principal.id: principal for principal in (SERVER, ANYONE)}
            self._known |= await self._principals.many(unknown)

    def rename(self, principal: Principal) -> None:
        """Somebody has another name."""
        if principal.id in self._known:
            self._known[principal.id] = principal

    def of(self, entry: Entry) -> Principal:
        """Who wrote it, once `learn` was asked."""
        known = self._known.get(entry.principal_id)
        return known or Principal(entry.principal_id, PrincipalKind.GUEST, "Somebody", 0)
