"""To whom the CRDT client ids of one document belong (rule D10)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from coscribe.core.replica import EngineFailed, Replica
from coscribe.core.update import Scan, Span
from coscribe.errors import UpdateRefused
from coscribe.model import Principal


class Ownership:
    """Who first wrote live under each client id; `owners` are those of the log."""

    def __init__(self, owners: dict[int, str], replica: Replica) -> None:
        self.owners = owners
        self._replica = replica
        self._new: list[tuple[int, str]] = []
        # Clocks that came, since the room was opened, from others than those whom their client ids belong to.
        self.foreign: dict[int, Span] = {}

    def of(self, client: int) -> str | None:
        """The principal that a client id is bound to."""
        return self.owners.get(client)

    def learn(self, owners: Mapping[int, str]) -> None:
        """Take in to whom the log has bound client ids. Raises EngineFailed where it was somebody else here."""
        for client, principal_id in owners.items():
            if self.owners.setdefault(client, principal_id) != principal_id:
                raise EngineFailed("a client id was bound to somebody else before")

    def bind(self, client: int, principal_id: str) -> None:
        """Bind a client id, if it is not bound."""
        if client not in self.owners:
            self.owners[client] = principal_id
            self._new.append((client, principal_id))

    def take_new(self) -> tuple[tuple[int, str], ...]:
        """What was bound since the last time, for the log."""
        new = tuple(self._new)
        self._new.clear()
        return new

    def check(self, author: Principal, clients: Collection[int]) -> None:
        """Whether the author may write live under these client ids. Raises UpdateRefused."""
        if any(self.owners.get(client, author.id) != author.id for client in clients):
            raise UpdateRefused("These changes carry somebody else's client id.", limit="client_id")

    def note_foreign(self, author_id: str, found: Scan) -> None:
        """Note where somebody brings what is not his; it is admitted right afterwards."""
        for span in found.structs:
            start = max(span.start, self._replica.clocks.get(span.client, 0))
            if start < span.end and self.owners.get(span.client) != author_id:
                known = self.foreign.get(span.client, Span(span.client, start, span.end))
                self.foreign[span.client] = Span(span.client, min(known.start, start), max(known.end, span.end))
