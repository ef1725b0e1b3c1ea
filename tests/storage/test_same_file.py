"""A SQLite file that is not any more where it was opened takes no more commits."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.contracts.values import stored

from coscribe.errors import Unavailable, cause_of
from coscribe.storage.engine import Database


@pytest.mark.parametrize("name", ["coscribe.db", "coscribe.db-wal"])
async def test_a_moved_file_takes_no_commit_until_it_is_back(sqlite: Database, tmp_path: Path, name: str) -> None:
    await stored(sqlite)
    (tmp_path / name).rename(tmp_path / "aside")
    with pytest.raises(Unavailable) as told:
        await stored(sqlite)
    assert "moved, removed or replaced" in cause_of(told.value)
    (tmp_path / "aside").rename(tmp_path / name)
    await stored(sqlite)


async def test_a_commit_into_a_file_that_goes_meanwhile_is_not_told_as_stored(sqlite: Database, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        async with sqlite.write():
            (tmp_path / "coscribe.db").rename(tmp_path / "aside")
    (tmp_path / "aside").rename(tmp_path / "coscribe.db")


async def test_another_file_in_its_place_is_not_the_same(sqlite: Database, tmp_path: Path) -> None:
    await stored(sqlite)
    (tmp_path / "copy").write_bytes((tmp_path / "coscribe.db").read_bytes())
    (tmp_path / "copy").replace(tmp_path / "coscribe.db")
    with pytest.raises(Unavailable):
        await stored(sqlite)


@pytest.mark.parametrize("left", [0, 5000, 40_000])
async def test_a_file_that_was_cut_short_takes_no_commit(sqlite: Database, tmp_path: Path, left: int) -> None:
    await stored(sqlite)
    os.truncate(tmp_path / "coscribe.db", left)
    for _ in range(2):
        with pytest.raises(Unavailable) as told:
            await stored(sqlite)
        assert "cut short" in cause_of(told.value)


async def test_a_file_that_a_vacuum_made_smaller_is_whole(sqlite: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "coscribe.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE ballast AS SELECT zeroblob(1000000)")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        await stored(sqlite)
        before = (tmp_path / "coscribe.db").stat().st_size
        other.execute("DROP TABLE ballast")
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert (tmp_path / "coscribe.db").stat().st_size < before
    await stored(sqlite)
