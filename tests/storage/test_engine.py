"""Database URLs, and the types of columns."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy.dialects import sqlite

from coscribe.errors import InvalidInput
from coscribe.storage.checksums import checksum
from coscribe.storage.engine import Database, parse_url
from coscribe.storage.tables import UtcDateTime


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///data/coscribe.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:////srv/coscribe.db", "sqlite+aiosqlite"),
        ("postgresql://user:secret@db/coscribe", "postgresql+asyncpg"),
        ("postgres://db/coscribe", "postgresql+asyncpg"),
        ("postgresql+asyncpg://db/coscribe", "postgresql+asyncpg"),
    ],
)
def test_urls_get_the_driver_we_use(url: str, driver: str) -> None:
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize(
    "url",
    ["", "coscribe.db", "mysql://db/coscribe", "sqlite://", "sqlite:///:memory:", "postgresql://db:port/x"],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Database.open(url)

    assert refusal.value.field == "database_url"


def test_a_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_url("mysql://user:hunter2@db/coscribe")

    assert "hunter2" not in str(refusal.value)


def test_a_naive_datetime_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), sqlite.dialect())


def test_the_checksum_sees_every_flipped_bit() -> None:
    payload = b"\x01\x01\xff\x00"
    sums = {checksum(payload)}
    for position in range(len(payload)):
        for bit in range(8):
            flipped = bytearray(payload)
            flipped[position] ^= 1 << bit
            sums.add(checksum(bytes(flipped)))

    assert len(sums) == 1 + len(payload) * 8
    assert {len(found) for found in sums} == {8}
    # The algorithm is part of what is stored: changing it would make every row look damaged.
    assert checksum(b"").hex() == "e4a6a0577479b2b4"
