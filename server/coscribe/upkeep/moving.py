"""Brings one database to be what another is, a unit of documents at a time, and compares both as they stand then.

What is compared is read back after its commit. Nothing is kept of a run but the rows themselves: the next one sees by
them what is left to do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import Table

from coscribe.storage.copying import sqlite_file
from coscribe.storage.raw_postgres import PostgresRows
from coscribe.storage.raw_rows import (
    OF_DOCUMENTS,
    PEOPLE,
    Digest,
    Digests,
    RawRows,
    Value,
    copy_rows,
    digests,
    key_of,
    names,
    shown,
)
from coscribe.storage.raw_sqlite import SqliteRows
from coscribe.storage.tables import documents
from coscribe.upkeep.looking import PROGRESS_EVERY_S, counted

# So many documents are one transaction, or so many entries as their heads say, or one larger document: a kill loses
# what it had of one.
_DOCUMENTS = 50
_ENTRIES = 20_000
_SEQ_AT = names(documents).index("seq")


@dataclass(slots=True)
class Moved:
    """How far a copy has come, and what came out differently."""

    documents: int = 0
    written: int = 0
    removed: int = 0
    rows: int = 0
    bytes: int = 0
    wrong: list[str] = field(default_factory=list)
    by_table: dict[str, int] = field(default_factory=dict)

    def count(self, found: Digests) -> None:
        """Take in what stands in the target."""
        for (table, _), digest in found.items():
            self.by_table[table] = self.by_table.get(table, 0) + digest.rows
            self.rows += digest.rows
            self.bytes += digest.bytes


@asynccontextmanager
async def rows_at(url: str) -> AsyncIterator[RawRows]:
    """The rows of the database at a URL, which is there; drivers' errors pass as they are."""
    file = sqlite_file(url)
    if file is None:
        async with PostgresRows.opened(url) as rows:
            yield rows
    else:
        with SqliteRows.opened(file) as rows:
            yield rows


class Move:
    """One run: `source` is in its snapshot all the time, `target` in a transaction for each unit."""

    def __init__(self, source: RawRows, target: RawRows) -> None:
        self._source = source
        self._target = target
        self._moved = Moved()
        self._told_at = time.monotonic()

    async def run(self) -> Moved:
        """Remove, copy and compare everything."""
        total = await self._source.count(documents)
        await self._remove_gone()
        await self._settle(PEOPLE, None)
        async for ids in self._units():
            self._moved.written += await self._settle(OF_DOCUMENTS, ids)
            self._moved.documents += len(ids)
            self._tell(total)
        await self._compare_counts()
        return self._moved

    async def _units(self) -> AsyncIterator[list[Value]]:
        """The ids of all documents, so many at a time as are written at once."""
        ids: list[Value] = []
        entries = 0
        async for page in self._source.pages(documents, None):
            for row in page:
                ids += key_of(documents, row)
                seq = row[_SEQ_AT]
                entries += seq if isinstance(seq, int) else 0
                if len(ids) == _DOCUMENTS or entries >= _ENTRIES:
                    yield ids
                    ids, entries = [], 0
        if ids:
            yield ids

    async def _remove_gone(self) -> None:
        """Remove documents that the source has no longer."""
        gone: list[Value] = []
        async with self._target.snapshot():
            async for page in self._target.pages(documents, None):
                ids = [key_of(documents, row)[0] for row in page]
                there = await digests(self._source, (documents,), ids)
                gone += [document_id for document_id in ids if (documents.name, document_id) not in there]
        for at in range(0, len(gone), _DOCUMENTS):
            async with self._target.transaction():
                await self._delete(OF_DOCUMENTS, gone[at : at + _DOCUMENTS])
        self._moved.removed = len(gone)

    async def _settle(self, tables: Sequence[Table], ids: Sequence[Value] | None) -> int:
        """Make rows of the target those of the source, and see that they are; gives how many documents it wrote."""
        found = await self._standing(tables, ids)
        wanted = await digests(self._source, tables, ids) if found else {}
        changed = _differing(wanted, found) if found else list(ids or [None])
        if changed:
            only = None if ids is None else changed
            async with self._target.transaction():
                if found:
                    await self._delete(tables, only)
                copied, refused = await copy_rows(self._source, self._target, tables, only)
            self._moved.wrong += map(str, refused)
            wanted = {key: digest for key, digest in wanted.items() if key[1] not in changed} | copied
            found = await self._standing(tables, ids)
        self._moved.wrong += _differences(wanted, found)
        self._moved.count(found)
        return len(changed)

    async def _standing(self, tables: Sequence[Table], ids: Sequence[Value] | None) -> Digests:
        async with self._target.snapshot():
            return await digests(self._target, tables, ids)

    async def _delete(self, tables: Sequence[Table], ids: Sequence[Value] | None) -> None:
        for table in reversed(tables):
            await self._target.delete(table, ids)

    async def _compare_counts(self) -> None:
        """What belongs to no document is in none of the digests."""
        for table in (*PEOPLE, *OF_DOCUMENTS):
            of_source, of_target = await self._source.count(table), await self._target.count(table)
            compared = self._moved.by_table.get(table.name, 0)
            if not of_source == of_target == compared:
                self._moved.wrong.append(
                    f"{table.name}: the source has {counted(of_source, 'row')}, the target {of_target:,}, of which"
                    f" {compared:,} were compared"
                )

    def _tell(self, total: int) -> None:
        if time.monotonic() - self._told_at >= PROGRESS_EVERY_S:
            self._told_at = time.monotonic()
            done = self._moved.documents
            print(
                f"{done:,} of {counted(total, 'document')} ({done / total:.0%}), {counted(self._moved.rows, 'row')}",
                file=sys.stderr,
            )


def _differing(wanted: Digests, found: Digests) -> list[Value]:
    """The documents of which rows differ."""
    return list(dict.fromkeys(key[1] for key in wanted | found if wanted.get(key) != found.get(key)))


def _differences(wanted: Digests, found: Digests) -> list[str]:
    """Where the target is not what was copied, in words."""
    told = []
    for key in wanted | found:
        here, there = wanted.get(key, Digest()), found.get(key, Digest())
        if here != there:
            of = "" if key[1] is None else f" of document {shown(key[1])}"
            told.append(f"{key[0]}{of}: {here.rows:,} rows were copied, {there.rows:,} stand there, which differ")
    return told
