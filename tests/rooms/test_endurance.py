"""D8: what goes wrong with one document does not end the saving of the others, and is written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from tests.contracts.values import stored
from tests.rooms.building import NOBODY
from tests.support.people import ANN, NOW
from tests.support.wire_bytes import one, typed

from coscribe.model import Append, Appended, Behind, NewEntry, Place, Replaced, Unstored
from coscribe.ports import Meet
from coscribe.rooms.compaction import Compactor, Tail, Upkeep
from coscribe.rooms.recorder import Recorder
from coscribe.storage.archive import SqlArchive
from coscribe.storage.engine import Database
from coscribe.storage.update_log import SqlUpdateLog

_WITHIN_S = 20.0


class Page:
    """What one document has to commit, entry by entry; `follow` is called with the answer to each."""

    def __init__(self, document_id: str, follow: Callable[[Appended], None]) -> None:
        self.document_id = document_id
        self.delays = 0
        self.is_spoiled = False
        self.told = asyncio.Event()
        self._follow = follow
        self._left = 1

    @property
    def has_more(self) -> bool:
        return self.take_append() is not None

    @property
    def is_ready(self) -> bool:
        return self.has_more

    def take_append(self) -> Append | None:
        if not self._left:
            return None
        return Append(self.document_id, 1, (NewEntry(ANN.id, "s", NOW, one(5, 0, typed("a"))),))

    def committed(self, appended: Appended) -> None:
        self._left -= 1
        self.told.set()
        self._follow(appended)

    def lost(self) -> None:
        raise AssertionError("the document is there")

    def replaced(self, generation: int) -> None:
        raise AssertionError("it has one generation")

    def delayed(self, reason: str) -> None:
        self.delays += 1

    def unstored(self, reason: str) -> None:
        self.delays += 1

    def spoiled(self) -> None:
        self._left = 0
        self.is_spoiled = True

    async def is_told(self) -> None:
        async with asyncio.timeout(_WITHIN_S):
            await self.told.wait()


@asynccontextmanager
async def recording(log: SqlUpdateLog) -> AsyncIterator[tuple[Recorder, list[Exception]]]:
    failures: list[Exception] = []
    recorder = Recorder(log, failures.append, lambda *_: None)
    recorder.start()
    yield recorder, failures
    await recorder.close(_WITHIN_S)


def stumble(_: Appended) -> None:
    raise IndexError("a bug")


async def test_a_document_that_cannot_follow_its_commit_stops_no_other(sqlite: Database) -> None:
    bad, good = await stored(sqlite), await stored(sqlite)
    seqs: list[int] = []
    async with recording(SqlUpdateLog(sqlite)) as (recorder, failures):
        stumbling = Page(bad.id, stumble)
        for page in (stumbling, Page(good.id, lambda appended: seqs.append(appended.first_seq))):
            recorder.submit(page)
        await stumbling.is_told()
        later = Page(good.id, lambda appended: seqs.append(appended.first_seq))
        await recorder.settled(good.id)
        recorder.submit(later)
        await later.is_told()
    assert stumbling.is_spoiled
    assert [str(failure) for failure in failures] == ["a bug"]
    assert seqs == [1, 2]


class Stumbling(SqlUpdateLog):
    """The real log, whose first append fails in a way that no database fails."""

    is_first = True

    async def append(
        self, batch: Sequence[Append], meet: Meet | None = None
    ) -> list[Appended | Replaced | Behind | Unstored | None]:
        if self.is_first:
            self.is_first = False
            raise IndexError("a bug")
        return await super().append(batch, meet)


async def test_whatever_the_log_says_the_entries_are_tried_again(sqlite: Database) -> None:
    document = await stored(sqlite)
    seqs: list[int] = []
    async with recording(Stumbling(sqlite)) as (recorder, failures):
        page = Page(document.id, lambda appended: seqs.append(appended.first_seq))
        recorder.submit(page)
        await page.is_told()
    assert (seqs, page.delays) == ([1], 1)
    assert [str(failure) for failure in failures] == ["a bug"]


async def test_one_snapshot_is_taken_of_one_tail(sqlite: Database) -> None:
    document = await stored(sqlite)
    log = SqlUpdateLog(sqlite)
    entries = tuple(NewEntry(ANN.id, "s", NOW, one(5, at, typed("a"))) for at in range(1200))
    await log.append([Append(document.id, 1, entries)])
    failures: list[Exception] = []
    upkeep = Upkeep(lambda _: True, lambda _, error: failures.append(error), NOBODY)
    compactor = Compactor(log, SqlArchive(sqlite), upkeep)
    tail = Tail(0, 1100, 44_000)
    compactor.start()
    compactor.consider(Place(document.id, 1), 1100, tail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    # While that one is being taken, the next commit asks again.
    tail.add(1, 40)
    compactor.consider(Place(document.id, 1), 1101, tail)
    async with asyncio.timeout(_WITHIN_S):
        while tail.snapshot_bytes == 0:
            await stored(sqlite)
    for _ in range(20):
        await stored(sqlite)
    newest = await log.snapshot(document.id, 1)
    await compactor.close()
    assert newest is not None
    assert (newest.seq, tail.entries, failures) == (1100, 1, [])
