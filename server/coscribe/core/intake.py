"""What a document takes in: accepted, applied, pending, durable; the two clocks of a room meet here.

`accept` advances the live state, `apply` moves the engine once per turn, `take` hands batches to the recorder and
`committed` is the only place where `seq`, the durable ticket and the committed text move (rules D1 and D3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from coscribe.core.committed import CommittedText, Op
from coscribe.core.pairs import check_cuts
from coscribe.core.pieces import is_causal
from coscribe.core.replica import Delta, Replica
from coscribe.core.splices import Splice
from coscribe.core.units import utf8_length
from coscribe.core.update import Scan, scan
from coscribe.errors import UpdateRefused
from coscribe.model import SERVER, NewEntry, Principal


@dataclass(frozen=True, slots=True)
class Limits:
    """What a room bears, in bytes; config.Settings has the words."""

    document_bytes: int
    unsaved_bytes: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """An update that passed every check."""

    update: bytes
    scan: Scan
    author: Principal
    session_id: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one turn put into the text. `ticket` counts the document's accepted updates up to its last entry."""

    entries: tuple[NewEntry, ...]
    authors: tuple[Principal, ...]
    client_ids: tuple[tuple[int, str], ...]
    delta: Delta
    ticket: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One batch as it became durable: up to `seq`, by whom, and as operations on the committed text."""

    seq: int
    authors: tuple[Principal, ...]
    ops: list[Op]


class Intake:
    """The writing side of one live document."""

    def __init__(
        self, replica: Replica, *, seq: int, owners: dict[int, str], limits: Limits, now: Callable[[], datetime]
    ) -> None:
        self.replica = replica
        self.seq = seq
        self.text = CommittedText(replica.text)
        self.tickets = 0
        self.durable = 0
        self.unsaved_bytes = 0
        self._owners = owners
        self._new_owners: list[tuple[int, str]] = []
        self._own(replica.client_id, SERVER.id)
        self._limits = limits
        self._now = now
        self._accepted: list[Accepted] = []
        self._pending: list[Batch] = []
        self._in_flight: list[Batch] = []

    def owner(self, client: int) -> str | None:
        """The principal that a CRDT client id is bound to (rule D10)."""
        return self._owners.get(client)

    def _own(self, client: int, principal_id: str) -> None:
        if client not in self._owners:
            self._owners[client] = principal_id
            self._new_owners.append((client, principal_id))

    def check(self, item: Accepted, *, is_step2: bool) -> None:
        """What an update must satisfy beyond its form. Raises UpdateRefused."""
        self.check_room(item.scan.inserted_bytes)
        clocks = self.replica.clocks
        if not is_causal(item.update, item.scan, clocks):
            raise UpdateRefused("These changes wait for each other.", limit="order")
        check_cuts(item.update, item.scan, self.replica.pairs, clocks)
        if is_step2:
            return  # rule D10: a peer may bring what a crash took from its author; the entry says who brought it
        for client, _, end in item.scan.structs:
            if end > clocks.get(client, 0) and self._owners.get(client, item.author.id) != item.author.id:
                raise UpdateRefused("These changes carry somebody else's client id.", limit="client_id")

    def check_room(self, more_bytes: int) -> None:
        """Whether there is room for more text, and for more that is not saved yet. Raises UpdateRefused."""
        if self.is_full:
            raise UpdateRefused("The server cannot save at the moment.", limit="max_unsaved_bytes")
        if more_bytes and self.replica.size + more_bytes > self._limits.document_bytes:
            raise UpdateRefused("The document is as large as it may get.", limit="max_document_bytes")

    @property
    def is_full(self) -> bool:
        """Whether more waits for the disk than the room may keep (rule D8)."""
        return self.unsaved_bytes > self._limits.unsaved_bytes

    def accept(self, item: Accepted) -> int:
        """Admit a checked update; gives its ticket. `apply` must follow in the same turn."""
        self.replica.admit(item.scan)
        self._count(item)
        self._accepted.append(item)
        return self.tickets

    def _count(self, item: Accepted) -> None:
        for client, _, _ in item.scan.structs:
            self._own(client, item.author.id)
        self.replica.pairs.learn(item.update)
        self.tickets += 1
        self.unsaved_bytes += len(item.update)

    @property
    def has_accepted(self) -> bool:
        """Whether `apply` has something to do."""
        return bool(self._accepted)

    def apply(self) -> list[Accepted]:
        """Apply what was accepted, in one transaction; gives it for delivery. Raises EngineFailed."""
        accepted, self._accepted = self._accepted, []
        if accepted:
            delta = self.replica.apply([item.update for item in accepted])
            self._queue(accepted, delta)
        return accepted

    def apply_if_new(self, item: Accepted) -> bool:
        """Apply an update that may hold nothing new, which only the engine can tell; nothing may be accepted before."""
        delta = self.replica.apply([item.update])
        if self.replica.changed:
            self._count(item)
            self._queue([item], delta)
        return self.replica.changed

    def check_write(self, splices: Sequence[Splice]) -> None:
        """Whether there is room for what `write` would do. Raises UpdateRefused."""
        text = self.replica.text
        gone = sum(utf8_length(text[splice.at : splice.end]) for splice in splices)
        self.check_room(max(0, sum(utf8_length(splice.insert) for splice in splices) - gone))

    def write(self, author: Principal, splices: Sequence[Splice], session_id: str) -> Accepted:
        """Change the text in the author's name by the room's own replica. Raises EngineFailed."""
        update, delta = self.replica.edit(splices)
        item = Accepted(update, scan(update), author, session_id)
        self._count(item)
        self._queue([item], delta)
        return item

    def _queue(self, accepted: Sequence[Accepted], delta: Delta) -> None:
        now = self._now()
        entries = tuple(NewEntry(item.author.id, item.session_id, now, item.update) for item in accepted)
        authors = tuple({item.author.id: item.author for item in accepted}.values())
        self._pending.append(Batch(entries, authors, tuple(self._new_owners), delta, self.tickets))
        self._new_owners.clear()

    @property
    def is_settled(self) -> bool:
        """Whether everything that was accepted is durable."""
        return self.durable == self.tickets

    @property
    def has_pending(self) -> bool:
        """Whether the recorder has something to take."""
        return bool(self._pending)

    def abandon(self) -> None:
        """Drop what is not durable: its document is gone."""
        self._pending.clear()
        self._in_flight.clear()

    def take(self) -> list[Batch]:
        """Hand what is pending to the recorder; the same batches again until `committed` says that they are durable."""
        if not self._in_flight:
            self._in_flight, self._pending = self._pending, []
        return self._in_flight

    def committed(self, first_seq: int) -> list[Commit]:
        """Follow the commit of what `take` gave last."""
        commits = []
        seq = first_seq - 1
        for batch in self._in_flight:
            seq += len(batch.entries)
            self.durable = batch.ticket
            self.unsaved_bytes -= sum(len(entry.payload) for entry in batch.entries)
            commits.append(Commit(seq, batch.authors, self.text.apply(batch.delta)))
        self._in_flight = []
        self.seq = seq
        return commits
