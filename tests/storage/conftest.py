"""What tests of copies begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, text
from tests.contracts.values import NOW
from tests.storage.test_upkeep import on, write_document

from coscribe.storage.engine import Database
from coscribe.storage.tables import accepted, quarantine, sessions, tokens


@pytest.fixture
def source_url(sqlite_url: str) -> str:
    """A SQLite database with two documents and rows in every table."""

    async def fill(database: Database) -> None:
        for _ in range(2):
            document = await write_document(database)
        async with database.write() as connection:
            principal = (await connection.execute(text("SELECT id FROM principals"))).scalar()
            common = {"principal_id": principal, "secret_sha256": "ab" * 32}
            await connection.execute(insert(sessions).values(common | {"expires_at": NOW}))
            await connection.execute(insert(tokens).values(common | {"id": "t", "name": "ci 😀", "created_at": NOW}))
            await connection.execute(insert(accepted).values(document_id=document.id, reason="known", at=NOW))
            row = {
                "what": "entry",
                "seq": 3,
                "reason": "rotten",
                "found_at": NOW,
                "columns": {"at": "é", "n": [1, None]},
            }
            at = {"document_id": document.id, "generation": 1}
            await connection.execute(insert(quarantine), [row | at | {"payload": b"\0\xff"}])
            await connection.execute(insert(quarantine), [row | at | {"seq": 4, "payload": None}])

    on(sqlite_url, fill)
    return sqlite_url


@pytest.fixture
def other_url(tmp_path: Path) -> str:
    """A SQLite database that is not there yet."""
    return f"sqlite:///{tmp_path / 'other' / 'coscribe.db'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def target_url(request: pytest.FixtureRequest) -> str:
    """An empty place of either kind."""
    url: str = request.getfixturevalue("other_url" if request.param == "sqlite" else "postgres_url")
    return url
