"""What a document takes in: accepted, applied, pending, durable; the two clocks of a room meet here.

`accept` advances the live state, `apply` moves the engine once per turn, `take` hands batches to the recorder and
`committed` is the only place where `seq`, the durable ticket and the committed text move (rules D1 and D3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from coscribe.core.bounds import Bounds, Limits
from coscribe.core.committed import CommittedText
from coscribe.core.following import Commit, Following
from coscribe.core.ownership import Ownership
from coscribe.core.pairs import check_cuts
from coscribe.core.pieces import is_causal, turn
from coscribe.core.replica import Delta, EngineFailed, Replica
from coscribe.core.reserve import ENTRY_OVERHEAD, Reserve
from coscribe.core.shelf import Shelf
from coscribe.core.splices import Splice
from coscribe.core.strain import Strain
from coscribe.core.units import utf8_length
from coscribe.core.unsaved import Batch, Unsaved
from coscribe.core.update import Scan, scan
from coscribe.errors import UpdateRefused
from coscribe.model import SERVER, Entry, NewEntry, Principal

# Structs of a document: one more takes up to 50 ms to find its place among so many, if somebody means harm. People's
# texts have some thousands, since a run of typing is one.
MOST_FRAGMENTS = 250_000
# The engine's time for a transaction grows faster than what is in it (172 s for 259,778 edits), and every transaction
# has a price of its own: 100 updates together cost 2.5 us each with what is told of them, one alone 11 us.
_PER_TRANSACTION = 100
_BYTES_A_TRANSACTION = 64 * 1024
# Until somebody counts: a document's state takes some 12 bytes for each of its fragments.
_BYTES_A_FRAGMENT = 12
# A named tuple without the Python function that its class calls: 0.15 us in place of 0.35.
_new = tuple.__new__


class Accepted(NamedTuple):
    """An update that passed every check.

    `is_live` says that its author made it just now, and so owns the client ids in it. What comes by a step 2 or over
    REST may be another's work that a crash had taken (rule D10).
    """

    update: bytes
    scan: Scan
    author: Principal
    session_id: str
    is_live: bool = True


class Intake:
    """The writing side of one live document."""

    def __init__(
        self, replica: Replica, *, seq: int, owners: dict[int, str], limits: Limits, now: Callable[[], datetime]
    ) -> None:
        self.replica = replica
        self.following = Following(replica.text, seq)
        self.tickets = 0
        # Entries of others that were applied.
        self._followed = 0
        # Letters that went into an update which has a ticket already; so many of them are weighed.
        self._extended = self._weighed = 0
        self.reserve = Reserve(limits.unsaved_bytes, limits.unsaved)
        self.fragments = replica.loaded_bytes // _BYTES_A_FRAGMENT
        self.ownership = Ownership(owners, replica)
        self.ownership.bind(replica.client_id, SERVER.id)
        self.bounds = Bounds(limits, replica, self.reserve, self.ownership)
        self.strain = Strain()
        self.now = now
        self._accepted: list[Accepted] = []
        self._shelf = Shelf[Accepted]()
        self._unsaved = Unsaved()

    def is_heavy(self, found: Scan) -> bool:
        """Whether one turn of the loop is too short for an update, as far as its size tells (the examiner knows)."""
        if found.things < 2 and self.fragments <= MOST_FRAGMENTS:
            return False
        piece = turn(self.fragments, self.replica.size)
        structs = found.things - len(found.deletes)
        return self.fragments > MOST_FRAGMENTS or structs > piece.structs or len(found.deletes) > piece.ranges

    def check(self, item: Accepted) -> None:
        """What an update must satisfy beyond its form. Raises UpdateRefused."""
        self.bounds.check_room(item.scan.inserted_bytes)
        clocks = self.replica.clocks
        if not is_causal(item.update, item.scan, clocks):
            raise UpdateRefused("These changes wait for each other.", limit="order")
        check_cuts(item.update, item.scan, self.replica.pairs, clocks)
        self.bounds.check_clients(item.author, self.replica.news(item.scan), is_live=item.is_live)

    def accept(self, item: Accepted) -> int:
        """Admit a checked update; gives its ticket. `apply` must follow before anybody is answered."""
        self._claim(item)
        self.replica.pairs.note(item.scan)
        self.admit(item, item.scan.things)
        return self.tickets

    def admit(self, item: Accepted, fragments: int) -> None:
        """Admit a checked update without pairs whose client ids are its author's already.

        `fragments` is by how many the text has more; who breaks runs up has to insert or delete, and that counts.
        """
        self.replica.admit(item.scan)
        self._count(item, fragments)
        self._accepted.append(item)

    def admit_stored(self, entry: Entry, found: Scan, author: Principal) -> Accepted:
        """Admit an entry that another server has stored; it is to be applied at once."""
        self.ownership.note_foreign(entry.principal_id, found)
        self.replica.pairs.note(found)
        self.replica.admit(found)
        self.fragments += found.things
        self._followed += 1
        return Accepted(entry.payload, found, author, entry.session_id, is_live=False)

    def waiting(self, ticket: int) -> Accepted:
        """The update that was admitted with a ticket above `sealed`, and so is not applied yet."""
        return self._accepted[ticket - self.sealed - 1]

    def extend(self, ticket: int, item: Accepted) -> None:
        """Put an update that holds a letter more in the place of the one that is `waiting` under this ticket."""
        self.replica.admit(item.scan)
        self._accepted[ticket - self.sealed - 1] = item
        self._extended += 1
        self.reserve.hold_bytes(1, 1)

    def _claim(self, item: Accepted) -> None:
        """Bind the client ids of what its author made just now (rule D10)."""
        if item.is_live:
            for client in self.replica.news(item.scan):
                self.ownership.bind(client, item.author.id)
        else:
            self.ownership.note_foreign(item.author.id, item.scan)

    def _count(self, item: Accepted, fragments: int) -> None:
        self.fragments += fragments
        self.tickets += 1
        size = len(item.update)
        self.reserve.hold_bytes(size, size + ENTRY_OVERHEAD)

    def shelve(self, items: Iterable[Accepted]) -> None:
        """Keep stored updates that wait for entries which damage took."""
        self._shelf = Shelf(items)

    def release(self) -> None:
        """Accept again what waited for a part of the log that was lost and has come back: it gets a seq of its own."""
        for item in self._shelf.due(self.replica):
            self.accept(item)

    @property
    def has_accepted(self) -> bool:
        """Whether `apply` has something to do."""
        return bool(self._accepted)

    @property
    def taken(self) -> int:
        """How many updates have come in."""
        return self.tickets + self._extended

    @property
    def state(self) -> int:
        """A number that rises with every change of the document."""
        return self.tickets + self._followed

    @property
    def sealed(self) -> int:
        """The ticket of the last update that was applied; those behind it are applied and saved together."""
        return self.tickets - len(self._accepted)

    def apply(self) -> list[Accepted]:
        """Apply what was accepted first, as much as one transaction bears, for delivery. Raises EngineFailed."""
        accepted = self._next_accepted()
        if accepted:
            updates = [item.update for item in accepted]
            began = time.thread_time()  # what other processes take is not this room's
            try:
                delta = self.replica.apply(updates)
            except EngineFailed:
                self.reserve.hold(updates, -1)  # nobody will store them: their authors bring them to the next room
                raise
            self._weigh(len(updates), time.thread_time() - began)
            self._queue(accepted, delta)
        return accepted

    def _weigh(self, updates: int, seconds: float) -> None:
        """Note what a transaction took, for each update and for each frame that came."""
        self.strain.note(updates, seconds, updates + self._extended - self._weighed)
        self._weighed = self._extended

    def _next_accepted(self) -> list[Accepted]:
        count = total = 0
        for item in self._accepted[: self.strain.most_of_turn(_PER_TRANSACTION)]:
            total += len(item.update)
            if count and total > _BYTES_A_TRANSACTION:
                break
            count += 1
        accepted, self._accepted = self._accepted[:count], self._accepted[count:]
        return accepted

    def apply_if_new(self, item: Accepted) -> bool:
        """Apply an update that may hold nothing new, which only the engine can tell."""
        self._require_applied()
        delta = self.replica.apply_if_new(item.update)
        if delta is None and not self.replica.news(item.scan):
            return False
        self._claim(item)
        self.replica.pairs.note(item.scan)
        self.replica.admit(item.scan)
        self._count(item, item.scan.things)
        self._queue([item], delta or [])
        return True

    def check_write(self, splices: Sequence[Splice]) -> None:
        """Whether there is room for what `write` would do. Raises UpdateRefused."""
        text = self.replica.text
        gone = sum(utf8_length(text[splice.at : splice.end]) for splice in splices)
        self.bounds.check_room(max(0, sum(utf8_length(splice.insert) for splice in splices) - gone))

    def write(self, author: Principal, splices: Sequence[Splice], session_id: str) -> Accepted:
        """Change the text in the author's name by the room's own replica. Raises EngineFailed."""
        self._require_applied()
        update, delta = self.replica.edit(splices)
        item = Accepted(update, scan(update), author, session_id)
        self.replica.pairs.note(item.scan)
        self._count(item, item.scan.things)
        self._queue([item], delta)
        return item

    def _require_applied(self) -> None:
        """What is applied alone must not overtake what was accepted before: tickets and clocks would be another's."""
        if self._accepted:
            raise RuntimeError("what was accepted is to be applied first")

    def _queue(self, accepted: Sequence[Accepted], delta: Delta) -> None:
        now = self.now()
        entries = tuple([_new(NewEntry, (item.author.id, item.session_id, now, item.update)) for item in accepted])
        authors = tuple({item.author.id: item.author for item in accepted}.values())
        self._unsaved.put(Batch(entries, authors, self.ownership.take_new(), delta, self.sealed))

    @property
    def seq(self) -> int:
        """What the committed text stands at."""
        return self.following.seq

    @property
    def text(self) -> CommittedText:
        """What is durable, as readers see it."""
        return self.following.text

    @property
    def durable(self) -> int:
        """The last ticket that may be called saved."""
        return self.following.durable

    @property
    def is_settled(self) -> bool:
        """Whether everything that was accepted is durable and in the committed text, which is then the live one."""
        return self.following.ticket == self.tickets and not self.following.is_behind

    @property
    def is_taken(self) -> bool:
        """Whether the recorder has something that is not committed yet."""
        return self._unsaved.is_taken

    @property
    def has_pending(self) -> bool:
        """Whether the recorder has something to take."""
        return self._unsaved.has_pending

    def open(self) -> None:
        """Keep back from the recorder what is applied from now on: the pieces of an update are saved all or none."""
        self._unsaved.open()

    def shut(self) -> None:
        """Give it to the recorder."""
        self._unsaved.shut()

    def withdraw(self) -> None:
        """Drop what was applied since `open`: the engine that applied it is not to be used again."""
        for batch in self._unsaved.withdraw():
            self.reserve.hold([entry.payload for entry in batch.entries], -1)

    def close(self) -> None:
        """Drop what is accepted and not applied: the room is over, and nobody will apply it."""
        accepted, self._accepted = self._accepted, []
        self.reserve.hold([item.update for item in accepted], -1)

    def abandon(self) -> None:
        """Drop what is not durable: its document is gone."""
        self.reserve.clear()
        self._accepted.clear()
        self._unsaved.clear()

    def take(self) -> list[Batch]:
        """Hand what is pending to the recorder; the same batches again until `committed` says that they are durable."""
        return self._unsaved.take()

    def is_own(self, entry: Entry) -> bool:
        """Whether an entry of the log begins what `take` gave last: the answer to its commit was lost."""
        return self._unsaved.begins_with(entry)

    def committed(self) -> list[Commit]:
        """Follow the commit of what `take` gave last; gives what became readable. Raises EngineFailed.

        It stands right behind the head: nothing is appended to a log of which more is not known.
        """
        batches = self._unsaved.stored()
        for batch in batches:
            self.reserve.hold([entry.payload for entry in batch.entries], -1)
        return self.following.own(batches)
