"""The command copy: a database becomes exactly what another one is, of whatever kind either is."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path

from coscribe.app import DATABASE_FILE
from coscribe.errors import CoscribeError
from coscribe.storage.activities import last_activity, number_activities_above
from coscribe.storage.copies import address_of, begin_copy, check_source, check_target, finish_copy
from coscribe.storage.copying import sqlite_file
from coscribe.storage.engine import driver_faults, opened
from coscribe.storage.folder_lock import folder_held
from coscribe.storage.migrate import upgrade
from coscribe.storage.raw_rows import RawRows
from coscribe.upkeep.looking import counted
from coscribe.upkeep.moving import Move, Moved, rows_at

# PostgreSQL takes a moment to see that a process was killed.
_PATIENCE_S = 5.0
_FAULT = "A database fails; what was copied stays, and the same command goes on from there."


def copy(source: str, target: str) -> None:
    """Copy a database to another place, each a URL, a SQLite file or a data directory; print how it went.

    What an earlier run has brought and what is the same still stays. Raises CoscribeError.
    """
    source_url, target_url = database_at(source), database_at(target)
    begun = time.monotonic()
    with driver_faults(_FAULT), _held(source_url, target_url) as is_held:
        moved, is_finished = asyncio.run(_copied(source_url, target_url, is_quiet=is_held))
    _tell(moved, time.monotonic() - begun)
    if moved.wrong:
        raise CoscribeError(f"{counted(len(moved.wrong), 'difference')}; the copy is unfinished.")
    if is_finished:
        print("The copy is finished and may be served.")
    else:
        print("The source is in use: stop its servers and run the same command again, which then finishes the copy.")


def database_at(place: str) -> str:
    """The URL of a place, which may be a SQLite file's path or a data directory's."""
    if "://" in place:
        return place
    path = Path(place).absolute()
    # What cannot be looked at is told by whoever opens or makes it; a Path's own methods would raise here.
    is_folder = os.path.isdir(path) or (not os.path.exists(path) and not path.suffix)
    return f"sqlite+aiosqlite:///{path / DATABASE_FILE if is_folder else path}"


@contextmanager
def _held(source_url: str, target_url: str) -> Iterator[bool]:
    """Keep servers away from SQLite's folders; gives whether none is at the source's. Raises CoscribeError."""
    source, target = sqlite_file(source_url), sqlite_file(target_url)
    if source is not None and not source.is_file():
        raise CoscribeError(f"There is no database at {source}.")
    with ExitStack() as stack:
        if target is not None:
            folder = _made_folder(target)
            if not stack.enter_context(folder_held(folder)):
                raise CoscribeError(f"The target is in use: a server or another copy holds {folder}.")
        if source is None or (target is not None and source.resolve().parent.samefile(target.resolve().parent)):
            yield True
        else:
            yield stack.enter_context(folder_held(source.resolve().parent))


def _made_folder(file: Path) -> Path:
    """The folder that a file is to be in, also where a link leads to a folder that is not there yet."""
    folder = Path(os.path.realpath(file)).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:  # one of its parents, it may be
        raise CoscribeError(f"The folder {error.filename} cannot be made: {error.strerror}.") from error
    return folder


async def _copied(source_url: str, target_url: str, *, is_quiet: bool) -> tuple[Moved, bool]:
    """Copy, and finish the copy where nobody is at the source, before and after."""
    address = address_of(source_url)
    await check_source(source_url)
    async with rows_at(source_url) as source, _free(target_url, source):
        await check_target(target_url, address)
        await asyncio.to_thread(upgrade, target_url)
        await begin_copy(target_url, address)
        is_quiet = is_quiet and not await source.has_others(_PATIENCE_S)
        # Servers that are there are not to wait for a copy.
        async with source.still() if is_quiet else nullcontext(_has_not_been_still) as has_been_still:
            async with rows_at(target_url) as target, source.snapshot():
                moved = await Move(source, target).run()
            await _number_activities(source_url, target_url)
            # Asked last: who writes from then on writes to what the copy was made of.
            is_finished = not moved.wrong and await has_been_still()
            if is_finished:
                await finish_copy(target_url)
    return moved, is_finished


async def _has_not_been_still() -> bool:
    return False


@asynccontextmanager
async def _free(target_url: str, source: RawRows) -> AsyncIterator[None]:
    """Hold the target, so that nobody begins to write there. Raises CoscribeError where it is the source, or in use."""
    file = sqlite_file(target_url)
    if file is not None and not file.exists():
        yield
        return
    async with rows_at(target_url) as target:
        if type(target) is type(source) and await target.identity() == await source.identity():
            raise CoscribeError("Source and target are the same database.")
        if not await target.hold() or await target.has_others(_PATIENCE_S):
            raise CoscribeError("The target is in use: a server, another copy or another program is connected to it.")
        yield


async def _number_activities(source_url: str, target_url: str) -> None:
    """Ids of activities that were told and are gone are not given out again either."""
    async with opened(source_url) as source, source.read() as connection:
        told = await last_activity(connection)
    async with opened(target_url) as target, target.write() as connection:
        if told > await last_activity(connection):
            await number_activities_above(connection, told)


def _tell(moved: Moved, seconds: float) -> None:
    for wrong in moved.wrong:
        print(wrong)
    stood = moved.documents - moved.written
    print(
        f"{counted(moved.documents, 'document')} compared, {counted(moved.rows, 'row')}, {moved.bytes / 1e6:,.1f} MB,"
        f" in {seconds:.1f} s ({moved.rows / seconds:,.0f} rows/s): {moved.written:,} copied, {stood:,} stood there,"
        f" {moved.removed:,} removed."
    )
