"""The short way through plain structs says of every update what the long way says, and refuses what it refuses."""

from __future__ import annotations

import random
import time

import pytest
from pycrdt import Doc, Text
from tests.core.test_mutations import damaged
from tests.support.wire_bytes import deletes, item, one, structs, typed, uint, update

from coscribe.core.update import MAX_CLOCK, Scanner, Span, Walk, scan
from coscribe.errors import Malformed, UpdateRefused

# Ids of one, four, five (the least and others) and eight bytes.
CLIENTS = (7, 2**28 - 1, 2**28, 3_000_000_000, 4_294_967_295, 2**52)
WORDS = ["a", "bc", "\n", "é", "😀", "עברית", "x" * 127, "y" * 128, "z" * 20_000]


def outcome(walk: Walk) -> object:
    try:
        spans, removed = walk.structs(), walk.deletes()
    except (Malformed, UpdateRefused) as error:
        return type(error), str(error)
    return spans, removed, walk.needs, walk.inserted_bytes, walk.has_cr, walk.paired, walk.joining_bytes, walk.pos


def agreed(raw: bytes) -> object:
    """What both ways say of an update."""
    long, short = outcome(Walk(raw)), outcome(Scanner(raw))
    assert long == short, raw.hex()
    return long


def a_state(rng: random.Random) -> bytes:
    """The whole of what a few people have written in turns."""
    docs: list[Doc[Text]] = [Doc({"content": Text()}, client_id=client) for client in rng.sample(CLIENTS, 3)]
    for _ in range(rng.randrange(5, 60)):
        doc, other = rng.sample(docs, 2)
        text = doc["content"]
        ends = [len(str(text)[:at].encode()) for at in range(min(len(str(text)), 50) + 1)]
        at = rng.randrange(len(ends))
        if rng.random() < 0.3 and at < len(ends) - 1:
            del text[ends[at] : ends[rng.randrange(at + 1, len(ends))]]
        else:
            text.insert(ends[at], rng.choice(WORDS))
        if rng.random() < 0.5:
            other.apply_update(doc.get_update(other.get_state()))
    return docs[0].get_update()


@pytest.mark.parametrize("seed", range(20))
def test_states_read_the_same(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(5):
        state = a_state(rng)
        assert isinstance(agreed(state), tuple)
        assert scan(state).structs


@pytest.mark.parametrize("seed", range(20))
def test_damaged_states_are_told_alike(seed: int) -> None:
    rng = random.Random(seed)
    refused = 0
    for _ in range(10):
        state = a_state(rng)[:4000]
        for _ in range(40):
            answer = agreed(damaged(rng, state))
            refused += isinstance(answer, tuple) and isinstance(answer[0], type)
    assert refused > 100


def letters(client: int, count: int) -> list[bytes]:
    """Letters one by one, each behind the one before it."""
    return [typed("a", after=(7, 0)), *(typed("b", after=(client, at)) for at in range(count - 1))]


BIG = 3_000_000_000


@pytest.mark.parametrize(
    "last",
    [
        typed("", after=(BIG, 3)),
        typed("c", after=(BIG, 9)),
        typed("c", before=(BIG, 9)),
        typed("c", after=(BIG, 3), before=(BIG, 9)),
        typed("c", after=(2**53, 3)),
        typed("c", after=(7, MAX_CLOCK)),
        item(4, b"\x03\xed\xa0\x80", after=(BIG, 3)),
        item(4, b"\x05ab", after=(BIG, 3)),
        item(4, uint(2**14) + b"ab", after=(BIG, 3)),
        item(1, b"\x00", after=(BIG, 3)),
        item(1, uint(MAX_CLOCK), after=(BIG, 3)),
        item(8, b"\x01\x75\x00", after=(BIG, 3)),
        b"\xa4" + uint(BIG) + b"\x03\x01a",
        b"\x84" + uint(BIG)[:-1] + bytes((uint(BIG)[-1] | 0x80, 0)) + b"\x09\x01c",  # the own id with a byte too many
        b"\x84" + uint(BIG) + b"\x89\x80\x80\x80\x00\x01c",  # the own clock with bytes too many
        b"\x84" + b"\x80" * 12 + b"\x00\x00\x01c",
    ],
)
def test_what_is_not_right_behind_plain_structs_is_refused(last: bytes) -> None:
    answer = agreed(one(BIG, 0, *letters(BIG, 9), last))
    assert isinstance(answer, tuple)
    assert issubclass(answer[0], Malformed | UpdateRefused)


def test_what_another_client_needs_excuses_no_struct_that_names_itself() -> None:
    other = structs(BIG + 1, 0, typed("x", after=(BIG, 1000)))
    own = structs(BIG, 0, typed("a", after=(7, 0)), typed("b", after=(BIG, 500)))
    assert agreed(update([other, own])) == (Malformed, "a struct names itself or a later one as its origin")


def test_an_id_of_five_bytes_that_needs_fewer_is_no_way_round() -> None:
    long = b"\x87\x80\x80\x80\x00"  # client 7
    first = b"\x84" + long + b"\x00\x01a"
    other = structs(BIG, 0, first, first)
    own = structs(7, 5, b"\x84" + long + b"\x04\x01a", b"\x84" + long + b"\x40\x01a")
    assert agreed(update([other, own])) == (Malformed, "a struct names itself or a later one as its origin")


def test_a_clock_without_an_end_takes_no_time() -> None:
    endless = one(BIG, 0, *letters(BIG, 9), b"\x84" + uint(BIG) + b"\x80" * 2**20)
    began = time.thread_time()
    with pytest.raises(Malformed, match="longer than"):
        scan(endless)
    assert time.thread_time() - began < 0.05


def test_structs_of_others_and_deletions_are_read_in_between() -> None:
    found = scan(
        update(
            [
                structs(BIG, 0, *letters(BIG, 3), b"\x00\x05", b"\x0a\x02", typed("c", after=(BIG, 9))),
                structs(2**30, 4, typed("d", after=(BIG, 2)), typed("é😀", before=(BIG, 8)), item(1, b"\x83\x01")),
            ],
            [deletes(BIG, (0, 1))],
        )
    )
    assert found.structs == (Span(BIG, 0, 8), Span(BIG, 10, 11), Span(2**30, 4, 139))
    assert found.needs == {7: 0, BIG: 9}
    assert (found.paired, found.inserted_bytes) == (((2**30, 5, "é😀".encode()),), 3 + 1 + 1 + 6)


def test_what_joining_takes_grows_with_the_square_of_a_run() -> None:
    run = one(BIG, 0, *letters(BIG, 1000))
    assert scan(run).joining_bytes == 1000 * 1001 // 2 - 1
    apart = one(BIG, 0, *(typed("a", after=(7, 0)) for _ in range(1000)))
    assert scan(apart).joining_bytes == 0
