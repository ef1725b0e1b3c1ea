"""The simulator's storage: an update log in memory that keeps what was committed, over any crash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tests.support.people import NOW

from coscribe.core.exchange import REST_SESSION
from coscribe.core.unsaved import Batch
from coscribe.model import SERVER, Entry, Principal, Snapshot

DOCUMENT = "document"
GENERATION = 1


class MemoryLog:
    """One document's log (UpdateLog, as far as reading goes) and the names of its writers (Principals)."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.owners: dict[int, str] = {}
        self.snapshots: list[Snapshot] = []
        self.people: dict[str, Principal] = {}

    @property
    def seq(self) -> int:
        """The head."""
        return len(self.entries)

    def commit(self, batches: Sequence[Batch], after: int) -> bool:
        """Keep what an intake gave, if nothing has come behind this seq meanwhile."""
        if self.seq != after:
            return False
        for batch in batches:
            self.people |= {author.id: author for author in batch.authors}
            for client, owner in batch.client_ids:
                self.owners.setdefault(client, owner)
            for new in batch.entries:
                self.entries.append(Entry(self.seq + 1, new.principal_id, new.session_id, new.at, new.payload))
        return True

    def rewrite(self, client_id: int, payload: bytes, after: int) -> bool:
        """Keep a text that a server has written anew, if nothing has come behind this seq meanwhile."""
        if self.seq != after:
            return False
        self.people[SERVER.id] = SERVER
        self.owners[client_id] = SERVER.id
        self.entries.append(Entry(self.seq + 1, SERVER.id, REST_SESSION, NOW, payload))
        return True

    async def read(
        self, document_id: str, generation: int, *, after: int, upto: int | None = None, limit: int = 1000
    ) -> list[Entry]:
        return self.entries[after : self.seq if upto is None else upto][:limit]

    async def client_ids(self, document_id: str, generation: int) -> dict[int, str]:
        return dict(self.owners)

    async def snapshot(self, document_id: str, generation: int, *, upto: int | None = None) -> Snapshot | None:
        fitting = [one for one in self.snapshots if upto is None or one.seq <= upto]
        return fitting[-1] if fitting else None

    async def many(self, principal_ids: Sequence[str]) -> dict[str, Principal]:
        return {name: self.people[name] for name in principal_ids if name in self.people}

    def times(self) -> list[datetime]:
        """When the entries say that they were written, in order of seq."""
        return [entry.at for entry in self.entries]
