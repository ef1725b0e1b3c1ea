"""Rooms on real storage."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.rooms.building import Building

from coscribe.storage.engine import Database


@pytest.fixture
async def building(sqlite: Database) -> AsyncIterator[Building]:
    """A registry on an empty SQLite database."""
    building = Building(sqlite)
    yield building
    await building.close()
