"""Which instance has a document: as a proxy decides that hashes on the document's id, and as one that does not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import blake2b

_MASK = 2**64 - 1
# An odd number with well mixed bits (Knuth's multiplicative hashing, 2^64 over the golden ratio).
_MIX = 0x9E3779B97F4A7C15


def hash_of(text: str) -> int:
    """64 bits of a name."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def salts(instances: int) -> list[int]:
    """What each instance puts into the hash."""
    return [hash_of(f"instance {number}") for number in range(instances)]


def owner(document: int, alive: Sequence[int], salted: Sequence[int]) -> int:
    """The instance of a document, by its hash: the one of highest random weight among those that are alive.

    Rendezvous hashing (Thaler and Ravishankar, 1998), which is what Caddy's policy `header` does: an instance that
    leaves hands on its own documents and moves no other.
    """
    best, most = -1, -1
    for number in alive:
        mixed = (document ^ salted[number]) * _MIX & _MASK
        weight = (mixed ^ mixed >> 29) * _MIX & _MASK
        if weight > most:
            best, most = number, weight
    return best


def least_of_two(loads: Sequence[int], alive: Sequence[int], chance: random.Random) -> int:
    """The less loaded of two instances drawn at random, whatever the document: a proxy by least connections."""
    one, other = chance.choice(alive), chance.choice(alive)
    return one if loads[one] <= loads[other] else other
