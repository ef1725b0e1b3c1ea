"""Remembers who opened what, so that a document someone was sent shows up in his list."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime

from coscribe.errors import Unavailable
from coscribe.ports import Grants

# A page asks for its document again and again; storage needs to hear of a visit once. About 2 MB of memory when full.
_REMEMBERED = 10_000


class Visits:
    """Stores a visit the first time this process sees it."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def note(self, document_id: str, principal_id: str) -> None:
        """Store that the principal opened the document, unless that was stored lately."""
        visit = (document_id, principal_id)
        if visit in self._known:
            self._known.move_to_end(visit)
            return
        try:
            await self._grants.visited(document_id, principal_id, datetime.now(UTC))
        except Unavailable:
            return  # reading goes on while nothing can be written; the next visit is noted instead
        self._known[visit] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
