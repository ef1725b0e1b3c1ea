"""What every Archive does: heads mended, entries packed, snapshots thinned, history let go."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update
from tests.contracts.values import NOW, after, an_entry, stored

from coscribe.errors import PositionGone
from coscribe.model import Append, Appended, Backlog, Damage, Document, Entry, Place, RowKind, Snapshot
from coscribe.storage import update_log
from coscribe.storage.archive import SqlArchive
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.quarantine import Quarantine
from coscribe.storage.tables import documents, quarantine, segments, snapshots, updates
from coscribe.storage.update_log import SqlUpdateLog


async def with_entries(database: Database, count: int) -> Document:
    """A document whose entries differ in all columns."""
    document = await stored(database)
    entries = tuple(
        an_entry(b"%d" % at * (at % 7), principal_id=f"p{at % 3}é", session_id=f"s{at % 5}", at=after(at * 0.25))
        for at in range(1, count + 1)
    )
    await SqlUpdateLog(database).append([Append(document.id, 1, entries)])
    return document


async def rows_of(database: Database, document: Document) -> tuple[int, int]:
    """How many entries are rows, and how many segments there are."""
    counts = []
    async with database.read() as connection:
        for table in (updates, segments):
            query = select(func.count()).select_from(table).where(table.c.document_id == document.id)
            counts.append((await connection.execute(query)).scalar() or 0)
    return counts[0], counts[1]


def snapshot(document: Document, seq: int) -> Snapshot:
    return Snapshot(document.id, 1, seq, "yjs-v1", "yrs", b"state %d" % seq)


async def test_what_is_packed_reads_as_before(database: Database) -> None:
    document = await with_entries(database, 2500)
    log, archive, place = SqlUpdateLog(database), SqlArchive(database), Place(document.id, 1)
    before = await log.read(document.id, 1, after=0, limit=5000)

    packed = [await archive.pack(place, upto=2300, least=1000) for _ in range(3)]

    assert packed == [1000, 1000, 0]
    assert await rows_of(database, document) == (500, 2)
    assert await log.read(document.id, 1, after=0, limit=5000) == before
    for low, upto, limit in (
        (0, None, 3),
        (998, None, 5),
        (999, 1001, 9),
        (1500, 2100, 1000),
        (2499, None, 9),
        (5, 5, 9),
    ):
        expected = [entry for entry in before if entry.seq > low and (upto is None or entry.seq <= upto)][:limit]
        assert await log.read(document.id, 1, after=low, upto=upto, limit=limit) == expected
    assert await archive.pack(place, upto=2500, least=300) == 500
    assert await log.read(document.id, 1, after=0, limit=5000) == before
    await log.append([Append(document.id, 1, (an_entry(b"new"),))])
    assert [entry.seq for entry in await log.read(document.id, 1, after=2499)] == [2500, 2501]


async def test_damaged_and_very_large_entries_stay_rows(database: Database) -> None:
    document = await with_entries(database, 10)
    log, archive, place = SqlUpdateLog(database), SqlArchive(database), Place(document.id, 1)
    await log.append([Append(document.id, 1, (an_entry(b"x" * 9_000_000), an_entry(b"y"), an_entry(b"z")))])
    async with database.write() as connection:
        await connection.execute(update(updates).where(updates.c.seq.in_([1, 5])).values(payload=b"bad"))

    packed = [await archive.pack(place, upto=13, least=2) for _ in range(4)]

    assert packed == [3, 5, 2, 0]
    assert await rows_of(database, document) == (3, 3)
    assert [entry.seq for entry in await log.read(document.id, 1, after=0)] == [2, 3, 4, *range(6, 14)]


async def test_large_entries_are_read_a_few_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_log, "_READ_BYTES", 1000)
    document = await stored(database)
    log, archive, place = SqlUpdateLog(database), SqlArchive(database), Place(document.id, 1)
    sizes = [400] * 8 + [5000] + [400] * 3
    await log.append([Append(document.id, 1, tuple(an_entry(b"x" * size) for size in sizes))])

    async with database.read() as connection:
        assert [row.seq for row in await update_log.next_rows(connection, place, (0, None), 100)] == [1, 2]
        assert [row.seq for row in await update_log.next_rows(connection, place, (8, None), 100)] == [9]
        assert [row.seq for row in await update_log.next_rows(connection, place, (9, 11), 100)] == [10, 11]
        assert await update_log.next_rows(connection, place, (12, None), 100) == []
    assert [entry.seq for entry in await log.read(document.id, 1, after=0)] == [1, 2, 3, 4]
    assert await archive.pack(place, upto=12, least=12) == 12


@pytest.mark.parametrize(
    "harm",
    [
        {"payload": b""},
        {"payload": b"\x28\xb5\x2f\xfd" + b"\xff" * 40},
        {"first_seq": 2},
        {"codec": "other"},
        {"checksum": b""},
    ],
    ids=["empty", "foreign", "first", "codec", "checksum"],
)
async def test_a_damaged_segment_is_left_out_and_set_aside(database: Database, harm: dict[str, object]) -> None:
    told: list[Damage] = []
    document, other = await with_entries(database, 30), await with_entries(database, 30)
    log = SqlUpdateLog(database, Quarantine(database, told.append))
    for one in (document, other):
        await SqlArchive(database).pack(Place(one.id, 1), upto=20, least=20)
    async with database.write() as connection:
        await connection.execute(update(segments).where(segments.c.document_id == document.id).values(harm))

    assert [entry.seq for entry in await log.read(document.id, 1, after=0)] == list(range(21, 31))

    assert [(damage.what, damage.seq) for damage in told] == [(RowKind.SEGMENT, 20)]
    async with database.read() as connection:
        assert (await connection.execute(select(quarantine.c.document_id))).scalars().all() == [document.id]
    assert len(await log.read(other.id, 1, after=0)) == 30


async def test_a_foreign_segment_is_found_out(database: Database) -> None:
    document, other = await with_entries(database, 20), await with_entries(database, 20)
    for one in (document, other):
        await SqlArchive(database).pack(Place(one.id, 1), upto=20, least=20)
    async with database.write() as connection:
        foreign = (await connection.execute(select(segments).where(segments.c.document_id == other.id))).one()
        await connection.execute(
            update(segments)
            .where(segments.c.document_id == document.id)
            .values(payload=foreign.payload, checksum=foreign.checksum)
        )

    assert await SqlUpdateLog(database).read(document.id, 1, after=0) == []


async def test_a_document_that_is_replaced_while_it_is_packed_keeps_its_rows(database: Database) -> None:
    document = await with_entries(database, 20)
    archive = SqlArchive(database)
    run, _ = await archive._oldest_run(Place(document.id, 1), 20)
    assert len(run) == 20
    await SqlDocuments(database).purge(document.id)

    assert await archive.pack(Place(document.id, 1), upto=20, least=1) == 0


async def test_old_snapshots_are_thinned_and_the_newest_two_good_ones_stay(database: Database) -> None:
    document = await stored(database)
    log, place = SqlUpdateLog(database), Place(document.id, 1)
    for seq in (10, 90, 100, 150, 200, 290, 300):
        await log.store_snapshot(snapshot(document, seq))
    async with database.write() as connection:
        await connection.execute(update(snapshots).where(snapshots.c.seq == 290).values(checksum=b""))

    assert await SqlArchive(database).thin(place, apart=100) == 3

    async with database.read() as connection:
        left = (await connection.execute(select(snapshots.c.seq).order_by(snapshots.c.seq))).scalars().all()
    assert left == [100, 200, 290, 300]


async def test_history_is_let_go_only_behind_two_good_snapshots(database: Database) -> None:
    document = await with_entries(database, 4000)  # one entry each quarter of a second
    log, place = SqlUpdateLog(database), Place(document.id, 1)
    archive = SqlArchive(database, history_days=1, now=lambda: NOW + timedelta(days=1, seconds=600))
    while await archive.pack(place, upto=4000, least=1000):
        pass
    assert await archive.let_go(place) == 0
    await log.store_snapshot(snapshot(document, 3500))
    assert await archive.let_go(place) == 0
    await log.store_snapshot(snapshot(document, 4000))

    assert await archive.let_go(place) == 2

    assert await archive.let_go(place) == 0
    with pytest.raises(PositionGone) as gone:
        await log.read(document.id, 1, after=1999)
    assert gone.value.upto == 2000
    assert [entry.seq for entry in await log.read(document.id, 1, after=2000, limit=2)] == [2001, 2002]
    assert await SqlArchive(database).let_go(place) == 0


async def test_d1_a_head_that_fell_back_is_brought_up_to_its_log(database: Database) -> None:
    document = await with_entries(database, 30)
    archive = SqlArchive(database)
    await archive.pack(Place(document.id, 1), upto=30, least=30)
    assert await archive.mend_head(document.id) is None
    for wrong in (3, 2**40):
        async with database.write() as connection:
            await connection.execute(update(documents).values(seq=wrong))
        assert await archive.mend_head(document.id) == f"The document stood at {wrong} and its log at 30."
        found = await SqlDocuments(database).get(document.id)
        assert found is not None
        assert found.seq == 30


async def test_d1_numbers_that_were_told_are_not_given_out_again(database: Database) -> None:
    document = await with_entries(database, 30)
    async with database.write() as connection:
        await connection.execute(delete(updates).where(updates.c.seq > 25))

    assert await SqlArchive(database).mend_head(document.id) == "The document stood at 30 and its log at 25."
    [answer] = await SqlUpdateLog(database).append([Append(document.id, 1, (an_entry(b"new"),))])
    assert answer == Appended(31)


async def test_the_backlog_tells_how_far_upkeep_has_come(database: Database) -> None:
    one, two = sorted([await with_entries(database, 30), await with_entries(database, 5)], key=lambda found: found.id)
    await SqlArchive(database).pack(Place(one.id, 1), upto=4, least=1)
    await SqlUpdateLog(database).store_snapshot(snapshot(two, 3))
    archive = SqlArchive(database)

    [first] = await archive.backlog(after_id="", limit=1)
    assert first in (Backlog(Place(one.id, 1), 30, 4, 0), Backlog(Place(one.id, 1), 5, 4, 0))
    [second] = await archive.backlog(after_id=one.id, limit=5)
    assert (second.place.document_id, second.packed, second.snapshot_seq) == (two.id, 0, 3)
    assert await archive.backlog(after_id=two.id, limit=5) == []


async def test_every_column_of_an_entry_is_under_its_checksum(database: Database) -> None:
    document = await with_entries(database, 6)
    async with database.write() as connection:
        for seq, harm in enumerate(
            (
                {"principal_id": "other"},
                {"session_id": "other"},
                {"at": after(1)},
                {"payload": b"x"},
                {"checksum": b"\2"},
            ),
            1,
        ):
            await connection.execute(update(updates).where(updates.c.seq == seq).values(harm))

    found = await SqlUpdateLog(database).read(document.id, 1, after=0)
    assert [entry.seq for entry in found] == [6]
    assert isinstance(found[0], Entry)
