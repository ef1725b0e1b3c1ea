"""The bombs: updates of at most 64 KB that cost, or once cost, far more than their size. Each by its name.

The document they are thrown at holds `LONG` by client 6, and `FRAGMENTS` by client 7 between its first letters.
"""

from __future__ import annotations

import random

from tests.support.wire_bytes import deletes, item, one, string, structs, typed, uint, update

LONG = one(6, 0, typed("x" * 200_000))
FRAGMENTS = one(7, 0, *[typed("a", after=(6, at), before=(6, at + 1)) for at in range(4000)])


def _nested_any(depth: int) -> bytes:
    """Arrays of one array of one array: the engine's native stack overflows at some 26,000 (SIGSEGV)."""
    return item(8, b"\x01" + b"\x75\x01" * depth + b"\x7e", after=(6, 0))


def _shuffled(count: int) -> list[int]:
    places = list(range(count))
    random.Random(4).shuffle(places)
    return places


BOMBS: dict[str, bytes] = {
    "nested arrays": one(8, 0, _nested_any(26_000)),
    "nested maps": one(8, 0, item(8, b"\x01" + b"\x76\x01\x01k" * 15_000 + b"\x7e", after=(6, 0))),
    "nested JSON in formatting": one(8, 0, item(6, string("b") + string("[" * 30_000), after=(6, 0))),
    "a thousand levels of JSON": one(8, 0, item(6, string("b") + string("[" * 1000 + "]" * 1000), after=(6, 0))),
    "2^27 clients": uint(2**27) + b"\x00" * 100,
    "2^31 structs": b"\x01" + uint(2**31) + b"\x08\x00" + b"\x00" * 100,
    "2^40 deleted ranges": b"\x00\x01\x08" + uint(2**40) + b"\x00" * 100,
    "a string of 2^50 bytes": one(8, 0, b"\x84\x06\x00" + uint(2**50) + b"x"),
    "a GC of 2^32 clocks": one(8, 0, b"\x00" + uint(2**32 - 1)),
    "a GC that burns half of all clocks": one(8, 0, b"\x00" + uint(2**30)),
    "deleted content of 2^30 clocks": one(8, 0, item(1, uint(2**30), after=(6, 0))),
    "a clock of 2^53": one(8, 2**53, typed("a")),
    "a client id of 2^55": one(2**55, 0, typed("a")),
    "one client, one origin": one(8, 0, *[typed("a", after=(6, 9)) for _ in range(12_000)]),
    "one client, one gap": one(8, 0, *[typed("a", after=(6, 9), before=(6, 10)) for _ in range(7000)]),
    "clients ascending at one origin": update([structs(1000 + at, 0, typed("a", after=(6, 9))) for at in range(6000)]),
    "clients descending at one origin": update([structs(9000 - at, 0, typed("a", after=(6, 9))) for at in range(6000)]),
    "clients in disorder in one gap": update(
        [structs(1000 + at, 0, typed("a", after=(6, 9), before=(6, 10))) for at in _shuffled(5000)]
    ),
    "across all fragments": update([structs(2**31 + at, 0, typed("a", after=(6, 0))) for at in range(4000)]),
    "across all fragments, few": update([structs(2**31 + at, 0, typed("a", after=(6, 0))) for at in range(40)]),
    "across all fragments, to the end": update(
        [structs(2**31 + at, 0, typed("a", after=(6, 0), before=(6, 199_999))) for at in range(40)]
    ),
    "a comb of inserts": one(8, 0, *[typed("a", after=(6, 20 * at), before=(6, 20 * at + 1)) for at in range(6000)]),
    "inserts in disorder": one(
        8, 0, *[typed("a", after=(6, 30 * at), before=(6, 30 * at + 1)) for at in _shuffled(6000)]
    ),
    "a comb of deletions": update(removed=[deletes(6, *[(10 * at, 1) for at in range(13_000)])]),
    "deletions backwards": update(removed=[deletes(6, *[(10 * (12_999 - at), 1) for at in range(13_000)])]),
    "deletions in disorder": update(removed=[deletes(6, *[(10 * at, 1) for at in _shuffled(13_000)])]),
    "the same deletion again and again": update(removed=[deletes(6, *[(0, 199_000) for _ in range(13_000)])]),
    "deletions of many clients": update(removed=[deletes(10 + at, (0, 1)) for at in range(10_000)]),
    "formatting on and off": one(8, 0, *[item(6, string("b") + string("1"), after=(6, at)) for at in range(5000)]),
    "formatting of 4 KB each": one(
        8, 0, *[item(6, string("b") + string('"' + "x" * 4000 + '"'), after=(6, at)) for at in range(15)]
    ),
    "a thousand roots": one(8, 0, *[b"\x04" + b"\x01" + string(f"r{at}") + string("a") for at in range(1000)]),
    "map entries": one(8, 0, *[b"\x24\x01" + string("content") + string(f"k{at}") + string("v") for at in range(1000)]),
    "a subdocument": one(8, 0, item(9, string("guid") + b"\x76\x00", after=(6, 0))),
    "skips between letters": one(8, 0, *[typed("a", after=(6, 0)), b"\x0a\x01"] * 5000),
    "letters one by one": one(8, 0, *[typed("a", after=(8, at - 1) if at else (6, 0)) for at in range(10_000)]),
    "a cut in a pair": one(8, 0, typed("😀"), typed("x", after=(8, 0), before=(8, 1))),
    "pairs and their cuts": one(8, 0, typed("😀" * 15_000), typed("x", after=(8, 29_998), before=(8, 29_999))),
    "a circle of two": update([structs(8, 0, typed("a", after=(9, 0))), structs(9, 0, typed("b", after=(8, 0)))]),
    "a chain of clients backwards": update(
        [structs(10_000 - at, 0, typed("a", after=(9999 - at, 0) if at < 4999 else (6, 0))) for at in range(5000)]
    ),
    "carriage returns": one(8, 0, typed("\r" * 60_000, after=(6, 0))),
    "zeros": b"\x00" * 65_000,
    "ones": b"\xff" * 65_000,
}
