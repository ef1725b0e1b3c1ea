"""Database URLs, and the types of columns."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.dialects import sqlite

from coscribe.errors import InvalidInput
from coscribe.model import Entry, NewEntry, Place
from coscribe.storage.checksums import checksum, entry_checksum, entry_checksums, segment_checksum, snapshot_checksum
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


def test_checksums_of_rows_are_those_of_every_row_that_was_ever_stored() -> None:
    place, at = Place("d" * 22, 3), datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
    entry = Entry(12, "né\ud800", "s9", at, bytes(range(256)))

    assert entry_checksum(place, entry).hex() == "0280ee5f09d22ddb8c"
    assert entry_checksums(place, 11, [NewEntry(*entry[1:])] * 2)[1] == entry_checksum(place, entry)
    assert snapshot_checksum(place, 12, "yjs-v1+zstd", b"state").hex() == "029bafa2270717dd33"
    assert segment_checksum(place, (1, 12), "c", b"payload").hex() == "02c41aabd4a970e02e"
