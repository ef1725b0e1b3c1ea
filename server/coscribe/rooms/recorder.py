"""The recorder: commits what all rooms accepted, in groups, and is the only writer of the update log.

One commit with fsync costs about as much for 1,000 rows as for one, so whatever came in while the last commit ran
goes into the next; the first keystroke after a pause is committed at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from coscribe.errors import Unavailable
from coscribe.model import Append, Appended, Behind, Entry, Replaced, Unstored
from coscribe.ports import Meet, UpdateLog
from coscribe.rooms.measuring import Measures
from coscribe.rooms.resting import Resting

# From one commit to the next, so that the first keystroke after a pause is committed at once, and of 250 a second that
# come apart ten go into one commit, which has its price (0.8 ms on both sides). Others who write have the database for
# some of it.
_BEAT_S = 0.04
_PAUSE_S = 0.002
# Where rooms flush at a tick: sooner than the next flush, so that what that brings is committed at once; but for ticks
# below 10 ms, since a commit takes 0.8 ms of a processor that is short.
_OF_TICK, _SHORTEST_BEAT_S = 0.75, 0.008
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 2.0
# A log that goes on failing is told of again, for whoever looks into the newest lines only.
_TELL_EVERY_S = 60.0
# So many documents that cannot be stored, and none that could between them, tell of the database. A server that calls
# itself unfit for one damaged document would take all others from their people.
_MANY_UNSTORED = 2

Answer = Appended | Replaced | Behind | Unstored | None


class Recordable(Protocol):
    """What the recorder knows of a room."""

    document_id: str

    def take_append(self) -> Append | None:
        """What is to be committed; the same entries again until `committed` was called. None while it cannot be."""
        ...

    @property
    def has_more(self) -> bool:
        """Whether there is something that is not committed."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether `take_append` has something to give."""
        ...

    def committed(self, appended: Appended) -> None:
        """The append is durable."""
        ...

    def lost(self) -> None:
        """The document is gone, or its room is and nothing more can be stored: the append is given up."""
        ...

    def replaced(self, generation: int) -> None:
        """The document has another generation: nothing of the append was stored."""
        ...

    def overtaken(self, seq: int) -> None:
        """The log has come to this seq by others: nothing was stored, and the room submits again once it knows that."""
        ...

    async def meet(self, seq: int, entries: Sequence[Entry]) -> Append | None:
        """Others have stored these entries up to this seq; gives what is to stand behind them."""
        ...

    def delayed(self, reason: str) -> None:
        """The log cannot be written now; it is tried again."""
        ...

    def unstored(self, reason: str) -> None:
        """This append alone could not be stored; it is tried again later."""
        ...

    def spoiled(self) -> None:
        """It could not follow its own commit: whoever opens the document again reads it from the log."""
        ...


class Recorder:
    """Group commit for every room of the process.

    `tick_s` says how long a tick of the rooms is, 0 where they flush at once.
    `failed` hears the first failure of each commit and one a minute of those that follow, `damaged` which document
    alone cannot be stored and why. Such a document is opened again once, which mends what can be mended, and then tried
    again by itself: all others go on. Where several come and nothing else is stored between them, a table is damaged:
    that is `trouble` as well. `measures` hears of every transaction that succeeded, and has a span of every attempt.
    """

    def __init__(
        self,
        log: UpdateLog,
        failed: Callable[[Exception], None],
        damaged: Callable[[str, str], None],
        tick_s: Callable[[], float] = lambda: 0.0,
        measures: Measures | None = None,
    ) -> None:
        self._tick_s = tick_s
        self._measures = measures or Measures()
        self._log = log
        self._failed = failed
        self._damaged = damaged
        # Why nothing can be stored now, None while commits succeed.
        self.trouble: Exception | None = None
        # Documents that could not be stored since any was.
        self._unstored: set[str] = set()
        self._waiting: dict[str, Recordable] = {}
        self._resting = Resting()
        self._in_flight: set[str] = set()
        self._wake = asyncio.Event()
        self._committed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to commit."""
        self._task = asyncio.create_task(self._run(), name="recorder")

    async def close(self, timeout_s: float) -> int:
        """Commit what was accepted, for at most `timeout_s`, and stop; gives how many documents are not all stored."""
        if self._task is None:
            return 0
        try:
            async with asyncio.timeout(timeout_s), self._committed:
                await self._committed.wait_for(lambda: not self._waiting)
        except TimeoutError:
            pass  # what is not committed was never acked; its clients still hold it
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return len(self._waiting)

    def submit(self, room: Recordable) -> None:
        """Note that a room has something to commit."""
        self._waiting[room.document_id] = room
        self._wake.set()

    def look(self) -> None:
        """Note that a room which waits may have nothing to commit any more."""
        self._wake.set()

    async def settled(self, document_id: str) -> None:
        """Wait until nothing of a document is waiting, or it alone cannot be stored."""
        async with self._committed:
            await self._committed.wait_for(
                lambda: (
                    document_id not in self._waiting
                    or (self._resting.is_resting(document_id) and document_id not in self._in_flight)
                )
            )
        # What cannot be stored was never acked: its clients still hold it, and bring it to the next room.
        room = self._waiting.pop(document_id, None)
        if room is not None:
            room.lost()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            # From the beginning of a commit: a room that flushes at the same beat is committed as soon as it has.
            next_at = loop.time() + self._beat_s()
            # In a function of its own: what was committed last would be kept until the next commit.
            if await self._commit_waiting():
                await asyncio.sleep(max(_PAUSE_S, next_at - loop.time()))

    def _beat_s(self) -> float:
        """How long it is to be from the beginning of a commit to that of the next."""
        tick_s = self._tick_s()
        return max(_SHORTEST_BEAT_S, _OF_TICK * tick_s) if tick_s else _BEAT_S

    async def _commit_waiting(self) -> bool:
        """Commit what all rooms have; False where they have nothing."""
        rooms = [room for of, room in self._waiting.items() if not self._resting.is_resting(of)]
        taken = [(room, append) for room in rooms if (append := room.take_append()) is not None]
        if taken:
            # Also of a document that rests: what is at the database now may stand in the log in a moment.
            self._in_flight = {room.document_id for room, _ in taken}
            await self._commit(taken)
            self._in_flight = set()
        for room in rooms:
            self._forget_if_done(room)
        async with self._committed:
            self._committed.notify_all()
        return bool(taken)

    def _forget_if_done(self, room: Recordable) -> None:
        if not room.has_more:
            self._waiting.pop(room.document_id, None)
        elif room.document_id not in self._resting and room.is_ready:
            self._wake.set()

    async def _commit(self, taken: list[tuple[Recordable, Append]]) -> None:
        delay, silent_s = _FIRST_RETRY_S, _TELL_EVERY_S
        rooms = {room.document_id: room for room, _ in taken}
        while True:
            try:
                answers = await self._append([append for _, append in taken], partial(self._meet, rooms))
                break
            except Exception as error:  # noqa: BLE001 - whatever it was, the entries are still to be stored
                if silent_s >= _TELL_EVERY_S:
                    self._failed(error)
                    silent_s = 0.0
                self.trouble = error
                # Also those that came meanwhile and are not even tried yet.
                for room in tuple(self._waiting.values()):
                    self._isolated(partial(room.delayed, str(error)))
                await asyncio.sleep(delay)
                silent_s += delay
                delay = min(delay * 2, _LAST_RETRY_S)
        self._judge(taken, answers)
        for (room, _), answer in zip(taken, answers, strict=True):
            self._isolated(partial(self._tell, room, answer))

    async def _append(self, appends: Sequence[Append], meet: Meet) -> Sequence[Answer]:
        """One transaction."""
        began_at = time.perf_counter()
        with self._measures.span("commit") as span:
            if span.is_recorded:
                entries = [entry for append in appends for entry in append.entries]
                size = sum(len(entry.payload) for entry in entries)
                span.note(documents=len(appends), updates=len(entries), bytes=size)
            answers = await self._log.append(appends, meet)
            for answer in answers:
                if isinstance(answer, Unstored):
                    span.fail(answer.reason)
        self._measures.committed(len(appends), time.perf_counter() - began_at)
        return answers

    async def _meet(
        self, rooms: Mapping[str, Recordable], append: Append, seq: int, entries: Sequence[Entry]
    ) -> Append | None:
        """Let the room of an append that came too late again take in what others have stored."""
        try:
            return await rooms[append.document_id].meet(seq, entries)
        except Exception as error:  # noqa: BLE001 - the others of the batch are still to be stored
            self._failed(error)
            return None

    def _judge(self, taken: list[tuple[Recordable, Append]], answers: Sequence[Answer]) -> None:
        """Whether anything can be stored, by what was answered."""
        reasons = [answer.reason for answer in answers if isinstance(answer, Unstored)]
        if len(reasons) < len(answers):
            self._unstored.clear()
        else:
            self._unstored.update(append.document_id for _, append in taken)
        if len(self._unstored) < _MANY_UNSTORED:
            self.trouble = None
            return
        if self.trouble is None:
            self._failed(Unavailable(f"Of {len(self._unstored)} documents none can be stored: {reasons[-1]}."))
        self.trouble = Unavailable(reasons[-1])

    def _isolated(self, tell: Callable[[], None]) -> None:
        """Whatever a room does when it is told: the end of this task would be the end of saving for all of them."""
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)

    def _tell(self, room: Recordable, answer: Answer) -> None:
        if isinstance(answer, Unstored):
            self._rest(room, answer.reason)
            return
        self._resting.end(room.document_id)
        try:
            match answer:
                case None:
                    room.lost()
                case Replaced(generation):
                    room.replaced(generation)
                case Behind(seq):
                    room.overtaken(seq)
                case Appended():
                    room.committed(answer)
        except Exception as error:  # noqa: BLE001 - the others are still to be told
            self._failed(error)
            room.spoiled()

    def _rest(self, room: Recordable, reason: str) -> None:
        self._damaged(room.document_id, reason)
        pause_s = self._resting.rest(room.document_id)
        if not pause_s:
            room.spoiled()
            return
        asyncio.get_running_loop().call_later(pause_s, self._wake.set)
        room.unstored(reason)
