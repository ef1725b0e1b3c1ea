"""What an update costs a room is paid by who sends it: a text of many fragments is no lever (threat row 13)."""

from __future__ import annotations

import asyncio

import pytest
from pycrdt import Doc, Text
from tests.contracts.values import an_entry
from tests.rooms.building import Building, enter, eventually
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import framed, one, presence, typed

from coscribe.core.strain import Strain
from coscribe.model import Append

# A letter that names no neighbour is looked for among all of them: some 4 ms.
FRAGMENTS = 100_000


def test_a_cheap_update_counts_as_one_message() -> None:
    strain = Strain()
    for _ in range(100):
        strain.note(1, 0.000_1)
    assert strain.cost == 1.0
    assert not strain.is_slow
    assert strain.most_of_slice(400) == 400
    assert strain.most_of_turn(100) == 100


def test_cost_follows_what_updates_take_and_forgets_a_pause() -> None:
    strain = Strain()
    for _ in range(30):
        strain.note(2, 0.024)
    assert strain.cost == pytest.approx(600, rel=0.01)
    assert strain.is_slow
    assert strain.most_of_slice(400) == 1
    assert strain.most_of_turn(100) == 1
    strain.note(1, 5.0)
    for _ in range(60):
        strain.note(1, 0.000_01)
    assert strain.cost == 1.0


def test_the_dearer_an_update_is_the_fewer_go_into_a_turn() -> None:
    strain = Strain()
    for _ in range(60):
        strain.note(10, 0.004_1)
    assert not strain.is_slow
    assert strain.most_of_slice(400) == 10
    assert strain.most_of_turn(100) == 50
    assert strain.most_of_turn(10) == 10


def test_a_run_of_letters_is_charged_by_the_letter_and_takes_its_time_as_one() -> None:
    strain = Strain()
    for _ in range(60):
        strain.note(1, 0.002_1, 100)
    assert strain.cost == pytest.approx(1.0, rel=0.01)
    assert strain.most_of_slice(100) == 100
    assert strain.is_slow
    assert strain.most_of_turn(100) == 10


def broken_text() -> bytes:
    """Letters put before one another: none of them joins its neighbour."""
    doc: Doc[Text] = Doc({"content": Text()}, client_id=5)
    for _ in range(FRAGMENTS // 100):
        with doc.transaction():
            for _ in range(100):
                doc["content"].insert(0, "x")
    return doc.get_update()


async def test_letters_that_are_one_item_share_what_it_costs(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a long text a transaction takes milliseconds: of fifty letters in it each is charged its part."""
    told: list[int] = []
    monkeypatch.setattr(Strain, "note", lambda _self, _updates, _seconds, frames: told.append(frames))
    async with building.registry.hold(await building.document()) as room:
        session, before = enter(room, "ann"), room.sessions.taken
        room.sessions.receive(session, framed(2, one(5, 0, typed("a"))))
        await eventually(lambda: told == [1])
        for at in range(1, 51):
            express = room.sessions.express(session)
            assert express is not None
            assert express(session, framed(2, one(5, at, typed("a", after=(5, at - 1)))))
        room.sessions.took(session)
        assert room.sessions.taken - before == 51
        await eventually(lambda: told == [1, 50])


async def test_updates_of_a_text_in_fragments_cost_more_than_a_message(building: Building) -> None:
    document = await building.document()
    entry = an_entry(broken_text(), principal_id=ANN.id)
    await building.log.append([Append(document.id, 1, (entry,))])
    async with building.registry.hold(document) as room:
        session = enter(room, "ben", BEN)
        costs = []
        for client in range(10, 22):
            costs.append(room.sessions.receive(session, framed(2, one(client, 0, typed("y")))))
            await asyncio.sleep(0)
        moved = room.sessions.receive(session, presence((10, 1, '{"line":1}')))
    assert costs[0] == 1.0
    assert costs[-1] > 15
    assert moved == 1.0
