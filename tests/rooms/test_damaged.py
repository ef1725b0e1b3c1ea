"""Rows that cannot be read: the document opens without them, goes on, and takes back what its clients still have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from tests.contracts.values import an_entry
from tests.rooms.building import Building, a_reader, enter, eventually, notices
from tests.support.people import ANN, BEN, HELLO
from tests.support.wire_bytes import framed, item, one, string, typed, uint

from coscribe.core.outbox import Outbox
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.core.splices import Splice
from coscribe.errors import PositionGone
from coscribe.model import Append, Appended, Document, Entry, Place, Role, RowKind, Snapshot, Unstored
from coscribe.rooms.room import Room
from coscribe.storage.archive import SqlArchive
from coscribe.storage.checksums import entry_checksum, snapshot_checksum
from coscribe.storage.tables import documents, quarantine, segments, snapshots, updates

A, B, C, D = (one(5, at, typed(letter, after=(5, at - 1) if at else None)) for at, letter in enumerate("abcd"))
# Behind 52 KB of arrays in arrays the engine's native stack ends, and the process with it (pitfall 1).
BOMB = one(5, 1, item(8, uint(1) + b"\x75\x01" * 26_000 + b"\x7d\x00", after=(5, 0)))


async def written(building: Building, *payloads: bytes) -> Document:
    """A document of Ann's with these entries."""
    document = await building.document()
    entries = tuple(an_entry(payload, principal_id=ANN.id, session_id="s") for payload in payloads)
    await building.log.append([Append(document.id, 1, entries)])
    return document


async def harm(building: Building, document: Document, seq: int, **values: Any) -> None:
    async with building.database.write() as connection:
        row = updates.c.document_id == document.id, updates.c.seq == seq
        await connection.execute(update(updates).where(*row).values(values))


def newcomer(room: Room, name: str = "ben") -> Session:
    """One of our own clients that has just said hello."""
    session = Session(name, BEN, Role.EDITOR, Outbox(2**20, lambda: None))
    room.sessions.join(session)
    room.sessions.receive(session, HELLO)
    return session


def events(building: Building) -> list[str]:
    return [event for event, _ in building.told]


async def settled(room: Room, seq: int) -> None:
    await eventually(lambda: room.seq == seq and room.is_settled)


@pytest.mark.parametrize(
    "values",
    [
        {"payload": b""},
        {"payload": B[:-1]},
        {"payload": bytes((B[0] ^ 1,)) + B[1:]},
        {"payload": D},
        {"payload": BOMB},
        {"checksum": b"\2" + b"12345678"},
        {"session_id": "another"},
    ],
    ids=["empty", "cut", "flipped", "foreign", "bomb", "checksum", "session"],
)
async def test_what_a_lost_entry_took_comes_back_from_a_client(building: Building, values: dict[str, Any]) -> None:
    document = await written(building, A, B, C)
    other = await written(building, A, B, C)
    await harm(building, document, 2, **values)
    async with building.registry.hold(document) as room:
        assert room.text == "a"
        ben = newcomer(room)
        told = notices(ben.outbox.take())
        assert [(notice["kind"], "Entry 2" in notice["reason"]) for notice in told] == [("damaged", True)]
        room.sessions.receive(ben, framed(1, B))
        await settled(room, 5)
        assert room.text == "abc"
    entries = await building.log.read(document.id, 1, after=3)
    assert [(entry.principal_id, entry.payload) for entry in entries] == [(BEN.id, B), (ANN.id, C)]
    assert sorted(events(building)) == ["document_damaged", "quarantined"]
    async with building.registry.hold(other) as room:
        assert (room.text, room.damage) == ("abc", None)


async def test_typing_goes_on_with_a_hole(building: Building) -> None:
    document = await written(building, A, B, C)
    await harm(building, document, 2, payload=b"")
    async with building.registry.hold(document) as room:
        answer = await room.writers.edit(BEN, lambda _: [Splice(1, 0, "!")])
        assert (answer.seq, room.text) == (4, "a!")
        seq, state = await room.standing.state()
        replica = Replica(9)
        replica.load([state])
        assert (seq, replica.text) == (4, "a!")
        with pytest.raises(PositionGone, match="Entry 2"):
            await room.standing.text_at(3)
        assert await room.standing.text_at(1) == "a"
    await building.registry.drop(document.id, code=1001, reason="")
    async with building.registry.hold(document) as room:
        assert room.text == "a!"


async def test_an_altered_row_with_a_right_checksum_does_not_reach_the_engine(building: Building) -> None:
    document = await written(building, A, B)
    [_, entry] = await building.log.read(document.id, 1, after=0)
    bomb = Entry(2, entry.principal_id, entry.session_id, entry.at, BOMB)
    await harm(building, document, 2, payload=BOMB, checksum=entry_checksum(Place(document.id, 1), bomb))
    async with building.registry.hold(document) as room:
        assert room.text == "a"
    async with building.database.read() as connection:
        [row] = (await connection.execute(select(quarantine))).all()
    assert (row.what, row.seq, row.payload) == ("entry", 2, BOMB)
    assert "nested type" in row.reason or "Any" in row.reason


async def stored_snapshot(building: Building, document: Document, seq: int, *payloads: bytes) -> None:
    replica = Replica(9)
    replica.load(payloads)
    await building.log.store_snapshot(Snapshot(document.id, 1, seq, "yjs-v1", "pycrdt", replica.diff()))


@pytest.mark.parametrize("bad", [[3], [2, 3]], ids=["newest", "all"])
async def test_a_damaged_snapshot_costs_nothing(building: Building, bad: list[int]) -> None:
    document = await written(building, A, B, C, D)
    await stored_snapshot(building, document, 2, A, B)
    await stored_snapshot(building, document, 3, A, B, C)
    async with building.database.write() as connection:
        await connection.execute(update(snapshots).where(snapshots.c.seq.in_(bad)).values(state=b"\0"))
    async with building.registry.hold(document) as room:
        assert (room.text, room.damage) == ("abcd", None)
    assert events(building) == ["quarantined"] * len(bad)


@pytest.mark.parametrize(
    ("codec", "poison"),
    [
        ("yjs-v1", BOMB),
        ("yjs-v1-pieces", string(A) + string(BOMB)),
        ("yjs-v1-pieces", string(A) + string(C)),  # beyond a gap
        ("yjs-v3", A),
    ],
    ids=["whole", "pieces", "gap", "codec"],
)
async def test_a_poisoned_snapshot_does_not_reach_the_engine(building: Building, codec: str, poison: bytes) -> None:
    document = await written(building, A, B)
    await stored_snapshot(building, document, 2, A, B)
    async with building.database.write() as connection:
        sealed = snapshot_checksum(Place(document.id, 1), 2, codec, poison)
        await connection.execute(update(snapshots).values(codec=codec, state=poison, checksum=sealed))
    async with building.registry.hold(document) as room:
        assert (room.text, room.damage) == ("ab", None)
    assert [fields["damage"].what for event, fields in building.told] == [RowKind.SNAPSHOT]


async def test_a_damaged_segment_is_a_hole_like_any_other(building: Building) -> None:
    document = await written(building, A, B, C, D)
    await SqlArchive(building.database).pack(Place(document.id, 1), upto=2, least=2)
    async with building.database.write() as connection:
        await connection.execute(update(segments).values(payload=b"\x28\xb5\x2f\xfd"))
    async with building.registry.hold(document) as room:
        assert room.text == ""
        assert room.damage == "Entries 1 to 2 of its log cannot be read."
        ben = newcomer(room)
        room.sessions.receive(ben, framed(1, one(5, 0, typed("ab"))))
        await eventually(lambda: room.text == "abcd")


async def test_a_head_that_fell_back_is_mended_and_told(building: Building) -> None:
    document = await written(building, A, B, C)
    async with building.database.write() as connection:
        await connection.execute(update(documents).where(documents.c.id == document.id).values(seq=1))
    async with building.registry.hold(document) as room:
        assert (room.text, room.seq, room.damage) == ("abc", 3, None)
        assert (await room.writers.edit(BEN, lambda _: [Splice(0, 0, "!")])).seq == 4
    assert events(building) == ["document_damaged"]


async def test_a_log_that_is_cut_short_gives_no_number_out_again(building: Building) -> None:
    document = await written(building, A, B, C)
    async with building.database.write() as connection:
        await connection.execute(delete(updates).where(updates.c.document_id == document.id, updates.c.seq == 3))
    async with building.registry.hold(document) as room:
        assert (room.text, room.seq) == ("ab", 3)
        assert (await room.writers.edit(BEN, lambda _: [Splice(0, 0, "!")])).seq == 4


async def test_d5_readers_of_what_damage_took_get_a_snapshot(building: Building) -> None:
    document = await written(building, A, B, C)
    async with building.registry.hold(document) as room:
        position = str(room.feed.position)
    await building.registry.drop(document.id, code=1001, reason="")
    await harm(building, document, 3, payload=b"")
    async with building.registry.hold(document) as room:
        event = await (await a_reader(room, after=position)).next(0.0)
        assert event is not None
        assert (event.event, '"text":"ab"' in event.data) == ("snapshot", True)


async def test_d8_a_document_that_cannot_be_stored_holds_up_no_other(building: Building) -> None:
    sick, well = await written(building, A), await written(building, A)
    async with building.registry.hold(sick) as room, building.registry.hold(well) as other:
        ann = enter(room, "ann")
        async with building.database.write() as connection:
            # As if a restored table had more than its document knows of: seq 2 is taken.
            [row] = (await connection.execute(select(updates).where(updates.c.document_id == sick.id))).mappings()
            await connection.execute(updates.insert().values({**row, "seq": 2}))
        room.sessions.receive(ann, framed(2, B))
        written_there = await other.writers.edit(BEN, lambda _: [Splice(0, 0, "!")])
        assert written_there.seq == 2
        await eventually(lambda: ann.outbox.closing is not None)
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 1011
    async with building.registry.hold(sick) as again:
        again.sessions.receive(enter(again, "ann"), framed(2, B))
        await settled(again, 3)
        assert again.text == "ab"


async def test_d8_what_can_never_be_stored_is_tried_again_by_itself(building: Building) -> None:
    document, well = await building.document(), await building.document()
    real = building.log.append
    refusing = True

    async def append(batch: Any, meet: Any = None) -> Any:
        if not refusing:
            return await real(batch, meet)
        rest = [one for one in batch if one.document_id != document.id]
        answers = iter(await real(rest, meet) if rest else [])
        return [Unstored("no") if one.document_id == document.id else next(answers) for one in batch]

    building.log.append = append  # type: ignore[method-assign]
    for _ in range(2):
        async with building.registry.hold(document) as room:
            ann = enter(room, "ann")
            room.sessions.receive(ann, framed(2, A))
            async with building.registry.hold(well) as other:
                await other.writers.edit(BEN, lambda _: [Splice(0, 0, "!")])
    async with building.registry.hold(document) as room:
        heard: list[str] = []
        async with asyncio.timeout(10):
            while "degraded" not in heard:
                heard += [notice["kind"] for notice in notices(ann.outbox.take())]
                await asyncio.sleep(0)
        assert building.registry.trouble is None
        refusing = False
        await settled(room, 1)
    assert [event for event in events(building) if event != "engine_failed"] == ["document_damaged"] * 2


async def test_d6_a_document_that_was_replaced_ends_its_sessions(building: Building) -> None:
    document = await written(building, A)
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        async with building.database.write() as connection:
            await connection.execute(update(documents).where(documents.c.id == document.id).values(generation=4, seq=0))
        room.sessions.receive(ann, framed(2, B))
        await eventually(lambda: ann.outbox.closing is not None)
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 4409
        [notice] = [told for told in notices(ann.outbox.take()) if told["kind"] == "generation"]
        assert notice["generation"] == 4
    assert await building.log.read(document.id, 4, after=0) == []


async def test_d6_who_comes_after_a_replacement_gets_another_room(building: Building) -> None:
    document = await written(building, A)
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        async with building.database.write() as connection:
            await connection.execute(update(documents).where(documents.c.id == document.id).values(generation=4, seq=0))
        now = await building.documents.get(document.id)
        assert now is not None
        async with building.registry.hold(now) as again:
            assert (again.generation, again.text) == (4, "")
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 4409
    assert (await building.log.append([Append(document.id, 4, (an_entry(A),))])) == [Appended(1)]
