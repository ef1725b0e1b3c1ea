"""Tiny neighbouring strings are joined before the engine joins them at a quadratic price."""

from __future__ import annotations

import random
import resource

import pytest
from pycrdt import Doc, Text, TransactionEvent, merge_updates
from tests.support.wire_bytes import IN_ROOT, deletes, item, one, place, string, structs, typed, uint, update

from coscribe.core import joining
from coscribe.core.joining import joined
from coscribe.core.replica import Replica


@pytest.fixture(autouse=True)
def _join_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_SMALL", 0)


def test_letters_typed_one_by_one_become_one_string() -> None:
    letters = one(5, 0, typed("a"), typed("é", after=(5, 0)), typed("😀", after=(5, 1)), typed("b", after=(5, 3)))
    assert joined(letters) == one(5, 0, typed("aé😀b"))


def test_numbers_need_not_be_written_short() -> None:
    long_way = bytes((0x84,)) + b"\x85\x80\x00" + b"\x80\x00" + string("b")
    assert joined(one(5, 0, typed("a"), long_way)) == one(5, 0, typed("ab"))


def test_each_client_and_the_deletions_keep_their_place() -> None:
    raw = update(
        [
            structs(6, 3, typed("a", after=(5, 9), before=(5, 10)), typed("b", after=(6, 3), before=(5, 10))),
            structs(5, 7, typed("c", after=(5, 6)), typed("d", after=(5, 7)), item(1, b"\x02", after=(5, 8))),
        ],
        [deletes(5, (1, 2)), deletes(7, (0, 1))],
    )
    assert joined(raw) == update(
        [
            structs(6, 3, typed("ab", after=(5, 9), before=(5, 10))),
            structs(5, 7, typed("cd", after=(5, 6)), item(1, b"\x02", after=(5, 8))),
        ],
        [deletes(5, (1, 2)), deletes(7, (0, 1))],
    )


@pytest.mark.parametrize(
    "raw",
    [
        one(5, 0, typed("a"), typed("b")),
        one(5, 0, typed("ab"), typed("c", after=(5, 0))),
        one(5, 0, typed("a"), typed("b", after=(5, 0), before=(6, 0))),
        one(5, 1, typed("a", before=(6, 0)), typed("b", after=(5, 1), before=(6, 1))),
        one(5, 1, typed("a", after=(6, 0)), typed("b", after=(6, 1))),
        one(5, 0, item(1, b"\x01"), typed("b", after=(5, 0))),
        one(5, 0, b"\x00\x03", typed("b", after=(5, 2))),
        one(5, 0, typed("a"), item(6, string("k") + string("1"), after=(5, 0)), typed("b", after=(5, 1))),
        one(5, 0, typed("a"), b"\x0a\x01", typed("b", after=(5, 0))),
        update(removed=[deletes(5, (0, 1))]),
        b"\x00\x00",
    ],
)
def test_what_yjs_would_not_join_stays(raw: bytes) -> None:
    assert joined(raw) == raw


def test_small_updates_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_SMALL", 4096)
    letters = one(5, 0, typed("a"), typed("b", after=(5, 0)))
    assert joined(letters) is letters


def letter_by_letter(seed: int) -> tuple[list[bytes], str]:
    """What three people type letter by letter, as updates that nobody has joined, and what it comes to."""
    rng = random.Random(seed)
    docs = [Doc({"content": Text()}, client_id=client) for client in (9, 4, 2**40)]
    made: list[bytes] = []

    def keep(event: TransactionEvent) -> None:
        made.append(event.update)

    subscriptions = [doc.observe(keep) for doc in docs]
    for _ in range(120):
        doc = rng.choice(docs)
        text = doc["content"]
        at = rng.randrange(len(str(text)) + 1)
        for letter in rng.choice(["word", "é😀", "\n", "ab"]):
            text.insert(len(str(text)[:at].encode()), letter)
            at += 1
        if rng.random() < 0.3 and len(str(text)) > at > 0:
            del text[len(str(text)[: at - 1].encode()) : len(str(text)[:at].encode())]
        if rng.random() < 0.2:
            other = rng.choice(docs)
            other.apply_update(doc.get_update(other.get_state()))
    for doc in docs[1:]:
        docs[0].apply_update(doc.get_update())
    assert subscriptions
    return made, str(docs[0]["content"])


@pytest.mark.parametrize("seed", range(10))
def test_the_document_is_the_same(seed: int) -> None:
    made, text = letter_by_letter(seed)
    large = merge_updates(*made)

    short = joined(large)

    assert len(short) < len(large)
    assert joined(short) == short
    replica = Replica(1)
    replica.load([large])
    assert replica.text == text
    follower = Doc({"content": Text()}, client_id=1)
    follower.apply_update(large)
    assert follower.get_state() is not None
    assert str(follower["content"]) == text
    again = Replica(2)
    again.load([*made, short])
    assert again.text == text
    assert again.clocks == replica.clocks


def test_a_book_typed_letter_by_letter_in_one_update_is_small_in_memory() -> None:
    count = 60_000
    body = b"".join(b"\x84" + place(5, clock) + b"\x01a" for clock in range(count))
    book = b"\x01" + uint(count + 1) + b"\x05\x00" + b"\x04" + IN_ROOT + b"\x01a" + body + b"\x00"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    replica = Replica(1)
    replica.load([book])

    # Without joining, the engine takes 1.8 GB for this.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert replica.text == "a" * (count + 1)
