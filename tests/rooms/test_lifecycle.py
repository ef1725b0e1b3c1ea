"""The life of a room: one load for all, eviction, failure of a load, failure of the engine, snapshots."""

from __future__ import annotations

import asyncio

import pytest
from tests.contracts.values import an_entry
from tests.rooms.building import Building, a_reader, enter, eventually, notices
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import framed, item, one, string, structs, typed, update

from coscribe.core.splices import Splice
from coscribe.errors import InvalidInput, Malformed, PreconditionFailed, Unavailable, UpdateRefused
from coscribe.model import Append, Document, Role
from coscribe.rooms.room import Room
from coscribe.storage.engine import Database
from coscribe.storage.update_log import SqlUpdateLog

HI = one(5, 0, typed("hi"))


async def held(building: Building, document: Document) -> Room:
    async with building.registry.hold(document) as room:
        return room


async def test_two_who_open_at_once_get_one_room(building: Building) -> None:
    document = await building.document()
    rooms = await asyncio.gather(*(held(building, document) for _ in range(5)))
    assert {id(room) for room in rooms} == {id(building.registry.live(document.id))}
    assert building.log.loads == 1


async def test_the_first_to_ask_may_leave_before_the_room_is_there(building: Building) -> None:
    document = await building.document()
    first = asyncio.create_task(held(building, document))
    second = asyncio.create_task(held(building, document))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is building.registry.live(document.id)
    assert building.log.loads == 1


async def test_a_room_that_nobody_holds_goes_when_it_has_saved(sqlite: Database) -> None:
    building = Building(sqlite, idle_s=0)
    try:
        document = await building.document()
        async with building.registry.hold(document) as room:
            ann = enter(room, "ann")
            building.log.open.clear()
            room.sessions.receive(ann, framed(2, HI))
            room.sessions.leave(ann)
            await building.log.arrived.wait()
        assert building.registry.live(document.id) is room
        async with building.registry.hold(document) as again:
            assert again is room
            building.log.open.set()
            await eventually(lambda: room.is_settled)
        await eventually(lambda: building.registry.live(document.id) is None)
        async with building.registry.hold(document) as new:
            assert new is not room
            assert (new.text, new.seq) == ("hi", 1)
    finally:
        await building.close()


async def test_a_load_that_fails_leaves_no_room_and_can_be_tried_again(building: Building) -> None:
    document = await building.document()
    await building.log.append([Append(document.id, 1, (an_entry(HI),))])
    building.log.unreadable = True
    with pytest.raises(Unavailable):
        await held(building, document)
    assert building.registry.live(document.id) is None
    building.log.unreadable = False
    assert (await held(building, document)).text == "hi"


async def test_a_room_whose_engine_panics_is_made_again_from_the_log(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        reader = await a_reader(room)
        room.sessions.receive(ann, framed(2, HI))
        await eventually(lambda: room.seq == 1)

        with pytest.raises(Unavailable):
            # Deleting past the end panics in the engine, with an exception that is no Exception.
            await room.writers.edit(BEN, lambda _: [Splice(0, 99, "")])

        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 1011
        assert building.registry.live(document.id) is None
        assert building.told == [("engine_failed", {"document_id": document.id, "again": False})]
        with pytest.raises(StopAsyncIteration):
            await reader.next(0)
        async with building.registry.hold(document) as again:
            assert again is not room
            assert (again.text, again.sessions.careful) == ("hi", True)
            session = enter(again, "ann")
            again.sessions.receive(session, framed(2, one(5, 2, typed("!", after=(5, 1)))))
            await eventually(lambda: again.seq == 2)
            assert again.text == "hi!"


async def test_a_snapshot_is_taken_and_shortens_the_next_load(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        session = enter(room, "ann")
        for clock in range(1100):
            origin = (5, clock - 1) if clock else None
            room.sessions.receive(session, framed(2, one(5, clock, typed("é", after=origin))))
        await eventually(lambda: room.seq == 1100)
        log = SqlUpdateLog(building.database)
        async with asyncio.timeout(10):
            while (snapshot := await log.snapshot(document.id, 1)) is None:
                pass
        assert (snapshot.seq, snapshot.codec) == (1100, "yjs-v1")
        assert await room.standing.text_at(600) == "é" * 600
        assert await room.standing.text_at(0) == ""
    await building.registry.drop(document.id, code=1001, reason="")
    building.log.read_from.clear()
    assert (await held(building, document)).text == "é" * 1100
    assert building.log.read_from == []


# Writers


async def test_an_edit_on_an_old_text_is_merged_as_the_crdt_merges(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        await room.writers.edit(ANN, lambda _: [Splice(0, 0, "one two")])
        await room.writers.edit(ANN, lambda _: [Splice(0, 3, "1é😀")])

        written = await room.writers.edit_at(BEN, 1, lambda text: [Splice(text.index("two"), 3, "2")])

        assert (written.seq, written.changed, room.text) == (3, True, "1é😀 2")
        nothing = await room.writers.edit_at(BEN, 2, lambda _: [])
        assert (nothing.seq, nothing.changed) == (3, False)
        whole = await room.writers.edit_at(BEN, 0, lambda text: [Splice(0, len(text), "first ")])
        assert whole.seq == 4
        assert sorted(room.text) == sorted("first 1é😀 2")


async def test_writers_over_rest_are_told_why_not(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        await room.writers.edit(ANN, lambda _: [Splice(0, 0, "a")], expect_seq=0)
        with pytest.raises(PreconditionFailed):
            await room.writers.edit(ANN, lambda _: [Splice(0, 0, "b")], expect_seq=0)
        with pytest.raises(UpdateRefused):
            await room.writers.edit(ANN, lambda _: [Splice(0, 0, "b" * 2**20)])
        with pytest.raises(Malformed):
            await room.writers.submit(ANN, b"\x07")
        with pytest.raises(InvalidInput):
            await room.writers.submit(ANN, one(7, 3, typed("a", after=(7, 2))))
        with pytest.raises(UpdateRefused):
            await room.writers.submit(ANN, one(7, 0, item(5, string("{}"))))
        assert (room.text, room.seq) == ("a", 1)
        both = update([structs(7, 0, typed("z"))])
        assert (await room.writers.submit(ANN, both)).seq == 2
        assert (await room.writers.submit(ANN, both)).changed is False
        seq, state = await room.standing.state()
        assert seq == 2
        assert b"z" in state


async def test_the_room_ends_bad_conversations_and_goes_on(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        bad, good = enter(room, "bad"), enter(room, "good", BEN)
        for frame in (b"\x09", framed(0, b"\x01\x05\x80\x80\x80\x80\x08"), framed(2, HI)):
            room.sessions.receive(bad, frame)
        assert bad.outbox.closing is not None
        assert bad.outbox.closing.code == 4400
        room.sessions.receive(good, framed(2, one(6, 0, typed("b"))))
        await eventually(lambda: room.seq == 1)
        assert room.text == "b"


async def test_a_role_that_changes_counts_from_the_next_frame(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        ann = enter(room, "ann")
        room.sessions.set_role(ann, Role.VIEWER)
        room.sessions.receive(ann, framed(2, HI))
        told, refused = notices(ann.outbox.take())
        assert (told["kind"], told["role"], refused["limit"]) == ("role", "viewer", "role")
        room.sessions.set_role(ann, None)
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 4403
