"""Before the first visitor comes, his way is gone once: nothing is left of that, and nothing depends on it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from coscribe.app import create_app
from coscribe.config import Settings
from coscribe.errors import Unavailable
from coscribe.rooms.opening import Opener
from coscribe.storage.engine import Database
from coscribe.storage.tables import metadata


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Any:
    return create_app(Settings(database_url=sqlite_url, data_dir=tmp_path))


async def test_a_rehearsal_leaves_nothing_behind(app: Any, sqlite: Database) -> None:
    async with app.router.lifespan_context(app) as state:
        assert not state["wiring"].registry.rooms
    async with sqlite.read() as connection:
        for table in metadata.sorted_tables:
            assert (await connection.execute(select(func.count()).select_from(table))).scalar() == 0


async def test_routes_are_made_in_it(app: Any) -> None:
    async with app.router.lifespan_context(app):
        assert all(route._effective_candidates for route in app.routes if hasattr(route, "_effective_candidates"))


async def fails(_: Opener) -> None:
    raise Unavailable("The database is away.")


async def hangs(_: Opener) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("rehearse", [fails, hangs])
async def test_a_server_starts_without_it(app: Any, rehearse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coscribe.api.rehearsal._WITHIN_S", 0.0)
    monkeypatch.setattr(Opener, "rehearse", rehearse)
    async with app.router.lifespan_context(app) as state:
        assert not state["wiring"].stop.is_set()
