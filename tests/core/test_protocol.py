"""The messages of dialect 1, byte by byte."""

from __future__ import annotations

import json

import pytest

from coscribe.core.protocol import (
    KEEPALIVE,
    AwarenessEntry,
    AwarenessUpdate,
    Doubt,
    Hello,
    Message,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Update,
    decode,
    encode_ack,
    encode_awareness,
    encode_denied,
    encode_digest,
    encode_notice,
    encode_step1,
    encode_step2,
    encode_update,
)
from coscribe.errors import Malformed

STATE = AwarenessEntry(5, 3, '{"a":"é"}')
STATE_BYTES = b"\x01\x0e\x01\x05\x03\x0a" + '{"a":"é"}'.encode()

MESSAGES: list[tuple[bytes, Message]] = [
    (b"\x00\x00\x01\x00", SyncStep1(b"\x00")),
    (b"\x00\x01\x02\x00\x00", SyncStep2(b"\x00\x00")),
    (b"\x00\x02\x02\x00\x00", Update(b"\x00\x00")),
    (STATE_BYTES, AwarenessUpdate((STATE,))),
    (b"\x01\x01\x00", AwarenessUpdate(())),
    (b"\x03", QueryAwareness()),
    (b"\x70\x01\x00\x00", Hello(1, 0, 0)),
    (b"\x70\x01\xac\x02\x07", Hello(1, 300, 7)),
    (b"\x75", Doubt()),
]


@pytest.mark.parametrize(("frame", "message"), MESSAGES)
def test_each_message_is_read(frame: bytes, message: Message) -> None:
    assert decode(frame) == message


@pytest.mark.parametrize("frame", [frame for frame, _ in MESSAGES])
def test_nothing_may_be_missing_or_stand_behind(frame: bytes) -> None:
    with pytest.raises(Malformed, match="behind"):
        decode(frame + b"\x00")
    for cut in range(len(frame)):
        with pytest.raises(Malformed):
            decode(frame[:cut])


@pytest.mark.parametrize("kind", [2, 4, 5, 6, 0x0A, 0x71, 0x72, 0x73, 200])
def test_unknown_types_and_those_for_clients_only_are_refused(kind: int) -> None:
    with pytest.raises(Malformed, match="unknown"):
        decode(bytes((kind,)) if kind < 128 else b"\xc8\x01")


@pytest.mark.parametrize("step", [3, 4, 127])
def test_unknown_sync_messages_are_refused(step: int) -> None:
    with pytest.raises(Malformed, match="unknown"):
        decode(bytes((0, step, 0)))


@pytest.mark.parametrize(
    "payload",
    [
        b"\x01",  # one state announced, none there
        b"\xff\xff\x7f" + bytes(30),  # more than fit
        b"\x01\x05\x01\x03ab",  # a state cut off
        b"\x01\x05\x01\x02\xc3\x28",  # no UTF-8
        b"\x01\x80\x80\x80\x80\x80\x80\x80\x10\x01\x04null",  # client id 2^53
        b"\x01\x05\x80\x80\x80\x80\x80\x80\x80\x10\x04null",  # clock 2^53, at which lib0 raises
        b"\x00\x00",
    ],
)
def test_awareness_that_is_none(payload: bytes) -> None:
    with pytest.raises(Malformed):
        decode(b"\x01" + bytes((len(payload),)) + payload)


def test_more_than_ten_thousand_states_are_refused() -> None:
    many = b"\x91\x4e" + b"\x01\x01\x00" * 10_001
    with pytest.raises(Malformed, match="announced"):
        decode(b"\x01" + b"\xb5\xea\x01" + many)


def test_what_the_server_sends() -> None:
    assert KEEPALIVE == b"\x01\x01\x00"
    assert encode_step1(b"\x00") == b"\x00\x00\x01\x00"
    assert encode_step2(b"\x00\x00") == b"\x00\x01\x02\x00\x00"
    assert encode_update(b"\x00\x00") == b"\x00\x02\x02\x00\x00"
    assert encode_awareness([STATE]) == STATE_BYTES
    assert encode_denied("né") == b"\x02\x00\x03n\xc3\xa9"
    assert encode_ack(300, 7) == b"\x71\xac\x02\x07"
    assert encode_digest(b"\x00", bytes(32)) == b"\x72\x01\x00" + bytes(32)


def test_a_notice_is_json() -> None:
    raw = encode_notice("refused", "No “room”.", frame=3, limit="x")
    assert raw[0] == 0x73
    assert json.loads(raw[2:]) == {"kind": "refused", "reason": "No “room”.", "frame": 3, "limit": "x"}
