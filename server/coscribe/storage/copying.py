"""Copies of SQLite files while others write, and of whole tables."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import CoscribeError
from coscribe.storage.engine import BUSY_TIMEOUT_MS, parse_url
from coscribe.storage.migrate import upgrade

# 8 MB a step.
_PAGES = 2000
# Where the file is locked against reading; between two steps there is no pause, nobody waits for a reader.
_PAUSE_S = 0.01
_ROWS = 200


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite file as it stands now, whoever writes meanwhile. Raises CoscribeError.

    The open transaction holds the moment: without it the copy would begin again with every commit of another process,
    and never end while people type.
    """
    try:
        with closing(sqlite3.connect(source, isolation_level=None)) as old, closing(_new_file(target)) as new:
            old.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            old.execute("BEGIN")
            old.execute("SELECT count(*) FROM sqlite_master").fetchone()
            old.backup(new, pages=_PAGES, sleep=_PAUSE_S)
            new.execute("PRAGMA journal_mode=DELETE")
    except (sqlite3.Error, OSError) as error:
        raise CoscribeError(f"The database cannot be copied: {error}.") from error


def empty_sqlite(target: Path) -> str:
    """Make a new SQLite file with all tables, which nobody else may read; gives its URL."""
    url = f"sqlite:///{target}"
    _new_file(target).close()
    upgrade(url)
    return url


def without_log(target: Path) -> None:
    """Let a closed SQLite file do without a write-ahead log beside it."""
    with closing(sqlite3.connect(target)) as plain:
        plain.execute("PRAGMA journal_mode=DELETE")


async def copy_tables(source: AsyncConnection, target: AsyncConnection, tables: Sequence[Table]) -> None:
    """Copy whole tables row by row, parents before children."""
    for table in tables:
        rows: list[dict[str, Any]] = []
        async with source.stream(select(table)) as result:
            async for row in result.mappings():
                rows.append(dict(row))
                if len(rows) == _ROWS:
                    await target.execute(insert(table), rows)
                    rows = []
        if rows:
            await target.execute(insert(table), rows)


def keep(made: Path, file: Path) -> None:
    """Put a finished file in its place, on the disk: either the old one stands there or the whole new one.

    Raises CoscribeError.
    """
    try:
        for path, flags in ((made, os.O_RDWR), (made.parent, os.O_RDONLY)):
            _sync(path, flags)
        os.replace(made, file)
        _sync(file.parent, os.O_RDONLY)
    except OSError as error:
        raise CoscribeError(f"{file} cannot be written: {error.strerror}.") from error


def sqlite_file(url: str) -> Path | None:
    """The file behind a SQLite URL, None for another database."""
    parsed = parse_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _new_file(path: Path) -> sqlite3.Connection:
    """A new SQLite file that nobody else may read: it will hold every text."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return sqlite3.connect(path, isolation_level=None)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
