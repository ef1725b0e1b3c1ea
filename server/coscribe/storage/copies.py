"""Databases that `coscribe copy` makes: what they are copies of, and when they may be written to.

A copy is finished or not until somebody writes to it for the first time; from then on it is a database of its own.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import URL, delete, func, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import CoscribeError
from coscribe.storage.copying import sqlite_file
from coscribe.storage.engine import Database, opened, parse_url
from coscribe.storage.readable import utc_now
from coscribe.storage.tables import copies, documents, principals
from coscribe.storage.verify import check_schema, orphan_findings

# The lock of PostgreSQL that whoever copies to a database holds; SQLite's is that of the folder.
COPYING = 0x636F707969
_NOT_COPYING = select(func.pg_try_advisory_xact_lock_shared(COPYING))
# SQLite has one writer at a time; in PostgreSQL another one could commit between a look and what is built on it.
_ALONE = text(f"LOCK TABLE {copies.name}, {documents.name}, {principals.name} IN SHARE ROW EXCLUSIVE MODE")
_UNFINISHED = select(copies.c.source).where(copies.c.finished_at.is_(None))


def address_of(url: str) -> str:
    """Where a database is, without names and passwords, in the same words whenever it is asked for."""
    file = sqlite_file(url)
    if file is not None:
        return str(file.resolve())
    parsed = parse_url(url)
    query = {name: value for name, value in parsed.query.items() if name in ("host", "port")}
    return URL.create(
        "postgresql", host=parsed.host, port=parsed.port, database=parsed.database, query=query
    ).render_as_string()


async def claim(url: str) -> None:
    """Make a copy a database of its own, before it is written to.

    Raises CoscribeError where it is not finished, or is being copied to at this moment.
    """
    async with opened(url) as database, database.write() as connection:
        # In one transaction: a copy that begins in between would lose its mark.
        if not database.is_sqlite and not (await connection.execute(_NOT_COPYING)).scalar():
            raise CoscribeError("This database is just becoming a copy of another one: let coscribe copy end first.")
        source = (await connection.execute(_UNFINISHED)).scalar()
        if source is not None:
            raise CoscribeError(f"This database is an unfinished copy of {source}: run coscribe copy to its end first.")
        await connection.execute(delete(copies))


async def _unfinished(database: Database) -> str | None:
    """Of what it is an unfinished copy."""
    async with database.read() as connection:
        source = (await connection.execute(_UNFINISHED)).scalar()
    return None if source is None else str(source)


async def check_source(url: str) -> None:
    """Raise CoscribeError where there is no whole database of this version at a URL."""
    async with opened(url) as database:
        await check_schema(database, url)
        source = await _unfinished(database)
        if source is not None:
            raise CoscribeError(f"The source is an unfinished copy of {source} itself.")
        orphans = await orphan_findings(database)
        if orphans:
            raise CoscribeError(
                f"The source has {len(orphans):,} rows that belong to nothing; coscribe verify names them. What can be"
                " read of it is moved by coscribe backup and coscribe restore --damaged."
            )


async def check_target(url: str, source: str) -> None:
    """Raise CoscribeError where a database holds anything but a copy of `source` that nobody has written to since."""
    file = sqlite_file(url)
    if file is not None and not await asyncio.to_thread(file.exists):
        return
    async with opened(url) as database:
        async with database.read() as connection:
            names = set(await connection.run_sync(lambda plain: inspect(plain).get_table_names()))
        if not names:
            return
        await check_schema(database, url, older=True)
        async with database.read() as connection:
            await _check_free(connection, source, has_marks=copies.name in names)


async def _check_free(connection: AsyncConnection, source: str, *, has_marks: bool = True) -> None:
    of = (await connection.execute(select(copies.c.source))).scalar() if has_marks else None
    if of is not None and of != source:
        raise CoscribeError(f"The target holds a copy of {of}, not of {source}; name an empty database.")
    if of is None and not await is_empty(connection):
        raise CoscribeError("The target holds documents or people of its own; name an empty database.")


async def is_empty(connection: AsyncConnection) -> bool:
    """Whether there is neither a document nor anybody."""
    counts = [
        (await connection.execute(select(func.count()).select_from(of))).scalar() for of in (documents, principals)
    ]
    return not any(counts)


async def begin_copy(url: str, source: str) -> None:
    """Note that a database is becoming a copy: nobody may write to it until `finish_copy`.

    Raises CoscribeError as `check_target` does, of what was written since that looked.
    """
    async with opened(url) as database, database.write() as connection:
        # In one transaction: what comes in between would be overwritten.
        if not database.is_sqlite:
            await connection.execute(_ALONE)
        await _check_free(connection, source)
        await connection.execute(delete(copies))
        await connection.execute(insert(copies).values(source=source, begun_at=utc_now()))


async def finish_copy(url: str) -> None:
    """Note that a copy is whole."""
    async with opened(url) as database, database.write() as connection:
        await connection.execute(update(copies).values(finished_at=utc_now()))
