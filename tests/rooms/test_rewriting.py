"""Where the log and its state are read in two ways the text is written anew, once, and everybody reads it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest
from sqlalchemy import delete
from tests.contracts.values import an_entry
from tests.rooms.building import Building, FaultyLog, a_reader, enter, eventually, waiting
from tests.support.crossed import ABC, CROSSED
from tests.support.people import ANN, BEN
from tests.support.viewer import apply_ops
from tests.support.wire_bytes import deletes, framed, one, typed, update

from coscribe.core.lib0 import read_bytes
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.core.update import scan
from coscribe.errors import Unavailable
from coscribe.model import SERVER, Append, Appended, Behind, Document, Place, Replaced, Role, Unstored
from coscribe.ports import Meet
from coscribe.rooms.history import at_once, replica_at
from coscribe.rooms.room import Room
from coscribe.rooms.snapshotting import Readers, Snapshotter
from coscribe.storage.engine import Database
from coscribe.storage.tables import updates
from coscribe.storage.update_log import SqlUpdateLog

DOUBT = b"\x75"


async def crossed(building: Building) -> Document:
    """A closed document that is read in two ways."""
    document = await building.document()
    entries = (an_entry(ABC, principal_id=ANN.id), an_entry(CROSSED, principal_id=BEN.id))
    await building.log.append([Append(document.id, 1, entries, ((5, ANN.id), (8, BEN.id)))])
    return document


def removed(client: int, *ranges: tuple[int, int]) -> bytes:
    """An update that deletes and inserts nothing."""
    return update(removed=[deletes(client, *ranges)])


async def read_anew(building: Building, document: Document) -> tuple[str, str]:
    """What the log gives, and what whoever opens the document now reads."""
    seq = (await building.log.heads([document.id]))[document.id].seq
    replica = await replica_at(building.log, document.id, 1, seq)
    return replica.text, Replica(78, replica.diff()).text


def hear(session: Session, replica: Replica) -> Replica:
    """Take in all updates that wait for a session."""
    for frame in session.outbox.take():
        if frame[0] == 0 and frame[1] in (1, 2):
            replica.load([read_bytes(frame, 2)[0]])
    return replica


def a_newcomer(room: Room) -> tuple[Session, Replica]:
    """Somebody with an empty copy, who has asked for all of it."""
    session = enter(room, "newcomer", BEN)
    room.sessions.receive(session, framed(0, b"\x00"))
    return session, hear(session, Replica(79))


def nobody_in_it(told: list[int]) -> Readers:
    """The readers of a closed document; `told` is where its text is written anew."""
    return Readers(lambda _: None, lambda _, seq, entry: told.append(seq) if entry is not None else None)


def rewritten(building: Building) -> list[int]:
    """The seqs at which texts were written anew."""
    return [int(str(fields["seq"])) for event, fields in building.told if event == "text_rewritten"]


async def test_a_newcomer_who_reads_something_else_says_so_and_all_read_the_same(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, mallory = enter(room, "ann"), enter(room, "mallory", BEN)
        room.sessions.receive(ann, framed(2, ABC))
        room.sessions.receive(mallory, framed(2, CROSSED))
        await eventually(lambda: room.seq == 2)
        reader = await a_reader(room)
        there = Replica(80)
        there.load([ABC])
        hear(ann, there)
        newcomer, copy = a_newcomer(room)
        assert (room.text, there.text, copy.text) == ("aYbc", "aYbc", "abcY")

        room.sessions.receive(newcomer, DOUBT)
        await eventually(lambda: room.seq == 3)

        assert (room.text, hear(ann, there).text, hear(newcomer, copy).text) == ("aYbc", "aYbc", "aYbc")
        text = ""
        for event in await waiting(reader):
            data = json.loads(event.data)
            text = data["text"] if event.event == "snapshot" else apply_ops(text, data.get("ops", []))
        assert text == "aYbc"
        (entry,) = await building.log.read(document.id, 1, after=2)
        assert (entry.principal_id, rewritten(building)) == (SERVER.id, [3])
        room.sessions.receive(ann, framed(2, one(5, 3, typed("d", after=(5, 2)))))
        await eventually(lambda: room.seq == 4)
    assert len({*await read_anew(building, document)}) == 1


async def test_whoever_doubts_for_no_reason_changes_nothing_and_is_heard_once_in_ten_seconds(
    building: Building,
) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        room.sessions.receive(ann, framed(2, ABC))
        await eventually(lambda: room.seq == 1)
        building.log.read_from.clear()

        for _ in range(100):
            room.sessions.receive(ann, DOUBT)
        await _compacted(building, document)

        assert (room.text, room.seq, rewritten(building)) == ("abc", 1, [])
        assert len(building.log.read_from) == 1


async def _compacted(building: Building, document: Document) -> None:
    """Wait for the document's snapshot."""
    async with asyncio.timeout(10):
        while await building.log.snapshot(document.id, 1) is None:  # noqa: ASYNC110 - another task stores it
            await asyncio.sleep(0)


async def test_no_snapshot_is_kept_that_reads_otherwise_than_its_log(building: Building) -> None:
    document = await crossed(building)
    told: list[int] = []
    snapshotter = Snapshotter(building.log, at_once, nobody_in_it(told))

    assert await snapshotter.take(Place(document.id, 1), 2, whole=True) is None

    assert await building.log.snapshot(document.id, 1) is None
    assert told == [3]
    assert await read_anew(building, document) == ("aYbc", "aYbc")
    assert await snapshotter.take(Place(document.id, 1), 3, whole=True) is not None
    assert await read_anew(building, document) == ("aYbc", "aYbc")
    async with building.registry.hold(document) as room:
        assert room.text == a_newcomer(room)[1].text == "aYbc"


async def test_two_servers_that_write_it_anew_at_once_do_not_double_it(database: Database) -> None:
    servers = [Building(database, is_shared=True) for _ in range(2)]
    document = await crossed(servers[0])
    told: list[int] = []
    sizes = await asyncio.gather(
        *(
            Snapshotter(server.log, at_once, nobody_in_it(told)).take(Place(document.id, 1), 2, whole=True)
            for server in servers
        )
    )

    assert told == [3]
    assert sizes.count(None) == 1, "the one who came too late has a snapshot of what the other wrote"
    assert await read_anew(servers[0], document) == ("aYbc", "aYbc")
    for server in servers:
        await server.close()


class Typing(FaultyLog):
    """A log in which somebody writes whenever it is looked at."""

    clock = 0

    async def append(
        self, batch: Sequence[Append], meet: Meet | None = None
    ) -> list[Appended | Replaced | Behind | Unstored | None]:
        self.clock += 1
        after = (6, self.clock - 2) if self.clock > 1 else (5, 0)
        entry = an_entry(one(6, self.clock - 1, typed("x", after=after)), principal_id=ANN.id)
        await super().append([Append(batch[0].document_id, 1, (entry,))])
        return await super().append(batch, meet)


async def test_where_people_write_all_the_time_it_is_left_for_another_time(building: Building) -> None:
    document = await crossed(building)
    log, told = Typing(SqlUpdateLog(building.database)), list[int]()

    with pytest.raises(Unavailable, match="while others write"):
        await Snapshotter(log, at_once, nobody_in_it(told)).take(Place(document.id, 1), 2, whole=True)

    assert (await building.log.heads([document.id]))[document.id].seq == 2 + log.clock
    assert await building.log.snapshot(document.id, 1) is None
    assert told == []


async def test_a_text_of_which_entries_are_missing_is_not_written_anew(building: Building) -> None:
    document = await building.document()
    entries = tuple(an_entry(payload) for payload in (ABC, CROSSED, one(9, 0, typed("z", after=(5, 0)))))
    await building.log.append([Append(document.id, 1, entries)])
    async with building.database.write() as connection:
        await connection.execute(delete(updates).where(updates.c.document_id == document.id, updates.c.seq == 3))

    told: list[int] = []

    assert (
        await Snapshotter(building.log, at_once, nobody_in_it(told)).take(Place(document.id, 1), 3, whole=False) is None
    )

    assert told == []
    assert await building.log.snapshot(document.id, 1) is None


async def test_what_people_read_is_true_where_a_snapshot_has_changed_what_the_log_gives(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, mallory = enter(room, "ann"), enter(room, "mallory", BEN)
        for session, change in ((ann, ABC), (mallory, CROSSED), (ann, removed(8, (0, 1)))):
            room.sessions.receive(session, framed(2, change))
        await eventually(lambda: room.seq == 3)
        # The letter that stood in two places is gone: both readings are one, and where it stood is not seen.
        building.registry._compactor.doubt(Place(document.id, 1), 3)
        await _compacted(building, document)
        room.sessions.receive(ann, framed(2, one(9, 0, typed("Z", after=(5, 0), before=(8, 0)))))
        await eventually(lambda: room.seq == 4)
        newcomer, copy = a_newcomer(room)
        assert (room.text, copy.text) == ("aZbc", "abcZ")

        building.registry._compactor._doubted.clear()
        room.sessions.receive(newcomer, DOUBT)
        await eventually(lambda: room.seq == 5)

        assert (room.text, hear(newcomer, copy).text, a_newcomer(room)[1].text) == ("aZbc", "aZbc", "aZbc")
    assert await read_anew(building, document) == ("aZbc", "aZbc")


async def test_a_text_is_written_anew_once_in_ten_seconds_and_then_ever_less_often(building: Building) -> None:
    document = await crossed(building)
    loop = asyncio.get_running_loop()
    told: list[int] = []
    snapshotter = Snapshotter(building.log, at_once, nobody_in_it(told))
    place = Place(document.id, 1)
    assert await snapshotter.take(place, 2, whole=True) is None
    run = (await building.log.read(document.id, 1, after=2))[0].payload
    (span,) = scan(run).structs
    again = one(9, 0, typed("Y", after=(span.client, 2), before=(span.client, 1)))
    await building.log.append([Append(document.id, 1, (an_entry(again, principal_id=BEN.id),))])
    replica = await replica_at(building.log, document.id, 1, 4)
    assert replica.text != Replica(78, replica.diff()).text

    assert await snapshotter.take(place, 4, whole=True) is None
    assert told == [3], "not again at once"
    until, pause_s = snapshotter._pauses[place]
    assert 0 < until - loop.time() <= 10 < pause_s

    snapshotter._pauses[place] = loop.time(), pause_s
    assert await snapshotter.take(place, 4, whole=True) is None
    assert told == [3, 5]
    assert snapshotter._pauses[place][1] == 2 * pause_s
    assert len({*await read_anew(building, document)}) == 1


async def test_nobody_makes_a_gap_permanent_by_a_doubt(building: Building) -> None:
    document = await building.document()
    entries = tuple(an_entry(payload) for payload in (ABC, one(9, 0, typed("lost")), one(7, 0, typed("z"))))
    await building.log.append([Append(document.id, 1, entries)])
    async with building.database.write() as connection:
        await connection.execute(delete(updates).where(updates.c.document_id == document.id, updates.c.seq == 2))
    whole = await building.document()
    await building.log.append([Append(whole.id, 1, entries[:1])])
    async with building.registry.hold(document) as room, building.registry.hold(whole) as other:
        assert room.damage is not None

        room.sessions.receive(enter(room, "a viewer", BEN, Role.VIEWER), DOUBT)
        other.sessions.receive(enter(other, "a viewer", BEN, Role.VIEWER), DOUBT)
        await _compacted(building, whole)  # they are looked at one after the other

    assert await building.log.snapshot(document.id, 1) is None


async def test_a_doubt_in_an_empty_document_or_of_a_stock_client_is_none(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        room.sessions.receive(enter(room, "ann"), DOUBT)
        stock = enter(room, "stock")
        stock.is_ours = False
        room.sessions.receive(stock, framed(2, ABC))
        await eventually(lambda: room.seq == 1)
        room.sessions.receive(stock, DOUBT)

        assert building.registry._compactor._doubts == {}
        assert building.registry._compactor._doubted == {}


async def test_who_doubts_a_long_text_is_answered_by_what_was_compared(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        for number in range(6):
            after = (5, number * 50_000 - 1) if number else None
            room.sessions.receive(ann, framed(2, one(5, number * 50_000, typed("q" * 50_000, after=after))))
        await eventually(lambda: room.seq > 0 and room.is_settled)
        newcomer, _ = a_newcomer(room)
        answers = room._exchange.answers
        assert answers._cut is not None

        room.sessions.receive(newcomer, DOUBT)

        assert answers._cut is None
        assert a_newcomer(room)[1].text == room.text
