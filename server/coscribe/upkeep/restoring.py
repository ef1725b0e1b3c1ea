"""Copies a database as it stands, and brings such a copy back."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import CoscribeError, cause_of
from coscribe.storage.accepted import accept
from coscribe.storage.copies import is_empty
from coscribe.storage.copying import copy_sqlite, empty_sqlite, keep, sqlite_file, without_log
from coscribe.storage.engine import Database, driver_faults, opened
from coscribe.storage.replacing import add_principals, fill_principals, replace_document
from coscribe.storage.scratch import scratch_beside
from coscribe.storage.verify import Finding, check_schema, places
from coscribe.upkeep.looking import Looked, counted, findings_of, look_over
from coscribe.upkeep.moving import Move, rows_at


async def copied(url: str, made: Path) -> Looked:
    """Copy a database into a new SQLite file, and look the copy over."""
    source = sqlite_file(url)
    async with opened(url) as database:
        await check_schema(database, url)
        if source is None:
            await _copy_postgres(url, made)
        else:
            await asyncio.to_thread(copy_sqlite, source, made)
    return await look_over(f"sqlite:///{made}")


async def _copy_postgres(url: str, made: Path) -> None:
    copy_url = await asyncio.to_thread(empty_sqlite, made)
    with driver_faults("The database cannot be copied at the moment."):
        async with rows_at(url) as source, rows_at(copy_url) as copy, source.snapshot():
            moved = await Move(source, copy).run()
    if moved.wrong:
        raise CoscribeError(f"The copy is not what the database is: {moved.wrong[0]}.")
    without_log(made)


async def restored(url: str, copy_url: str, folder: Path, known: Set[str]) -> None:
    """Bring a backup, that is up to date, into a database; keep what stands there in `folder` first.

    The damage of the documents in `known` was accepted: it is known where they are brought too. Raises CoscribeError.
    """
    async with opened(url) as target, opened(copy_url) as copy:
        async with target.read() as present:
            into_empty = await is_empty(present)
        if not into_empty:
            await _keep_present(url, folder)
        count, failed = 0, list[Finding]()
        try:
            async with copy.read() as source:
                await _bring_principals(source, target, is_empty=into_empty)
                async for place in places(copy):
                    failed += await _replaced(source, target, place.document_id, is_known=place.document_id in known)
                    count += 1
        except asyncio.CancelledError:  # Ctrl+C: the rest is as it was
            print(f"Interrupted: {counted(count - len(failed), 'document')} restored, others not yet; run it again.")
            raise
    for finding in failed:
        print(finding)
    rest = "the database was empty" if into_empty else "documents that the backup does not have stay"
    print(f"{counted(count - len(failed), 'document')} restored; {rest}.")
    if failed:
        raise CoscribeError(f"{counted(len(failed), 'document')} could not be restored; what stood there stays.")


async def _keep_present(url: str, folder: Path) -> None:
    # With microseconds: of two restores at once, the second must not replace what the first one has kept.
    before = folder / f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.db"
    with scratch_beside(folder / "restore") as scratch:
        looked = await copied(url, scratch / "copy.db")
        keep(scratch / "copy.db", before)
    print(f"What stood there before is in {before}{', damage and all' if looked.findings else ''}.")


async def _bring_principals(source: AsyncConnection, target: Database, *, is_empty: bool) -> None:
    bring = fill_principals if is_empty else add_principals
    try:
        await bring(source, target)
    except (ValueError, TypeError, SQLAlchemyError) as error:
        raise CoscribeError(
            f"The people of the backup cannot be read; nothing was restored: {cause_of(error)}."
        ) from error


async def _replaced(source: AsyncConnection, target: Database, document_id: str, *, is_known: bool) -> list[Finding]:
    try:
        place = await replace_document(source, target, document_id)
        if is_known:  # a row that could not be read is missing now
            await accept(target, await findings_of(target, place))
    except Exception as error:  # noqa: BLE001 - a damaged row of one document, as in _readable
        return [Finding(document_id, f"not restored: {cause_of(error)}")]
    return []
