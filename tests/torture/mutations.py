"""Damage to messages: bytes at random, and numbers, kinds and parts where a reader of the format looks for them."""

from __future__ import annotations

import random

from tests.support.wire_bytes import deletes, item, one, string, structs, typed, uint, update

from coscribe.core.lib0 import read_uint
from coscribe.errors import Malformed

# Where sizes of integers, counts and limits change.
_NUMBERS = (
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    16_383,
    16_384,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**53 - 1,
    2**53,
    2**56 - 1,
)
_MANY = 500


def damaged(rng: random.Random, raw: bytes, other: bytes) -> bytes:
    """A message after one to four mutations, mostly one; `other` lends parts."""
    for _ in range(rng.choice((1, 1, 1, 1, 2, 4))):
        raw = rng.choice(_MUTATIONS)(rng, raw, other) if raw else other[: rng.randrange(20)]
    return raw


def _flip(rng: random.Random, raw: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + bytes((raw[at] ^ 1 << rng.randrange(8),)) + raw[at + 1 :]


def _byte(rng: random.Random, raw: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + bytes((rng.randrange(256),)) + raw[at + 1 :]


def _number(rng: random.Random, raw: bytes, _: bytes) -> bytes:
    """Put another number in the place of one: a length, a count, a client or a clock."""
    at = rng.randrange(len(raw))
    try:
        value, end = read_uint(raw, at)
    except Malformed:
        return raw
    near = max(0, value + rng.choice((-1, 1)))
    return raw[:at] + uint(near if rng.random() < 0.5 else rng.choice(_NUMBERS)) + raw[end:]


def _kind(rng: random.Random, raw: bytes, _: bytes) -> bytes:
    """Put a struct's info byte somewhere: any kind with any of its flags."""
    at = rng.randrange(len(raw))
    return raw[:at] + bytes((rng.randrange(12) | rng.choice((0, 0x20, 0x40, 0x80, 0xC0)),)) + raw[at + 1 :]


def _cut(rng: random.Random, raw: bytes, _: bytes) -> bytes:
    return raw[: rng.randrange(len(raw))]


def _remove(rng: random.Random, raw: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + raw[at + rng.randrange(1, 9) :]


def _repeat(rng: random.Random, raw: bytes, _: bytes) -> bytes:
    at = rng.randrange(len(raw))
    part = raw[at : at + rng.randrange(1, 30)]
    return raw[:at] + part * rng.choice((2, 3, 40)) + raw[at + len(part) :]


def _graft(rng: random.Random, raw: bytes, other: bytes) -> bytes:
    """The beginning of one and the end of another."""
    return raw[: rng.randrange(len(raw) + 1)] + other[rng.randrange(len(other) + 1) :]


_MUTATIONS = (_flip, _byte, _number, _number, _number, _kind, _kind, _cut, _remove, _repeat, _graft)


def nested(client: int, depth: int) -> bytes:
    """One value of arrays in arrays: the engine reads them down its native stack."""
    return one(client, 0, item(8, uint(1) + b"\x75\x01" * depth + b"\x7e"))


def types_in_types(client: int, depth: int) -> bytes:
    """Shared arrays, each in the one before."""
    inside = [bytes((7, 0)) + uint(client) + uint(at) + b"\x00" for at in range(depth)]
    return update([structs(client, 0, item(7, b"\x00"), *inside)])


def bombs(rng: random.Random) -> list[bytes]:
    """Updates that were made to hurt: each is a shape that some reader of Yjs updates fails on."""
    client = rng.randrange(1, 2**32)
    deep = "[" * 300 + "]" * 300
    return [
        nested(client, _MANY),
        types_in_types(client, _MANY),
        one(client, 0, *(typed("x") for _ in range(_MANY))),
        one(client, 0, typed("x"), *(typed("x", after=(client, at)) for at in range(_MANY))),
        one(client, 0, typed("x"), *(typed("x", after=(client, 0), before=(client, 0)) for _ in range(_MANY))),
        update([structs(client + at, 0, typed("y")) for at in range(_MANY)]),
        update([], [deletes(client, *((2 * at, 1) for at in range(_MANY)))]),
        update([], [deletes(client + at, (0, 1)) for at in range(_MANY)]),
        update([], [deletes(client, (0, 2**31 - 2))]),
        one(client, 0, item(6, string("bold") + string(deep))),
        one(client, 0, item(6, string("k" * 5000) + string("1"))),
        one(client, 0, item(8, uint(2**40))),
        one(client, 0, item(1, uint(2**31 - 2))),
        one(client, 2**31 - 5, typed("late")),
        one(client, 0, typed("self", after=(client, 0))),
        one(client, 0, typed("😀"), typed("cut", after=(client, 0))),
        one(client, 0, typed(b"\xed\xa0\xbd")),
        one(client, 0, b"\x0a" + uint(1000), typed("behind")),
        uint(2**32) + b"\x00" * 20,
    ]  # fmt: skip
