"""When a room flushes: in the same turn of the loop where there is time, at a tick where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from coscribe.rooms import turns
from coscribe.rooms.turns import Turn, Turns

NEVER = 1e9


class Day:
    """What happened, in order; the loop's timers stand until their time is told."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.turns.look = self.look  # type: ignore[method-assign] # the processor has no say here
        self.happened: list[str] = []
        # How often a flush is to say that there is more.
        self.more = 0
        self.turn = Turn(self.turns, self.flush)

    def look(self, now: float) -> None:
        """Leave the tick as it is."""

    def flush(self) -> bool:
        """Flush the room."""
        self.happened.append("flush")
        self.more -= 1
        return self.more >= 0

    def note(self, what: str) -> Callable[[], None]:
        return lambda: self.happened.append(what)

    async def loops(self, count: int = 4) -> None:
        """Let the loop go round."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def flushed(self, times: int = 1) -> None:
        """Wait until the room has been flushed so often."""
        async with asyncio.timeout(10):
            while self.happened.count("flush") < times:  # noqa: ASYNC110 - a timer of this loop is waited for
                await asyncio.sleep(0)


@pytest.fixture
async def day() -> Day:
    return Day()


async def test_a_room_flushes_at_once_where_there_is_time(day: Day) -> None:
    day.turn.ask()
    assert day.happened == []
    await day.loops(1)
    assert day.happened == ["flush"]


async def test_a_room_that_is_behind_flushes_again_before_anything_is_read(day: Day) -> None:
    day.more = 2
    day.turn.ask()
    await day.loops(1)
    assert day.turn.is_behind
    day.turn.before(day.note("read"))
    await day.loops(2)
    assert day.happened == ["flush", "flush", "flush"]
    assert not day.turn.is_behind
    await day.flushed(4)
    assert day.happened == ["flush", "flush", "flush", "read", "flush"]


async def test_many_asks_are_one_flush(day: Day) -> None:
    for _ in range(5):
        day.turn.ask()
    await day.loops()
    assert day.happened == ["flush"]
    day.turn.ask()
    await day.loops()
    assert day.happened == ["flush"] * 2


async def test_a_busy_room_flushes_first_at_once_and_then_at_its_tick(day: Day) -> None:
    day.turns.tick_s = 0.04
    day.turn.ask()
    await day.loops()
    assert day.happened == ["flush"]
    began = day.turns.loop.time()

    day.turn.ask()
    await day.loops()
    assert day.happened == ["flush"]
    await day.flushed(2)

    assert 0.03 < day.turns.loop.time() - began < 5


async def test_each_room_has_its_own_beat(day: Day) -> None:
    other = Turn(day.turns, lambda: bool(day.note("other")()))
    day.turns.tick_s = NEVER
    day.turn.ask()
    await day.loops()
    day.turn.ask()
    other.ask()
    await day.loops()
    assert day.happened == ["flush", "other"]


async def test_what_is_asked_at_once_does_not_wait_for_the_tick(day: Day) -> None:
    day.turns.tick_s = NEVER
    day.turn.ask()
    await day.loops()
    day.turn.ask(at_once=True)
    await day.loops()
    assert day.happened == ["flush"] * 2


async def test_reads_come_in_front_of_the_flush(day: Day) -> None:
    day.turns.tick_s = 0.02
    day.turn.ask()
    await day.loops()
    day.happened.clear()

    for name in ("one", "two"):
        day.turn.before(day.note(name))
    await day.loops()
    assert day.happened == []
    await day.flushed()
    assert day.happened == ["one", "two", "flush"]


async def test_reads_come_in_front_of_the_flush_also_when_the_tick_has_fallen_to_nothing(day: Day) -> None:
    day.turns.tick_s = NEVER
    day.turn.ask()
    await day.loops()
    day.happened.clear()

    day.turns.tick_s = 0.0
    day.turn.before(day.note("read"))
    await day.loops()

    assert day.happened == ["read", "flush"]


async def test_what_the_reads_let_come_in_goes_into_that_flush(day: Day) -> None:
    """A read gives its socket back to the loop, whose bytes come two turns later at the latest."""
    mine, others = await _a_pair(day)
    day.turns.tick_s = 0.02
    day.turn.ask()
    await day.loops()
    day.happened.clear()
    mine.pause_reading()
    day.turn.before(mine.resume_reading)
    others.write(b"x")

    await day.flushed()

    assert day.happened == ["bytes", "flush"]
    for end in (mine, others):
        end.abort()


async def _a_pair(day: Day) -> tuple[asyncio.Transport, asyncio.WriteTransport]:
    """A connection to ourselves; what comes is noted."""
    came: asyncio.Future[asyncio.Transport] = day.turns.loop.create_future()

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            came.set_result(transport)

        def data_received(self, data: bytes) -> None:
            day.happened.append("bytes")

    server = await day.turns.loop.create_server(Noting, "127.0.0.1", 0)
    others, _ = await day.turns.loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
    mine = await came
    server.close()
    return mine, others


async def test_a_read_that_is_asked_for_during_the_reads_comes_before_the_next_flush(day: Day) -> None:
    def again() -> None:
        day.happened.append("first")
        day.turn.before(day.note("second"))

    day.turn.before(again)
    await day.flushed(2)
    assert day.happened == ["first", "flush", "second", "flush"]


async def test_a_flush_that_fails_does_not_end_the_turns(day: Day) -> None:
    told: list[object] = []
    day.turns.loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

    def fail() -> bool:
        raise ValueError("once")

    turn = Turn(day.turns, fail)
    for _ in range(2):
        turn.ask()
        await day.loops()
    assert len(told) == 2


# The tick


class Clock:
    """The processor's time, in the place of the module `time`."""

    def __init__(self) -> None:
        self.used = 0.0

    def process_time(self) -> float:
        return self.used


class Driven:
    """Ticks of a day in which the use of the processor is given."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.turns = Turns()
        self.now = self.turns.loop.time()

    def spend(self, share: float, seconds: float = 0.06) -> float:
        """So much of the time is used; gives the tick then."""
        self.now += seconds
        self.clock.used += share * seconds
        self.turns.look(self.now)
        return self.turns.tick_s


@pytest.fixture
async def driven(monkeypatch: pytest.MonkeyPatch) -> Driven:
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return Driven(clock)


async def test_the_tick_grows_with_use_up_to_its_end(driven: Driven) -> None:
    ticks = [driven.spend(0.9) for _ in range(10)]
    assert ticks[:2] == pytest.approx([0.002, 0.0032])
    assert ticks == sorted(ticks)
    assert ticks[-1] == ticks[-2] == 0.04
    assert driven.turns.is_busy


async def test_the_tick_shrinks_to_nothing(driven: Driven) -> None:
    for _ in range(10):
        driven.spend(0.9)
    ticks = [driven.spend(0.3) for _ in range(12)]
    assert ticks[0] == pytest.approx(0.028)
    assert ticks == sorted(ticks, reverse=True)
    assert ticks[-1] == 0.0
    assert not driven.turns.is_busy
    assert all(tick == 0.0 or tick >= 0.001 for tick in ticks)


async def test_the_tick_stays_in_between(driven: Driven) -> None:
    before = [driven.spend(0.9) for _ in range(5)][-1]
    assert driven.spend(0.8) == before
    assert driven.spend(0.84) == before
    assert driven.spend(0.72) == before


async def test_the_use_is_not_looked_at_too_often(driven: Driven) -> None:
    assert driven.spend(0.9, 0.04) == 0.0
    assert driven.spend(0.9, 0.02) == 0.002


async def test_after_a_pause_the_next_flush_is_immediate(driven: Driven) -> None:
    for _ in range(10):
        driven.spend(0.9)
    assert driven.spend(0.1, 0.6) == 0.0


async def test_a_stall_is_no_pause(driven: Driven) -> None:
    """Somebody's large work took all of the time: there was none to flush in."""
    for _ in range(3):
        before = driven.spend(0.9)
    assert driven.spend(1.0, 0.6) > before


async def test_reading_is_put_off_from_ten_milliseconds_on(driven: Driven) -> None:
    busy = []
    for _ in range(6):
        tick = driven.spend(0.9)
        busy.append(driven.turns.is_busy is (tick >= 0.01))
    assert all(busy)
    assert driven.turns.is_busy
