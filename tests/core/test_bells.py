"""Messages between servers: what is written is what is read, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coscribe.core.bells import (
    Alive,
    Elsewhere,
    Happened,
    Message,
    Present,
    Renamed,
    Stored,
    Who,
    decode,
    encode,
)
from coscribe.errors import Malformed
from coscribe.model import Entry, Principal, PrincipalKind, Role

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_UINT = st.integers(0, 2**53 - 1)
_TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
_PRINCIPALS = st.builds(Principal, _TEXT, st.sampled_from(PrincipalKind), _TEXT, st.integers(0, 11))
_ENTRIES = st.builds(Entry, _UINT, _TEXT, _TEXT, _TIMES, st.binary(max_size=50))
_STATES = st.builds(Elsewhere, _UINT, _UINT, _TEXT, _PRINCIPALS, st.sampled_from(Role), _TEXT)
MESSAGES = st.one_of(
    st.builds(Stored, _TEXT, _UINT, _UINT, st.lists(_ENTRIES, max_size=4).map(tuple)),
    st.just(Happened()),
    st.builds(Renamed, _PRINCIPALS),
    st.builds(Present, _TEXT, st.lists(_STATES, max_size=4).map(tuple), st.booleans()),
    st.builds(Who, _TEXT),
    st.just(Alive()),
)


@given(MESSAGES)
def test_what_is_written_is_what_is_read(message: Message) -> None:
    assert decode(encode(message)) == message


@given(MESSAGES, st.data())
def test_a_message_that_is_cut_off_or_too_long_is_refused(message: Message, data: st.DataObject) -> None:
    encoded = encode(message)
    with pytest.raises(Malformed):
        decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
    with pytest.raises(Malformed):
        decode(encoded + b"\0")


@given(st.binary(max_size=200))
def test_any_other_bytes_are_a_message_or_refused(raw: bytes) -> None:
    try:
        decode(raw)
    except Malformed:
        return


def test_a_kind_of_a_later_version_is_refused() -> None:
    with pytest.raises(Malformed, match="kind 99"):
        decode(b"\x63")


def test_more_than_a_message_may_hold_is_refused_before_it_is_read() -> None:
    head = encode(Stored("d", 1, 1))
    with pytest.raises(Malformed, match="more than"):
        decode(head[:-1] + b"\xff\xff\xff\x7f")
