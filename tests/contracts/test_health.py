"""What every Health does."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from coscribe.errors import Unavailable
from coscribe.ports import Health
from coscribe.storage.engine import Database
from coscribe.storage.health import SqlHealth
from coscribe.storage.tables import principals


@pytest.fixture
def health(database: Database) -> Health:
    return SqlHealth(database)


async def test_a_check_leaves_nothing_behind(health: Health, database: Database) -> None:
    await health.check()
    await health.check()

    async with database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(principals))).scalar() == 0


async def test_a_database_without_tables_is_not_healthy(health: Health, database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("ALTER TABLE principals RENAME TO elsewhere"))

    with pytest.raises(Unavailable, match=r"^Storage cannot be written to: .*principals") as refusal:
        await health.check()

    # Operators see the driver's words, nobody sees the statement.
    assert "INSERT" not in str(refusal.value)
