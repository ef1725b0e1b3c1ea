"""The messages of dialect 1 (y-protocols over one binary frame each, with our own additions) to values and back.

Decoding is strict: one whole message a frame, nothing behind it, no unknown type. docs/protocol.md has the bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from coscribe.core.lib0 import read_bytes, read_string, read_uint, write_bytes, write_string, write_uint
from coscribe.errors import Malformed

PROTOCOL_VERSION = 1
# Stock clients take 30 s of silence for a dead line; an awareness message without entries tells them nothing new.
KEEPALIVE = b"\x01\x01\x00"
# More entries than this in one message is no client's own presence, nor what it heard of a full room.
_MAX_AWARENESS_ENTRIES = 10_000
# lib0 in JavaScript raises at a larger number, and with it for everyone this would be told to.
_MAX_SAFE_INTEGER = 2**53 - 1


@dataclass(frozen=True, slots=True)
class SyncStep1:
    """Asks for what is missing behind a state vector."""

    state_vector: bytes


@dataclass(frozen=True, slots=True)
class SyncStep2:
    """Answers a step 1."""

    update: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """A change as it happens."""

    update: bytes


class AwarenessEntry(NamedTuple):
    """One client's state as sent: JSON, `null` for one who left."""

    client: int
    clock: int
    state: str


@dataclass(frozen=True, slots=True)
class AwarenessUpdate:
    """States of one or more clients."""

    entries: tuple[AwarenessEntry, ...]


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """Asks for all states."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Opens our own client's conversation; `generation` is the one its copy belongs to, 0 for none."""

    version: int
    generation: int
    flags: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """All was asked for again, and its text still contradicts the digest."""


Message = SyncStep1 | SyncStep2 | Update | AwarenessUpdate | QueryAwareness | Hello | Doubt


def decode(frame: bytes) -> Message:
    """Decode one frame; raises Malformed."""
    kind, pos = read_uint(frame, 0)
    match kind:
        case 0:
            message, pos = _decode_sync(frame, pos)
        case 1:
            payload, pos = read_bytes(frame, pos)
            message = AwarenessUpdate(decode_awareness(payload))
        case 3:
            message = QueryAwareness()
        case 0x70:
            version, pos = read_uint(frame, pos)
            generation, pos = read_uint(frame, pos)
            flags, pos = read_uint(frame, pos)
            message = Hello(version, generation, flags)
        case 0x75:
            message = Doubt()
        case _:
            raise Malformed(f"message type {kind} is unknown")
    if pos != len(frame):
        raise Malformed(f"{len(frame) - pos} bytes stand behind the message")
    return message


def _decode_sync(frame: bytes, pos: int) -> tuple[Message, int]:
    step, pos = read_uint(frame, pos)
    payload, pos = read_bytes(frame, pos)
    match step:
        case 0:
            return SyncStep1(payload), pos
        case 1:
            return SyncStep2(payload), pos
        case 2:
            return Update(payload), pos
        case _:
            raise Malformed(f"sync message {step} is unknown")


def decode_awareness(payload: bytes) -> tuple[AwarenessEntry, ...]:
    """Decode the payload of an awareness message; the JSON itself is not parsed here."""
    count, pos = read_uint(payload, 0)
    if count > min(_MAX_AWARENESS_ENTRIES, len(payload) // 3):
        raise Malformed(f"{count} awareness states are announced in {len(payload)} bytes")
    entries = []
    for _ in range(count):
        client, pos = read_uint(payload, pos)
        clock, pos = read_uint(payload, pos)
        state, pos = read_string(payload, pos)
        if max(client, clock) > _MAX_SAFE_INTEGER:
            raise Malformed("a number in an awareness state is larger than 2^53 - 1")
        entries.append(AwarenessEntry(client, clock, state))
    if pos != len(payload):
        raise Malformed(f"{len(payload) - pos} bytes stand behind the awareness states")
    return tuple(entries)


def caret_of(frame: bytes) -> tuple[AwarenessEntry]:
    """The state in an awareness message that has one, as `decode` gives it; raises Malformed."""
    size, pos = read_uint(frame, 1)
    if size != len(frame) - pos:
        raise Malformed(f"{size} bytes are announced and {len(frame) - pos} are there")
    client, at = read_uint(frame, pos + 1)
    clock, at = read_uint(frame, at)
    state, at = read_string(frame, at)
    if at != len(frame):
        raise Malformed(f"{len(frame) - at} bytes stand behind the awareness state")
    if max(client, clock) > _MAX_SAFE_INTEGER:
        raise Malformed("a number in an awareness state is larger than 2^53 - 1")
    return (AwarenessEntry(client, clock, state),)


def encode_step1(state_vector: bytes) -> bytes:
    """Encode our question for what a client has and we do not."""
    return b"\x00\x00" + write_bytes(state_vector)


def encode_step2(update: bytes) -> bytes:
    """Encode the answer to a step 1."""
    return b"\x00\x01" + write_bytes(update)


def encode_update(update: bytes) -> bytes:
    """Encode a change."""
    return b"\x00\x02" + write_bytes(update)


def encode_awareness(entries: list[AwarenessEntry]) -> bytes:
    """Encode states."""
    payload = bytearray(write_uint(len(entries)))
    for entry in entries:
        payload += write_uint(entry.client) + write_uint(entry.clock) + write_string(entry.state)
    return b"\x01" + write_bytes(bytes(payload))


def encode_denied(reason: str) -> bytes:
    """Encode y-protocols' permission denied, which stock clients write to their log."""
    return b"\x02\x00" + write_string(reason)


def encode_closing(code: int, reason: str) -> bytes:
    """Encode the end of a session whose carrier has no close of its own; the last of its frames."""
    return b"\x74" + write_uint(code) + write_string(reason)


def encode_ack(frames: int, seq: int) -> bytes:
    """Encode that the first `frames` update frames of a session are settled, at or before `seq`."""
    return b"\x71" + write_uint(frames) + write_uint(seq)


def encode_digest(state_vector: bytes, sha256: bytes) -> bytes:
    """Encode what a replica with this state vector must read as: SHA-256 of its UTF-8 text."""
    return b"\x72" + write_bytes(state_vector) + sha256


def encode_notice(kind: str, reason: str, **more: Any) -> bytes:
    """Encode a notice for our own client; `more` are further JSON members."""
    return b"\x73" + write_string(json.dumps({"kind": kind, "reason": reason, **more}))
