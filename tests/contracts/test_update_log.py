"""What every UpdateLog does: rules D1 and D2, batches, snapshots."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select, update
from tests.contracts.values import NOW, after, an_activity, an_entry, stored

from coscribe.model import Append, Appended, Behind, Damage, Entry, Place, Replaced, RowKind, Snapshot, Unstored
from coscribe.ports import UpdateLog
from coscribe.storage.activities import SqlActivities
from coscribe.storage.checksums import checksum
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.quarantine import Quarantine
from coscribe.storage.tables import documents, quarantine, snapshots, updates
from coscribe.storage.update_log import SqlUpdateLog


@pytest.fixture
def log(database: Database) -> UpdateLog:
    return SqlUpdateLog(database)


def append_of(document_id: str, *payloads: bytes) -> Append:
    return Append(document_id, 1, tuple(an_entry(payload) for payload in payloads))


async def test_d1_seq_starts_at_1_and_has_no_gaps(log: UpdateLog, database: Database) -> None:
    document = await stored(database)

    [first] = await log.append([append_of(document.id, b"a", b"b")])
    [second] = await log.append([append_of(document.id, b"c")])

    assert first is not None
    assert second is not None
    assert (first.first_seq, second.first_seq) == (1, 3)
    entries = await log.read(document.id, 1, after=0)
    assert [(entry.seq, entry.payload) for entry in entries] == [(1, b"a"), (2, b"b"), (3, b"c")]


async def test_d2_an_entry_keeps_bytes_author_session_and_time(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    every_byte = bytes(range(256))
    entry = an_entry(every_byte, principal_id="né", session_id="s9", at=after(0.000001))

    await log.append([Append(document.id, 1, (entry,))])

    assert await log.read(document.id, 1, after=0) == [Entry(1, "né", "s9", after(0.000001), every_byte)]


async def test_each_of_many_entries_keeps_its_own_author_session_and_time(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    by = [(who, session, after(late)) for who in ("ann", "né") for session in ("s1", "s2") for late in (0, 0.000001)]
    given = [
        an_entry(b"%d" % at, principal_id=who, session_id=session, at=when)
        for at, (who, session, when) in enumerate(by)
    ]

    await log.append([Append(document.id, 1, tuple(given))])

    assert [entry[1:] for entry in await log.read(document.id, 1, after=0)] == [tuple(entry) for entry in given]


async def test_a_batch_is_answered_in_its_own_order(log: UpdateLog, database: Database) -> None:
    ids = sorted([(await stored(database)).id for _ in range(4)], reverse=True)
    await log.append([append_of(ids[1], b"x", b"y")])

    answers = await log.append([append_of(document_id, b"z") for document_id in ids])

    assert [answer and answer.first_seq for answer in answers] == [1, 3, 1, 1]


async def test_a_document_that_is_gone_or_of_another_generation_gets_nothing(
    log: UpdateLog, database: Database
) -> None:
    here, other = await stored(database), await stored(database, generation=2)
    full = replace(append_of("gone", b"a"), client_ids=((7, "owner"),), activities=(an_activity(),))

    answers = await log.append([full, replace(full, document_id=other.id), append_of(here.id, b"b")])

    assert answers == [None, Replaced(2), Appended(1)]
    for document_id in ("gone", other.id):
        assert await log.read(document_id, 1, after=0) == []
        assert await log.client_ids(document_id, 1) == {}
    unchanged = await SqlDocuments(database).get(other.id)
    assert unchanged is not None
    assert unchanged.seq == 0


async def test_the_document_follows_its_last_entry(log: UpdateLog, database: Database) -> None:
    document = await stored(database)

    await log.append([Append(document.id, 1, (an_entry(at=after(5)), an_entry(at=after(7))))])

    changed = await SqlDocuments(database).get(document.id)
    assert changed == replace(document, seq=2, updated_at=after(7))


async def test_an_append_without_entries_takes_no_seq(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    await log.append([append_of(document.id, b"a")])

    [answer] = await log.append([Append(document.id, 1, (), ((5, "owner"),), (an_activity(),))])

    assert answer is not None
    assert answer.first_seq == 2
    assert [activity.seq for activity in answer.activities] == [1]
    assert await log.client_ids(document.id, 1) == {5: "owner"}
    unchanged = await SqlDocuments(database).get(document.id)
    assert unchanged is not None
    assert (unchanged.seq, unchanged.updated_at) == (1, NOW)


async def test_activities_are_committed_with_their_append(log: UpdateLog, database: Database) -> None:
    one, two = await stored(database), await stored(database)
    edits = (an_activity(data={"words": 2}), an_activity(name="Heron", at=after(1)))

    answers = await log.append([Append(document.id, 1, (an_entry(), an_entry()), (), edits) for document in (one, two)])

    for document, answer in zip((one, two), answers, strict=True):
        assert answer is not None
        assert [(told.seq, told.name, told.data) for told in answer.activities] == [
            (2, "Otter", {"words": 2}),
            (2, "Heron", {}),
        ]
        ids = [told.id for told in answer.activities]
        assert ids == sorted(set(ids))
        told = await SqlActivities(database).of_document(document.id, after=0, after_seq=0)
        assert tuple(told) == answer.activities


async def test_d10_a_client_id_keeps_its_first_owner(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    largest = 2**53 - 1

    await log.append([Append(document.id, 1, (), ((largest, "ann"), (2, "bob")))])
    await log.append([Append(document.id, 1, (), ((2, "eve"), (3, "eve")))])

    assert await log.client_ids(document.id, 1) == {largest: "ann", 2: "bob", 3: "eve"}
    assert await log.client_ids(document.id, 2) == {}


async def test_reading_is_bounded_on_both_sides_and_by_count(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    await log.append([append_of(document.id, *(b"%d" % number for number in range(1, 11)))])

    async def seqs(after: int, upto: int | None = None, limit: int = 1000) -> list[int]:
        return [e.seq for e in await log.read(document.id, 1, after=after, upto=upto, limit=limit)]

    assert await seqs(7) == [8, 9, 10]
    assert await seqs(2, upto=4) == [3, 4]
    assert await seqs(0, limit=3) == [1, 2, 3]
    assert await seqs(10) == []
    assert await seqs(99, upto=100) == []


async def test_a_batch_names_a_document_once(log: UpdateLog) -> None:
    with pytest.raises(ValueError, match="at most one"):
        await log.append([append_of("same", b"a"), append_of("same", b"b")])


async def test_an_empty_batch_is_fine(log: UpdateLog) -> None:
    assert await log.append([]) == []


async def test_d1_appends_at_once_take_turns(log: UpdateLog, database: Database, database_url: str) -> None:
    """Two processes' worth of writers, batches of the same documents in opposite orders."""
    one, two = await stored(database), await stored(database)
    other = Database.open(database_url)
    logs = (log, SqlUpdateLog(other))

    async def write(number: int) -> list[int]:
        batch = [append_of(document.id, b"%d" % number, b"!") for document in (one, two)]
        answers = await logs[number % 2].append(batch[:: 1 if number % 4 < 2 else -1])
        return [answer.first_seq for answer in answers if answer]

    firsts = await asyncio.gather(*(write(number) for number in range(20)))
    await other.close()

    # Both documents' rows are held together, so their seqs run in step.
    assert sorted(firsts) == [[seq, seq] for seq in range(1, 41, 2)]
    for document in (one, two):
        entries = await log.read(document.id, 1, after=0)
        assert [entry.seq for entry in entries] == list(range(1, 41))
        assert {entry.payload for entry in entries[1::2]} == {b"!"}


async def test_d1_what_came_too_late_is_not_stored_and_holds_up_no_other(log: UpdateLog, database: Database) -> None:
    late, well = await stored(database), await stored(database)
    await log.append([append_of(late.id, b"a")])

    batch = [replace(append_of(late.id, b"b"), after=0), replace(append_of(well.id, b"c"), after=0)]

    assert await log.append(batch) == [Behind(1), Appended(1)]
    assert [entry.payload for entry in await log.read(late.id, 1, after=0)] == [b"a"]
    assert await log.append([replace(append_of(late.id, b"b"), after=1)]) == [Appended(2)]


async def test_a_transaction_that_is_broken_off_leaves_nothing(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    underway = asyncio.Event()

    async def hang() -> None:
        async with database.write() as connection:
            await connection.execute(update(documents).values(seq=100))
            underway.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await underway.wait()
    # Nobody sees what is not committed.
    unchanged = await SqlDocuments(database).get(document.id)
    assert unchanged == document
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    [answer] = await log.append([append_of(document.id, b"a")])
    assert answer is not None
    assert answer.first_seq == 1


async def test_d8_a_document_that_cannot_be_stored_holds_up_no_other(log: UpdateLog, database: Database) -> None:
    one, two, three = [await stored(database) for _ in range(3)]
    bad = Append(two.id, 1, (an_entry(b"a"), an_entry(session_id="\0")))

    answers = await log.append([append_of(one.id, b"a"), bad, append_of(three.id, b"c")])

    assert answers == [Appended(1), Unstored("A NUL character cannot be stored"), Appended(1)]
    assert await log.read(two.id, 1, after=0) == []
    assert await SqlDocuments(database).get(two.id) == two
    assert [entry.payload for entry in await log.read(three.id, 1, after=0)] == [b"c"]


async def test_entries_beyond_the_documents_seq_are_not_overwritten(log: UpdateLog, database: Database) -> None:
    document, other = await stored(database), await stored(database)
    await log.append([append_of(document.id, b"kept")])
    async with database.write() as connection:
        await connection.execute(update(documents).values(seq=0))

    refused, taken = await log.append([append_of(document.id, b"new"), append_of(other.id, b"else")])

    assert isinstance(refused, Unstored)
    assert taken == Appended(1)
    assert [entry.payload for entry in await log.read(document.id, 1, after=0)] == [b"kept"]


async def test_a_damaged_entry_is_left_out_and_set_aside(database: Database) -> None:
    told: list[Damage] = []
    log = SqlUpdateLog(database, Quarantine(database, told.append))
    document = await stored(database)
    await log.append([append_of(document.id, b"abc", b"def", b"ghi")])
    async with database.write() as connection:
        await connection.execute(update(updates).where(updates.c.seq == 2).values(payload=b"deg"))

    for _ in range(2):
        entries = await log.read(document.id, 1, after=0)
        assert [(entry.seq, entry.payload) for entry in entries] == [(1, b"abc"), (3, b"ghi")]

    assert told == [Damage(Place(document.id, 1), RowKind.ENTRY, 2, "its checksum does not fit")]
    async with database.read() as connection:
        [row] = (await connection.execute(select(quarantine))).all()
        assert (row.what, row.seq, row.payload, row.columns["session_id"]) == ("entry", 2, b"deg", "session")
        assert (await connection.execute(select(updates.c.payload).where(updates.c.seq == 2))).scalar() == b"deg"


@pytest.mark.parametrize("seq", [1, 2])
async def test_a_row_of_another_place_is_found_out(log: UpdateLog, database: Database, seq: int) -> None:
    document, other = await stored(database), await stored(database)
    await log.append([append_of(document.id, b"abc", b"def"), append_of(other.id, b"ABC", b"DEF")])
    async with database.write() as connection:
        foreign = (
            await connection.execute(select(updates).where(updates.c.document_id == other.id, updates.c.seq == seq))
        ).one()
        here = updates.c.document_id == document.id, updates.c.seq == 2
        await connection.execute(
            update(updates).where(*here).values(payload=foreign.payload, checksum=foreign.checksum)
        )

    assert [entry.seq for entry in await log.read(document.id, 1, after=0)] == [1]


async def test_rows_of_the_first_schema_are_read(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    await log.append([append_of(document.id, b"abc")])
    async with database.write() as connection:
        await connection.execute(update(updates).values(checksum=checksum(b"abc")))

    assert [entry.payload for entry in await log.read(document.id, 1, after=0)] == [b"abc"]


def a_snapshot(document_id: str, seq: int, state: bytes = b"state", generation: int = 1) -> Snapshot:
    return Snapshot(document_id, generation, seq, "yjs-v1", "yrs 0.28", state)


async def test_the_newest_snapshot_up_to_a_seq(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    assert await log.snapshot(document.id, 1) is None
    for seq in (10, 30, 20):
        await log.store_snapshot(a_snapshot(document.id, seq, b"%d" % seq))
    await log.store_snapshot(a_snapshot(document.id, 99, generation=2))

    async def seq_of(upto: int | None) -> int | None:
        found = await log.snapshot(document.id, 1, upto=upto)
        return found.seq if found else None

    assert await log.snapshot(document.id, 1) == a_snapshot(document.id, 30, b"30")
    assert [await seq_of(upto) for upto in (9, 10, 29, 30, None)] == [None, 10, 20, 30, 30]


async def test_storing_a_snapshot_again_changes_nothing(log: UpdateLog, database: Database) -> None:
    document = await stored(database)

    await log.store_snapshot(a_snapshot(document.id, 1, b"first"))
    await log.store_snapshot(a_snapshot(document.id, 1, b"second"))

    assert await log.snapshot(document.id, 1) == a_snapshot(document.id, 1, b"first")


async def test_damaged_snapshots_are_passed_over(log: UpdateLog, database: Database) -> None:
    document = await stored(database)
    for seq in (1, 2, 3):
        await log.store_snapshot(a_snapshot(document.id, seq))
    async with database.write() as connection:
        await connection.execute(update(snapshots).where(snapshots.c.seq > 1).values(state=b""))

    assert await log.snapshot(document.id, 1) == a_snapshot(document.id, 1)
    async with database.write() as connection:
        await connection.execute(update(snapshots).values(checksum=b"12345678"))
    assert await log.snapshot(document.id, 1) is None


async def test_a_document_that_is_gone_keeps_no_snapshot(log: UpdateLog) -> None:
    await log.store_snapshot(a_snapshot("gone", 1))

    assert await log.snapshot("gone", 1) is None


async def test_rows_of_megabytes(log: UpdateLog, database: Database) -> None:
    """A row much larger than a page goes in and out whole."""
    document = await stored(database)
    large = bytes(range(256)) * 4096 * 5

    await log.append([append_of(document.id, large)])
    await log.store_snapshot(a_snapshot(document.id, 1, large))

    [entry] = await log.read(document.id, 1, after=0)
    found = await log.snapshot(document.id, 1)
    assert found is not None
    assert entry.payload == found.state == large
