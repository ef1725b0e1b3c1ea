"""copy: what others do in the moments between its looks and its marks is not lost, and no copy is finished over it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.storage.test_copy import rows_of
from tests.storage.test_upkeep import of, on
from tests.support.postgres import PostgresServer

from coscribe import cli
from coscribe.errors import CoscribeError
from coscribe.storage.copies import begin_copy, check_target, claim
from coscribe.storage.engine import Database
from coscribe.storage.migrate import upgrade
from coscribe.upkeep import copying
from coscribe.upkeep.commands import backup
from coscribe.upkeep.copying import copy
from coscribe.upkeep.moving import Move, Moved

# Of the connections to all databases, the one that keeps writers out of a table.
END_THE_LOCK = """
    SELECT pg_terminate_backend(pid) FROM
        (SELECT DISTINCT pid FROM pg_locks WHERE mode = 'ShareLock' AND granted AND relation IS NOT NULL) AS locking
"""


async def rename(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE tokens SET name = 'late'"))


@pytest.mark.postgres
def test_a_copy_is_not_finished_where_the_lock_on_its_source_was_lost(
    source_url: str, postgres_server: PostgresServer, other_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.new_database()
    copy(source_url, url)
    asyncio.run(claim(url))
    run = Move.run

    async def until_it_is_lost(move: Move) -> Moved:
        """As a proxy or an administrator ends a connection that seems to do nothing; then somebody writes."""
        moved = await run(move)
        await asyncio.to_thread(postgres_server.execute, END_THE_LOCK)
        await asyncio.to_thread(on, url, rename)
        return moved

    monkeypatch.setattr(Move, "run", until_it_is_lost)
    with pytest.raises(CoscribeError, match=r"kept writers away from the source was lost.*unfinished; run the same"):
        copy(url, other_url)
    with pytest.raises(CoscribeError, match="unfinished copy of"):
        asyncio.run(claim(other_url))

    monkeypatch.undo()
    copy(url, other_url)
    assert rows_of(other_url) == rows_of(url)
    asyncio.run(claim(other_url))


def test_of_copies_that_begin_at_once_one_begins(target_url: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    upgrade(target_url)

    async def begin(source: str) -> str:
        try:
            await begin_copy(target_url, source)
        except CoscribeError as error:
            return str(error)
        return source

    async def begin_all() -> list[str]:
        return await asyncio.gather(*map(begin, "abcdef"))

    told = asyncio.run(begin_all())

    [begun] = set("abcdef") & set(told)
    others = set("abcdef") - {begun}
    assert set(told) == {begun} | {
        f"The target holds a copy of {begun}, not of {other}; name an empty database." for other in others
    }
    asyncio.run(check_target(target_url, begun))


@pytest.mark.parametrize("command", ["token create --name ci", "restore {backup}"])
def test_what_is_written_into_an_empty_target_in_the_last_moment_stays(
    command: str, source_url: str, tmp_path: Path, other_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(of(source_url, tmp_path), tmp_path / "backup.db")
    there: list[dict[str, list[Any]]] = []

    def beside(url: str) -> bool:
        """Between the look, which finds nothing, and the mark."""
        is_new = upgrade(url)
        words = command.format(backup=tmp_path / "backup.db").split()
        assert cli.main([*words, "--data-dir", str(tmp_path / "other")]) == 0
        there.append(rows_of(other_url))
        return is_new

    monkeypatch.setattr(copying, "upgrade", beside)
    with pytest.raises(CoscribeError, match="holds documents or people of its own; name an empty database"):
        copy(source_url, other_url)

    assert [rows_of(other_url)] == there
    asyncio.run(claim(other_url))
