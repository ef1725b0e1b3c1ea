"""Compaction: closed documents are found by a patrol, live ones as they grow; nothing becomes unreadable by it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from tests.contracts.values import an_entry
from tests.rooms.building import NOBODY, Building, enter, eventually
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import framed, one, typed

from coscribe.core.splices import Splice
from coscribe.errors import PositionGone
from coscribe.model import Append, Document, Place
from coscribe.rooms import compaction
from coscribe.rooms.compaction import Compactor, Tail, Upkeep
from coscribe.rooms.history import replica_at
from coscribe.storage.archive import SqlArchive
from coscribe.storage.tables import documents, segments, snapshots, updates


def letters(client: int, first: int, count: int) -> list[bytes]:
    return [one(client, at, typed("x", after=(client, at - 1) if at else None)) for at in range(first, first + count)]


async def written(building: Building, count: int) -> Document:
    document = await building.document()
    entries = tuple(an_entry(payload, principal_id=ANN.id) for payload in letters(5, 0, count))
    await building.log.append([Append(document.id, 1, entries)])
    return document


async def counts(building: Building, document: Document) -> tuple[int, int, int]:
    """Rows, segments and snapshots of a document."""
    found = []
    async with building.database.read() as connection:
        for table in (updates, segments, snapshots):
            query = select(func.count()).select_from(table).where(table.c.document_id == document.id)
            found.append((await connection.execute(query)).scalar() or 0)
    return found[0], found[1], found[2]


def a_compactor(building: Building, failures: list[tuple[str, Exception]], **archive: Any) -> Compactor:
    upkeep = Upkeep(
        lambda document_id: building.registry.live(document_id) is not None,
        lambda document_id, error: failures.append((document_id, error)),
        NOBODY,
        patrol_every_s=0.0,
    )
    return Compactor(building.log, SqlArchive(building.database, **archive), upkeep)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_PAUSE_S", 0.0)


async def until(done: Any) -> None:
    async with asyncio.timeout(20):
        while not await done():
            pass


async def patrolled(compactor: Compactor, done: Any) -> None:
    compactor.start()
    await until(done)
    await compactor.close()


async def test_closed_documents_with_long_tails_are_compacted(building: Building) -> None:
    failures: list[tuple[str, Exception]] = []
    long, short, live = [await written(building, count) for count in (1300, 20, 300)]
    async with building.registry.hold(live):

        async def done() -> bool:
            return await counts(building, long) == (0, 2, 1)

        await patrolled(a_compactor(building, failures), done)
        assert await counts(building, short) == (20, 0, 0)
        assert await counts(building, live) == (300, 0, 0)
    for seq in (0, 1, 999, 1000, 1001, 1300):
        assert (await replica_at(building.log, long.id, 1, seq)).text == "x" * seq
    assert failures == []


async def test_where_the_server_has_no_time_typing_has_three_quarters_of_it(building: Building) -> None:
    loop = asyncio.get_running_loop()
    parts_s: list[float] = []
    document = await written(building, 2500)

    def is_busy() -> bool:
        parts_s.append(loop.time())
        return True

    upkeep = Upkeep(lambda _: False, lambda _, error: pytest.fail(str(error)), NOBODY, is_busy=is_busy)
    compactor = Compactor(building.log, SqlArchive(building.database), upkeep)
    began = loop.time()
    await compactor._guarded(document.id, compactor._live(Place(document.id, 1), 2500, Tail(0, 2500, 50_000)))
    # Three parts of the log, the state, two segments; the last 500 entries are too few for one.
    assert len(parts_s) == 6
    assert await counts(building, document) == (500, 2, 1)
    # The second part alone takes no longer than the first, which reads the beginning too.
    assert parts_s[1] - parts_s[0] > 2.5 * (parts_s[0] - began)
    assert (await replica_at(building.log, document.id, 1, 1700)).text == "x" * 1700


async def test_a_patrol_works_off_a_few_and_goes_on_where_it_was(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_PATROL_WORK", 2)
    monkeypatch.setattr(compaction, "_PATROL_DOCUMENTS", 4)
    failures: list[tuple[str, Exception]] = []
    found = [await written(building, 260) for _ in range(5)]
    compactor = a_compactor(building, failures)

    await compactor._patrol()
    assert sum([(await counts(building, document))[1] for document in found]) == 2

    async def done() -> bool:
        return all([await counts(building, document) == (0, 1, 1) for document in found])

    await patrolled(compactor, done)
    assert failures == []


async def test_typing_goes_on_while_a_live_document_is_packed(building: Building) -> None:
    document = await written(building, 900)
    async with building.registry.hold(document) as room:
        session = enter(room, "ann")
        for first in range(900, 2400, 500):
            for at in range(first, first + 500):  # in front of one another: what goes on in a turn would be one entry
                room.sessions.receive(session, framed(2, one(5, at, typed("x", before=(5, at - 1)))))
            await eventually(lambda upto=first + 500: room.seq == upto)
        async with asyncio.timeout(20):
            while (await counts(building, document))[1] == 0:
                await room.writers.edit(BEN, lambda _: [Splice(0, 0, "y")])
        assert await room.standing.text_at(700) == "x" * 700
        entries = await building.log.read(document.id, 1, after=0, limit=5000)
        assert [entry.seq for entry in entries] == list(range(1, room.seq + 1))


async def test_no_snapshot_is_taken_of_a_closed_document_with_a_hole(building: Building) -> None:
    failures: list[tuple[str, Exception]] = []
    document = await written(building, 600)
    async with building.database.write() as connection:
        await connection.execute(update(updates).where(updates.c.seq == 300).values(payload=b""))

    async def done() -> bool:
        return await counts(building, document) == (1, 2, 0)

    await patrolled(a_compactor(building, failures), done)
    assert [entry.seq for entry in await building.log.read(document.id, 1, after=298, limit=2)] == [299, 301]
    assert failures == []


async def test_history_that_was_let_go_says_so(building: Building) -> None:
    failures: list[tuple[str, Exception]] = []
    document = await written(building, 1500)
    compactor = a_compactor(building, failures, history_days=1)
    await compactor._patrol()
    async with building.registry.hold(document) as room:
        await room.writers.edit(BEN, lambda _: [Splice(0, 0, "y")])
        await compactor._snapshot(Place(document.id, 1), room.seq)
        # The entries are of a day that is long gone by the clock of a server that runs later.
        async with building.database.write() as connection:
            await connection.execute(update(segments).values(at=datetime(2020, 1, 1, tzinfo=UTC)))
        await compactor._patrol()
        with pytest.raises(PositionGone, match="cannot be read"):
            await room.standing.text_at(700)
        assert await room.standing.text_at(1500) == "x" * 1500
    await building.registry.drop(document.id, code=1001, reason="")
    async with building.registry.hold(document) as room:
        assert (room.text, room.damage) == ("y" + "x" * 1500, None)
    assert failures == []


async def test_a_snapshot_that_fails_is_not_tried_again_with_every_keystroke(building: Building) -> None:
    failures: list[tuple[str, Exception]] = []
    document = await written(building, 1000)
    place, tail = Place(document.id, 1), Tail(0, 1000, 40_000)
    compactor = a_compactor(building, failures)
    building.log.unreadable = True
    await compactor._guarded(document.id, compactor._live(place, 1000, tail))
    assert [document_id for document_id, _ in failures] == [document.id]

    tail.add(1, 40)
    assert not tail.is_due
    building.log.unreadable = False
    tail.add(1000, 40_000)
    assert tail.is_due
    await compactor._guarded(document.id, compactor._live(place, 1000, tail))
    assert (await counts(building, document), len(failures)) == ((0, 1, 1), 1)


# Documents that rest


async def test_a_document_that_rests_gets_its_snapshot_soon(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_REST_S", 0.0)
    document = await written(building, 300)

    async def done() -> bool:
        return await counts(building, document) == (300, 0, 1)

    async with building.registry.hold(document) as room:
        await until(done)
        assert room.text == "x" * 300
    await building.registry.drop(document.id, code=1001, reason="")
    building.log.read_from.clear()
    async with building.registry.hold(document) as room:
        assert (room.text, building.log.read_from) == ("x" * 300, [])


def test_a_short_tail_is_left_to_whoever_opens_the_document() -> None:
    assert not Tail(0, 200, 8_000).is_due_at_rest
    assert Tail(0, 250, 8_000).is_due_at_rest
    assert Tail(0, 1, 200_000).is_due_at_rest
    assert not Tail(400_000, 300, 12_000).is_due_at_rest
    assert Tail(400_000, 400, 12_000).is_due_at_rest
    # 20,000 entries are due even behind a state of 50 MB.
    assert Tail(50_000_000, 20_000, 400_000).is_due_at_rest


async def test_no_snapshot_is_taken_at_rest_as_long_as_somebody_writes(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    compactor, place, tail = a_compactor(building, []), Place("one", 1), Tail(0, 300, 12_000)
    compactor.consider(place, 300, tail)
    tail.add(1, 40)
    compactor.consider(place, 301, tail)
    compactor._look(place)
    assert (list(compactor._timers), compactor._due) == ([place], {})

    monkeypatch.setattr(compaction, "_REST_S", 0.0)
    compactor._look(place)
    assert (compactor._timers, compactor._due) == ({}, {place: (301, tail)})


async def test_what_was_compacted_meanwhile_is_not_compacted_again_at_rest(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_REST_S", 0.0)
    compactor, place, tail = a_compactor(building, []), Place("one", 1), Tail(0, 300, 12_000)
    compactor.consider(place, 300, tail)
    tail.add(-300, -12_000)
    compactor._look(place)
    assert (compactor._timers, compactor._busy, compactor._due) == ({}, {}, {})


async def test_a_document_that_was_replaced_while_it_rested_leaves_no_snapshot_behind(building: Building) -> None:
    document = await written(building, 300)
    compactor = a_compactor(building, [])
    async with building.database.write() as connection:
        await connection.execute(delete(updates).where(updates.c.document_id == document.id))
        await connection.execute(update(documents).where(documents.c.id == document.id).values(generation=2, seq=0))
    await compactor._live(Place(document.id, 1), 300, Tail(0, 300, 12_000))
    assert await counts(building, document) == (0, 0, 0)


async def test_a_compactor_that_is_closed_looks_after_nothing_any_more(building: Building) -> None:
    compactor = a_compactor(building, [])
    compactor.rest(Place("one", 1), 300, Tail(0, 300, 12_000))
    [timer] = compactor._timers.values()
    await compactor.close()
    assert timer.cancelled()
