"""lib0's primitives and their bounds."""

from __future__ import annotations

import pytest

from coscribe.core.lib0 import read_bytes, read_string, read_uint, write_bytes, write_string, write_uint
from coscribe.errors import Malformed


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"\x00", 0),
        (b"\x7f", 127),
        (b"\x80\x01", 128),
        (b"\xff\xff\xff\xff\x0f", 2**32 - 1),
        (b"\xff\xff\xff\xff\xff\xff\xff\x0f", 2**53 - 1),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f", 2**56 - 1),
    ],
)
def test_numbers_as_lib0_writes_them(raw: bytes, value: int) -> None:
    assert write_uint(value) == raw
    assert read_uint(b"?" + raw + b"?", 1) == (value, 1 + len(raw))


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\xff\xff", b"\x80" * 7])
def test_a_number_that_is_cut_off(raw: bytes) -> None:
    with pytest.raises(Malformed, match="cut off"):
        read_uint(raw, 0)


def test_a_number_ends_after_eight_bytes() -> None:
    assert read_uint(b"\x80" * 7 + b"\x00", 0) == (0, 8)
    with pytest.raises(Malformed, match="longer than 8"):
        read_uint(b"\x80" * 8 + b"\x00", 0)


def test_bytes_are_as_many_as_announced() -> None:
    assert read_bytes(b"\x03abcd", 0) == (b"abc", 4)
    assert read_bytes(b"\x00", 0) == (b"", 1)
    for raw in (b"\x04abc", b"\xff\xff\xff\xff\xff\xff\xff\x7f", b""):
        with pytest.raises(Malformed):
            read_bytes(raw, 0)


def test_a_string_counts_utf8_bytes() -> None:
    assert write_string("é😀") == b"\x06\xc3\xa9\xf0\x9f\x98\x80"
    assert read_string(b"\x06\xc3\xa9\xf0\x9f\x98\x80", 0) == ("é😀", 7)
    assert write_bytes(b"\x00\xff") == b"\x02\x00\xff"


@pytest.mark.parametrize("raw", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"])
def test_a_string_is_utf8(raw: bytes) -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        read_string(write_bytes(raw), 0)
