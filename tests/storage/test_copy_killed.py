"""coscribe copy as a process: killed at any moment, it goes on where it ended; it says nothing of passwords."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.contracts.values import an_entry, stored
from tests.storage.test_copy import rows_of
from tests.storage.test_upkeep import an_empty, on
from tests.support.server import COMMAND

from coscribe.errors import Unavailable
from coscribe.model import Append
from coscribe.storage.engine import Database
from coscribe.storage.tables import documents
from coscribe.storage.update_log import SqlUpdateLog

DOCUMENTS = 400
ENTRIES = 6


async def fill(database: Database) -> None:
    for _ in range(DOCUMENTS):
        document = await stored(database)
        entries = tuple(an_entry(b"%d" % at) for at in range(ENTRIES))
        await SqlUpdateLog(database).append([Append(document.id, 1, entries, ((5, "owner"),))])


def started(source: str, target: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "copy", "--from", source, "--to", target],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


async def count(database: Database) -> int:
    """How many documents stand there; none where there are no tables yet."""
    try:
        async with database.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(documents))).scalar() or 0)
    except Unavailable:
        return 0


def copied(url: str, least: int = 0) -> int:
    """How many documents stand in the target, as soon as they are so many; looks by connections of a moment each."""
    until = time.monotonic() + 30
    while (found := on(url, count)) < least:
        assert time.monotonic() < until
    return int(found)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_copy_that_is_killed_goes_on_where_it_ended(
    request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path, kind: str
) -> None:
    target = an_empty(tmp_path) if kind == "sqlite" else str(request.getfixturevalue("postgres_url"))
    on(sqlite_url, fill)
    stood = 0
    for moment in (1, DOCUMENTS // 4, DOCUMENTS // 2):
        process = started(sqlite_url, target)
        copied(target, max(moment, stood))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        before, stood = stood, copied(target)
        assert before <= stood < DOCUMENTS

    process = started(sqlite_url, target)
    told, errors = process.communicate()

    assert (process.returncode, errors) == (0, "")
    found = re.search(r"400 documents compared, .* (\d+) copied, (\d+) stood there, 0 removed", told)
    assert found is not None
    assert int(found[2]) == stood == DOCUMENTS - int(found[1])
    assert rows_of(target) == rows_of(sqlite_url)


def test_a_new_file_is_for_nobody_else_and_passwords_are_not_told(sqlite_url: str, tmp_path: Path) -> None:
    process = started(sqlite_url, str(tmp_path / "new"))
    process.communicate()
    assert [path.stat().st_mode & 0o077 for path in (tmp_path / "new").iterdir()] == [0]

    away = started(sqlite_url, "postgresql+asyncpg://me:hunter2hunter2@127.0.0.1:9/x")
    told, errors = away.communicate()
    assert away.returncode == 1
    assert errors.startswith("coscribe: A database fails; what was copied stays")
    assert "hunter2" not in told + errors
