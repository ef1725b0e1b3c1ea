"""Keeps a room up with what other servers write into its document's log.

A bell, a look at where all documents stand, or an append that came too late says that there is something to read; the
log says what. Nothing depends on any one bell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coscribe.core.exchange import Exchange
from coscribe.core.following import Commit
from coscribe.core.others import Told, strangers
from coscribe.core.replica import EngineFailed
from coscribe.core.update import scan
from coscribe.errors import Malformed, PositionGone, Unavailable, UpdateRefused
from coscribe.model import Entry, Place
from coscribe.ports import UpdateLog
from coscribe.rooms.authors import Authors
from coscribe.rooms.history import restore
from coscribe.rooms.saving import Saving

_READ = 1000
# What one transaction of the engine takes in, and what one turn does: some 10 ms.
_PER_TRANSACTION = 100
_THINGS_A_TRANSACTION = 1000
# While the database is away.
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 2.0
# How long somebody waits for what another server has stored a moment ago.
_CAUGHT_UP_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Source:
    """What a follower reads from."""

    place: Place
    log: UpdateLog
    authors: Authors


@dataclass(frozen=True, slots=True)
class Host:
    """What the follower asks of its room.

    `followed` hears what became readable, `found` that an own append stands in the log whose answer was lost.
    """

    is_open: Callable[[], bool]
    found: Callable[[], None]
    followed: Callable[[Sequence[Commit]], None]
    failed: Callable[[str], None]


class Follower:
    """One room's way after its log."""

    def __init__(self, exchange: Exchange, saving: Saving, source: Source, host: Host) -> None:
        self._exchange = exchange
        self._following = exchange.intake.following
        self._saving = saving
        self._place, self._log, self._authors = source.place, source.log, source.authors
        self._host = host
        # Where the log is known to have come to.
        self._upto = 0
        # What came along with bells, right behind the head and without a gap.
        self._hint: list[Entry] = []
        self._task: asyncio.Task[None] | None = None
        # Set, and replaced, whenever the text has moved or an own append was answered.
        self._moved = asyncio.Event()

    @property
    def _is_due(self) -> bool:
        return self._following.wants_mirror or self._upto > self._following.head

    def heard(self, seq: int, entries: Sequence[Entry] = ()) -> None:
        """The log has come to this seq at least; `entries` are its last ones, where they came along."""
        self._upto = max(self._upto, seq)
        self._keep(entries)
        if self._task is None and self._is_due and self._host.is_open():
            self._task = asyncio.create_task(self._run(), name=f"follow {self._place.document_id}")

    def _keep(self, entries: Sequence[Entry]) -> None:
        """Add entries to those that came along, if they go on where these end."""
        head = self._following.head
        self._hint = [entry for entry in self._hint if entry.seq > head]
        last = self._hint[-1].seq if self._hint else head
        if entries and entries[0].seq <= last + 1 and len(self._hint) < _READ:
            self._hint += [entry for entry in entries if entry.seq > last]

    def moved(self) -> None:
        """An own append was answered, or the text has moved."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def next_move(self) -> None:
        """Wait until an own append is answered, or the text moves."""
        await self._moved.wait()

    async def caught_up(self, seq: int) -> None:
        """Wait until the text has come to a seq that is in the log. Raises Unavailable."""
        self.heard(seq)
        try:
            async with asyncio.timeout(_CAUGHT_UP_WITHIN_S):
                while self._following.seq < seq and self._host.is_open():
                    await self.next_move()
        except TimeoutError:
            raise Unavailable("This server has not come up with the document yet; try again in a moment.") from None

    def stop(self) -> None:
        """End it; who waits is let go."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._moved.set()

    async def _run(self) -> None:
        delay = _FIRST_RETRY_S
        try:
            while self._is_due and self._host.is_open():
                try:
                    await (self._restore() if self._following.wants_mirror else self._read())
                    delay = _FIRST_RETRY_S
                except Unavailable:
                    await asyncio.sleep(delay)
                    delay = min(2 * delay, _LAST_RETRY_S)
        except (EngineFailed, Malformed, UpdateRefused, PositionGone) as error:
            # A room that is made from the log again knows what to do about damage.
            self._host.failed(str(error))
        finally:
            self._task = None

    async def _restore(self) -> None:
        """Get the replica that goes through the log in its order."""
        mirror = (await restore(self._log, self._place, self._following.seq)).replica
        if self._host.is_open():
            self._host.followed(self._following.mirror(mirror))

    async def _read(self) -> None:
        place, head = self._place, self._following.head
        entries, self._hint = [entry for entry in self._hint if entry.seq > head], []
        has_come_along = bool(entries)
        if not has_come_along:
            entries = await self._log.read(place.document_id, place.generation, after=head, limit=_READ)
        while self._saving.is_under_way and self._host.is_open():
            await self.next_move()  # what was read may be own: the answer to the append says so
        await self._authors.learn(entries)
        while self._host.is_open() and await self._take(entries):  # noqa: ASYNC110 - it works between two turns
            await asyncio.sleep(0)
        if self._following.head == head and self._upto > head and not has_come_along:
            raise PositionGone("Entries of the log cannot be read.", upto=self._upto)

    async def _take(self, entries: Sequence[Entry]) -> bool:
        """Take in what one turn can of entries that were read; False where there is nothing left of them."""
        behind = [entry for entry in entries if entry.seq > self._following.head]
        if not behind or behind[0].seq != self._following.head + 1:
            return False
        if self._exchange.intake.is_own(behind[0]):
            self._host.found()
            return True
        told = self._scanned(behind)
        if clients := strangers(told, self._exchange.intake):
            owners = await self._log.client_ids(self._place.document_id, self._place.generation)
            self._exchange.intake.ownership.learn({client: owners[client] for client in clients & owners.keys()})
        if self._host.is_open():
            self._host.followed(self._exchange.follow(told))
        return True

    def _scanned(self, entries: Sequence[Entry]) -> list[Told]:
        """The first entries that stand side by side and are others', as many as one turn takes in."""
        told: list[Told] = []
        things = 0
        for entry in entries[:_PER_TRANSACTION]:
            if entry.seq != entries[0].seq + len(told) or self._exchange.intake.is_own(entry):
                break
            found = scan(entry.payload)
            things += found.things
            if told and things > _THINGS_A_TRANSACTION:
                break
            told.append(Told(entry, found, self._authors.of(entry)))
        return told
