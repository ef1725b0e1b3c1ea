"""What an operator does with a database beside a running server: verify it, back it up, restore from a backup."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.app import data_dir, database_url
from coscribe.config import Settings
from coscribe.errors import CoscribeError, Unavailable, cause_of
from coscribe.model import Place
from coscribe.rooms.proving import replay_findings
from coscribe.storage.copying import copy_postgres, copy_sqlite, keep, sqlite_file
from coscribe.storage.engine import Database
from coscribe.storage.migrate import upgrade
from coscribe.storage.quarantine import Quarantine
from coscribe.storage.replacing import add_principals, fill_principals, replace_document
from coscribe.storage.tables import documents, principals
from coscribe.storage.update_log import SqlUpdateLog
from coscribe.storage.verify import Finding, check_schema, document_findings, places, whole_findings

# A long run says how far it has come, on standard error.
_PROGRESS_EVERY_S = 5.0


def verify(settings: Settings, document_id: str | None) -> None:
    """Verify a database, or one document of it, and print each finding on a line. Raises CoscribeError when any."""
    url = database_url(settings)
    count, findings = asyncio.run(_verified(url, document_id))
    for finding in findings:
        print(finding)
    if findings:
        raise CoscribeError(f"{_counted(count, 'document')} verified, {_counted(len(findings), 'finding')}.")
    print(f"{_counted(count, 'document')} verified, nothing is wrong.")


def backup(settings: Settings, file: Path) -> None:
    """Write a consistent copy of the database, verified, into one SQLite file. Raises CoscribeError.

    The file is replaced only by a whole one, and never by a damaged one: that is kept beside it.
    """
    url = database_url(settings)
    _require_other(file, url)
    with _folder_beside(file) as folder:
        made = folder / "copy.db"
        count, findings = asyncio.run(_copied(url, made))
        if findings and file.exists():
            file = file.with_name(f"{file.name}.damaged")
        keep(made, file)
    for finding in findings:
        print(finding)
    if findings:
        damaged = f"{_counted(len(findings), 'thing')} {'is' if len(findings) == 1 else 'are'} damaged"
        raise CoscribeError(f"{file} holds what the database holds, and in that {damaged}.")
    print(f"{file}: {_counted(count, 'document')}, verified.")


def _require_other(file: Path, url: str) -> None:
    """Raise CoscribeError where the database itself is named as its backup: what is typed meanwhile would be lost."""
    source = sqlite_file(url)
    if source is not None and source.exists() and file.exists() and file.samefile(source):
        raise CoscribeError(f"{file} is the database itself; name another file.")


def restore(settings: Settings, file: Path, *, damaged: bool = False) -> None:
    """Bring back what a backup holds, beside a running server too; with `damaged` what can be read of a damaged one.

    Raises CoscribeError.
    """
    if not file.is_file():
        raise CoscribeError(f"There is no backup at {file}.")
    _require_other(file, database_url(settings))
    folder = data_dir(settings)
    with tempfile.TemporaryDirectory(prefix="restore-", dir=folder) as scratch:
        copy = Path(scratch) / "copy.db"
        copy_sqlite(file, copy)
        _check_copy(copy, file, damaged=damaged)
        url = database_url(settings)
        upgrade(url)
        asyncio.run(_restored(url, f"sqlite:///{copy}", folder))


def _check_copy(copy: Path, file: Path, *, damaged: bool) -> None:
    """Raise CoscribeError for a backup that is damaged or none; an old one is brought up to date, as a copy."""
    url = f"sqlite:///{copy}"
    asyncio.run(_check_origin(url))
    upgrade(url)
    _, findings = asyncio.run(_verified(url, None))
    for finding in findings:
        print(finding)
    if findings and not damaged:
        raise CoscribeError(f"{file} is damaged; nothing was restored. What can be read of it comes with --damaged.")


async def _check_origin(url: str) -> None:
    async with _opened(url) as database:
        await check_schema(database, url, older=True)


async def _verified(url: str, document_id: str | None) -> tuple[int, list[Finding]]:
    """How many documents were looked at, and what is wrong."""
    async with _opened(url) as database:
        await check_schema(database, url)
        log = SqlUpdateLog(database, Quarantine(database, lambda _: None, copies=False))
        findings = await _readable(None, _of_whole(database))
        count, told_at = 0, time.monotonic()
        try:
            async for place in places(database):
                if document_id not in (None, place.document_id):
                    continue
                findings += await _readable(place.document_id, _of_document(database, log, place))
                count += 1
                if time.monotonic() - told_at >= _PROGRESS_EVERY_S:
                    told_at = time.monotonic()
                    print(f"{_counted(count, 'document')} verified so far", file=sys.stderr)
        except Unavailable as error:
            findings.append(Finding(None, f"its documents cannot be listed: {cause_of(error)}"))
    if document_id is not None and not count:
        raise CoscribeError(f"There is no document {document_id}.")
    return count, findings


async def _readable(document_id: str | None, looking: Awaitable[list[Finding]]) -> list[Finding]:
    """What was found; where not even looking is possible, that: all others are to be looked at, and to be backed up."""
    try:
        return await looking
    except Exception as error:  # noqa: BLE001 - a torn page or a time that is none; each driver has its own
        return [Finding(document_id, f"it cannot be read: {cause_of(error)}")]


async def _of_whole(database: Database) -> list[Finding]:
    return [finding async for finding in whole_findings(database)]


async def _of_document(database: Database, log: SqlUpdateLog, place: Place) -> list[Finding]:
    found = await document_findings(database, place.document_id)
    replayed = [Finding(place.document_id, reason) async for reason in replay_findings(log, place)]
    return found + [finding for finding in replayed if finding not in found]


async def _copied(url: str, made: Path) -> tuple[int, list[Finding]]:
    """Copy a database into a new SQLite file, and verify the copy."""
    source = sqlite_file(url)
    async with _opened(url) as database:
        await check_schema(database, url)
        if source is None:
            await copy_postgres(database, made)
        else:
            await asyncio.to_thread(copy_sqlite, source, made)
    return await _verified(f"sqlite:///{made}", None)


async def _restored(url: str, copy_url: str, folder: Path) -> None:
    async with _opened(url) as target, _opened(copy_url) as copy:
        is_empty = await _is_empty(target)
        if not is_empty:
            await _keep_present(url, folder)
        count, failed = 0, list[Finding]()
        async with copy.read() as source:
            await _bring_principals(source, target, is_empty=is_empty)
            async for place in places(copy):
                failed += await _replaced(source, target, place.document_id)
                count += 1
    for finding in failed:
        print(finding)
    rest = "the database was empty" if is_empty else "documents that the backup does not have stay"
    print(f"{_counted(count - len(failed), 'document')} restored; {rest}.")
    if failed:
        raise CoscribeError(f"{_counted(len(failed), 'document')} could not be restored; what stood there stays.")


async def _keep_present(url: str, folder: Path) -> None:
    before = folder / f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}.db"
    with _folder_beside(before) as scratch:
        _, findings = await _copied(url, scratch / "copy.db")
        keep(scratch / "copy.db", before)
    print(f"What stood there before is in {before}{', damage and all' if findings else ''}.")


async def _bring_principals(source: AsyncConnection, target: Database, *, is_empty: bool) -> None:
    bring = fill_principals if is_empty else add_principals
    try:
        await bring(source, target)
    except (ValueError, TypeError, SQLAlchemyError) as error:
        raise CoscribeError(
            f"The people of the backup cannot be read; nothing was restored: {cause_of(error)}."
        ) from error


async def _replaced(source: AsyncConnection, target: Database, document_id: str) -> list[Finding]:
    try:
        await replace_document(source, target, document_id)
    except Exception as error:  # noqa: BLE001 - a damaged row of one document, as in _readable
        return [Finding(document_id, f"not restored: {cause_of(error)}")]
    return []


async def _is_empty(database: Database) -> bool:
    async with database.read() as connection:
        counts = [
            (await connection.execute(select(func.count()).select_from(of))).scalar() for of in (documents, principals)
        ]
    return not any(counts)


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database.open(url)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def _folder_beside(file: Path) -> Iterator[Path]:
    """A folder on the same disk as a file that is to be made, for nobody else; it goes with all that is left in it."""
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{file.name}.", dir=file.absolute().parent))
    except OSError as error:
        raise CoscribeError(f"{file} cannot be written: {error.strerror}.") from error
    try:
        os.chmod(made, 0o700)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
