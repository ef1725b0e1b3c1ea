"""Rooms that were let go of: their memory comes back although the collector of garbage comes by seldom."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rooms.building import Building, enter, eventually
from tests.support.wire_bytes import framed, one, typed

from coscribe import watchdog
from coscribe.config import Settings
from coscribe.rooms.room import Room
from coscribe.watchdog import Watchdog


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_rooms_that_end_give_their_memory_back(
    building: Building, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_collector: None
) -> None:
    monkeypatch.setattr(watchdog, "_EVERY_S", 0.01)
    monkeypatch.setattr(watchdog, "_MANY_ROOMS", 2)
    left = [await _left(building), await _left(building)]
    assert [room() is None for room in left] == [False, False]
    stop = asyncio.Event()
    watching = asyncio.create_task(Watchdog(Settings(data_dir=tmp_path), building.registry, building._watch).run(stop))
    await eventually(lambda: [room() for room in left] == [None, None])
    stop.set()
    await watching


async def _left(building: Building) -> weakref.ref[Room]:
    """A room with a text, in which nobody is any more."""
    held = await building.registry.acquire(await building.document())
    session = enter(held.room, "ann")
    held.room.sessions.receive(session, framed(2, one(5, 0, typed("hi"))))
    await eventually(lambda: held.room.is_settled and held.room.seq > 0)
    held.room.sessions.leave(session)
    building.registry.release(held)
    building.registry.evict_idle()
    return weakref.ref(held.room)


async def test_a_room_that_is_dropped_is_let_go_of_at_once(building: Building) -> None:
    document = await building.document()
    held = await building.registry.acquire(document)
    building.registry.release(held)
    assert held.expiry is not None
    await building.registry.drop(document.id, code=4404, reason="gone")
    assert held.expiry is None, "it would keep the room until its time"
    assert building.registry.let_go == 1
