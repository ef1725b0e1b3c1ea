"""What rooms tell of their work: group commits in seconds, and spans around what takes long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
from tests.rooms.building import Building, eventually
from tests.support.people import ANN

from coscribe.core.splices import Splice
from coscribe.errors import Unavailable
from coscribe.model import Document
from coscribe.rooms.measuring import Measures, Span
from coscribe.rooms.room import Room
from coscribe.storage.engine import Database


@dataclass
class Kept:
    """A span that keeps what is said of it."""

    name: str
    facts: dict[str, int | str] = field(default_factory=dict)
    failed: str | None = None
    is_recorded: bool = True

    def note(self, **facts: int | str) -> None:
        self.facts |= facts

    def fail(self, reason: str) -> None:
        self.failed = reason


class Measuring:
    """Everything that rooms tell."""

    def __init__(self) -> None:
        self.spans: list[Kept] = []
        self.commits: list[tuple[int, float]] = []

    @property
    def measures(self) -> Measures:
        return Measures(committed=lambda documents, seconds: self.commits.append((documents, seconds)), span=self._span)

    @contextmanager
    def _span(self, name: str) -> Iterator[Span]:
        span = Kept(name)
        try:
            yield span
        except Exception as error:
            span.fail(str(error))
            raise
        finally:
            self.spans.append(span)

    def of(self, name: str) -> list[Kept]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def measuring() -> Measuring:
    return Measuring()


@pytest.fixture
async def measured(sqlite: Database, measuring: Measuring) -> AsyncIterator[Building]:
    building = Building(sqlite, idle_s=0, measures=measuring.measures)
    yield building
    await building.close()


async def write(room: Room, text: str) -> None:
    await room.writers.edit(ANN, lambda _: [Splice(0, 0, text)])


async def test_what_comes_while_one_commit_runs_is_measured_as_the_next(
    measured: Building, measuring: Measuring
) -> None:
    async with AsyncExitStack() as held:
        rooms = [await held.enter_async_context(measured.registry.hold(await measured.document())) for _ in range(3)]
        measured.log.open.clear()
        async with asyncio.TaskGroup() as writing:
            writing.create_task(write(rooms[0], "abc"))
            await measured.log.arrived.wait()
            for room in rooms[1:]:
                writing.create_task(write(room, "d"))
            await eventually(lambda: not any(room.is_settled for room in rooms))
            measured.log.open.set()
    assert [documents for documents, _ in measuring.commits] == [1, 2]
    assert all(seconds > 0 for _, seconds in measuring.commits)


async def test_an_attempt_that_fails_is_a_span_and_no_commit(measured: Building, measuring: Measuring) -> None:
    async with measured.registry.hold(await measured.document()) as room:
        measured.log.failures = 2
        await write(room, "abc")
    assert [span.failed for span in measuring.of("commit")] == ["The disk is full.", "The disk is full.", None]
    assert all(span.facts["documents"] == span.facts["updates"] == 1 for span in measuring.of("commit"))
    assert all(int(span.facts["bytes"]) > 3 for span in measuring.of("commit"))
    assert [documents for documents, _ in measuring.commits] == [1]


async def test_a_load_is_a_span_with_what_was_read(measured: Building, measuring: Measuring) -> None:
    document = await measured.document()
    await open_and_write(measured, document)
    async with measured.registry.hold(document):
        pass
    first, second = measuring.of("load")
    assert first.facts == {"document_id": document.id, "seq": 0, "entries": 0, "snapshot_bytes": 0}
    assert second.facts == {"document_id": document.id, "seq": 1, "entries": 1, "snapshot_bytes": 0}


async def open_and_write(building: Building, document: Document) -> None:
    async with building.registry.hold(document) as room:
        await write(room, "abc")
    building.registry.evict_idle()
    await eventually(lambda: building.registry.live(document.id) is None)


async def test_a_load_that_fails_says_why(measured: Building, measuring: Measuring) -> None:
    document = await measured.document()
    await open_and_write(measured, document)
    measured.log.unreadable = True
    with pytest.raises(Unavailable):
        await measured.registry.acquire(document)
    load = measuring.of("load")[-1]
    assert load.failed == "The disk does not answer."
