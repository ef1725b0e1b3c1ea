"""Compaction: snapshots, so that opening stays quick, and old entries packed, so that the log stays small.

Live documents are taken care of as they grow, closed ones by a patrol. A snapshot is a cache (rule D2); packing keeps
every entry readable; only a retention setting lets go of anything. Everything here is done in steps that others'
commits pass between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from coscribe.model import Backlog, Place
from coscribe.ports import Archive, UpdateLog
from coscribe.rooms.measuring import Span, Spans, unrecorded
from coscribe.rooms.snapshotting import Readers, Snapshotter

# A thousand entries are replayed in about 3 ms; and a snapshot should not cost more room than the log it shortens.
_MIN_ENTRIES = 1000
_MAX_ENTRIES = 20_000
# So many bytes take longer to replay than a snapshot to load, however few entries they are.
_MAX_BYTES = 32 * 2**20
# When writing has rested for so long, a shorter tail is worth a snapshot too: whoever opens the document next, after a
# restart for one, would wait for all of it. An entry is replayed in 20 us, the time that 500 bytes of a state take.
_REST_S = 3.0
_BYTES_AN_ENTRY = 500
_REST_BYTES = 128 * 2**10
# A closed document with a tail of so many entries is worth a snapshot and a segment.
_CLOSED_ENTRIES = 256
# What one patrol looks at, what it works off, and when the next one comes.
_PATROL_DOCUMENTS = 5000
_PATROL_WORK = 20
_PATROL_EVERY_S = 60.0
# Between two steps that take the writer for some milliseconds, so that typing has it most of the time.
_PAUSE_S = 0.05
# Where the server has no time, typing has this many times what a part of the work has taken, before the next part.
_YIELDING = 3
# Anybody may say that he reads something else, and looking after that takes as long as opening the document.
_DOUBT_EVERY_S = 10.0
# Documents that a patrol has done what it could for: what is damaged is not tried again every minute.
_REMEMBERED = 4096


@dataclass(slots=True)
class Tail:
    """What stands in the log behind the newest snapshot."""

    snapshot_bytes: int
    entries: int
    entry_bytes: int

    def add(self, entries: int, entry_bytes: int) -> None:
        """Count a commit."""
        self.entries += entries
        self.entry_bytes += entry_bytes

    @property
    def is_due(self) -> bool:
        """Whether a snapshot is worth its room: the log behind it outweighs half of the last one."""
        long_enough = self.entries >= _MIN_ENTRIES and self.entry_bytes * 2 >= self.snapshot_bytes
        return long_enough or self.entries >= _MAX_ENTRIES or self.entry_bytes >= _MAX_BYTES

    @property
    def is_due_at_rest(self) -> bool:
        """Whether it is worth one when nobody writes: replaying it takes 6 ms, and half as long as the last one."""
        weight = self.entries * _BYTES_AN_ENTRY + self.entry_bytes
        return self.is_due or weight >= max(_REST_BYTES, self.snapshot_bytes // 2)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What the compactor is told: who is alive, who hears of failures, what people read, whether the server has no time
    for it, and who hears what was compacted.
    """

    is_live: Callable[[str], bool]
    failed: Callable[[str, Exception], None]
    readers: Readers
    patrol_every_s: float = _PATROL_EVERY_S
    is_busy: Callable[[], bool] = lambda: False
    span: Spans = unrecorded


class Compactor:
    """One task, one document after the other."""

    def __init__(self, log: UpdateLog, archive: Archive, upkeep: Upkeep) -> None:
        self._log = log
        self._archive = archive
        self._upkeep = upkeep
        self._due: dict[Place, tuple[int, Tail]] = {}
        # What may be due once it rests, with the time of its last commit; and the timers that look after that.
        self._busy: dict[Place, tuple[float, int, Tail]] = {}
        self._timers: dict[Place, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()
        self._after_id = ""
        self._done: dict[Place, int] = {}
        # When somebody last doubted a document, by the loop's clock.
        self._doubted: dict[Place, float] = {}
        self._doubts: dict[Place, int] = {}
        self._snapshots = Snapshotter(log, self._breathe, upkeep.readers)
        self._task: asyncio.Task[None] | None = None
        # When the last part of the work began, by the loop's clock.
        self._began_at = 0.0

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="compactor")

    async def close(self) -> None:
        """Stop; what is not done is done another time."""
        for timer in self._timers.values():
            timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def consider(self, place: Place, seq: int, tail: Tail) -> None:
        """Compact a live document up to a committed seq when its tail is long enough, or is once it rests."""
        if tail.is_due:
            self._due[place] = (seq, tail)
            self._wake.set()
        else:
            self.rest(place, seq, tail)

    def doubt(self, place: Place, seq: int) -> bool:
        """Somebody reads another text than the log gives: take a snapshot now, for which the two are compared.

        False where that was done a moment ago.
        """
        now = asyncio.get_running_loop().time()
        if seq == 0 or now - self._doubted.get(place, -_DOUBT_EVERY_S) < _DOUBT_EVERY_S:
            return False
        if len(self._doubted) >= _REMEMBERED:
            self._doubted.pop(next(iter(self._doubted)))
        self._doubted[place] = now
        self._doubts[place] = seq
        self._wake.set()
        return True

    def rest(self, place: Place, seq: int, tail: Tail) -> None:
        """Compact a document up to a committed seq once nobody has written in it for a while, if that is worth it."""
        if tail.is_due_at_rest:
            self._busy[place] = (asyncio.get_running_loop().time(), seq, tail)
            if place not in self._timers:
                self._look_later(place, _REST_S)

    def _look_later(self, place: Place, after_s: float) -> None:
        self._timers[place] = asyncio.get_running_loop().call_later(after_s, self._look, place)

    def _look(self, place: Place) -> None:
        """A document was written in a while ago: whether it rests now."""
        committed_at, seq, tail = self._busy[place]
        left_s = committed_at + _REST_S - asyncio.get_running_loop().time()
        if left_s > 0:
            self._look_later(place, left_s)
            return
        del self._busy[place], self._timers[place]
        if tail.is_due_at_rest:
            self._due[place] = (seq, tail)
            self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        patrol_at = loop.time() + self._upkeep.patrol_every_s
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(patrol_at):
                    await self._wake.wait()
            if loop.time() >= patrol_at:
                await self._guarded("", self._patrol())
                patrol_at = loop.time() + self._upkeep.patrol_every_s
            self._wake.clear()
            if self._doubts:  # one for each round of the others
                place = next(iter(self._doubts))
                await self._guarded(place.document_id, self._snapshot(place, self._doubts.pop(place), whole=True))
            if self._doubts:
                self._wake.set()
            while self._due:
                place, (seq, tail) = self._due.popitem()
                if tail.is_due_at_rest:  # or it was asked for again while the last one was being taken
                    await self._guarded(place.document_id, self._live(place, seq, tail))

    async def _guarded(self, document_id: str, work: Coroutine[Any, Any, object]) -> None:
        self._began_at = asyncio.get_running_loop().time()
        try:
            await work
        except Exception as error:  # noqa: BLE001 - nothing is lost by it; the next document gets its own
            self._upkeep.failed(document_id, error)

    async def _breathe(self, least_s: float = 0.0) -> None:
        """Between two parts of the work: an entry takes more of the core here than on its way in."""
        loop = asyncio.get_running_loop()
        pause_s = _YIELDING * (loop.time() - self._began_at) if self._upkeep.is_busy() else 0.0
        if pause_s or least_s:
            await asyncio.sleep(max(least_s, pause_s))
        self._began_at = loop.time()

    async def _live(self, place: Place, seq: int, tail: Tail) -> None:
        # What is committed meanwhile stays in the tail. One that fails is tried again after as many entries: with each
        # keystroke it would replay the document, and write a line into the log, of a server that is in trouble anyway.
        is_due = tail.is_due
        tail.add(-tail.entries, -tail.entry_bytes)
        # At rest the document may have been replaced meanwhile: then nothing of it is there any more.
        with self._compacting(place, seq) as span:
            size = await self._snapshot(place, seq, whole=not is_due) or 0
            tail.snapshot_bytes = size or tail.snapshot_bytes
            span.note(snapshot_bytes=size, packed=await self._pack(place, seq, _MIN_ENTRIES))

    @contextmanager
    def _compacting(self, place: Place, seq: int) -> Iterator[Span]:
        """The span of what is done to one document."""
        with self._upkeep.span("compact") as span:
            span.note(document_id=place.document_id, seq=seq)
            yield span

    async def _snapshot(self, place: Place, seq: int, *, whole: bool = False) -> int | None:
        """Take a snapshot and let go of what it makes superfluous; gives its size as the Snapshotter does."""
        size = await self._snapshots.take(place, seq, whole=whole)
        if size is not None:
            await self._archive.thin(place, apart=_MAX_ENTRIES)
        return size

    async def _pack(self, place: Place, upto: int, least: int) -> int:
        """Pack what can be packed; gives how many entries that are."""
        packed = 0
        while more := await self._archive.pack(place, upto=upto, least=least):
            packed += more
            await self._breathe(_PAUSE_S)
        return packed

    async def _patrol(self) -> None:
        """Look at the next documents in order of id, and work off the first few that are worth it."""
        found = await self._archive.backlog(after_id=self._after_id, limit=_PATROL_DOCUMENTS)
        worked = 0
        for backlog in found:
            if self._is_worth(backlog):
                worked += 1
                await self._guarded(backlog.place.document_id, self._closed(backlog))
            await self._guarded(backlog.place.document_id, self._archive.let_go(backlog.place))
            self._after_id = backlog.place.document_id
            if worked == _PATROL_WORK:
                return
        if len(found) < _PATROL_DOCUMENTS:
            self._after_id = ""

    def _is_worth(self, backlog: Backlog) -> bool:
        is_long = backlog.seq - min(backlog.packed, backlog.snapshot_seq) >= _CLOSED_ENTRIES
        is_new = self._done.get(backlog.place) != backlog.seq
        return is_long and is_new and not self._upkeep.is_live(backlog.place.document_id)

    async def _closed(self, backlog: Backlog) -> None:
        place, seq = backlog.place, backlog.seq
        if len(self._done) >= _REMEMBERED:
            self._done.pop(next(iter(self._done)))
        self._done[place] = seq
        with self._compacting(place, seq) as span:
            if seq - backlog.snapshot_seq >= _CLOSED_ENTRIES:
                span.note(snapshot_bytes=await self._snapshot(place, seq, whole=True) or 0)
            span.note(packed=await self._pack(place, seq, _CLOSED_ENTRIES))
