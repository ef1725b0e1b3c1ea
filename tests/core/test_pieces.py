"""Large updates in pieces: the same document, in causal order, whole characters."""

from __future__ import annotations

import random

import pytest
from pycrdt import Doc, Text
from tests.support.wire_bytes import deletes, one, structs, typed, update

from coscribe.core.pieces import ANSWER, PieceSize, cut, is_causal, split, turn
from coscribe.core.replica import Replica, Verdict
from coscribe.core.update import scan

TURN = turn(0, 0)


def a_doc(client: int) -> Doc[Text]:
    return Doc({"content": Text()}, client_id=client)


def put_together(pieces: list[bytes]) -> Replica:
    """Through the gate, each piece on its own, as a client or a server would take them."""
    replica = Replica(2)
    for piece in pieces:
        found = scan(piece)
        assert replica.judge(found) is (Verdict.NEW if found.structs or found.deletes else Verdict.KNOWN)
        replica.admit(found)
        replica.apply([piece])
    return replica


def test_a_small_update_is_given_back() -> None:
    small = one(5, 0, typed("hi"))
    assert split(small) == [small]


@pytest.mark.parametrize("letters", ["a", "é", "😀", "a😀", "€é"])
def test_a_long_string_is_cut_between_characters(letters: str) -> None:
    text = letters * (900_000 // len(letters.encode()))
    large = one(5, 0, typed(text))

    pieces = split(large)

    assert len(pieces) > 3
    assert max(map(len, pieces)) < ANSWER.size + 100
    replica = put_together(pieces)
    assert replica.text == text
    assert replica.clocks == {5: len(text.encode("utf-16-le")) // 2}


def test_the_parts_keep_their_place_between_others() -> None:
    known = one(5, 0, typed("<>"))
    large = one(6, 0, typed("x" * 600_000, after=(5, 0), before=(5, 1)))

    replica = put_together([known, *split(large)])

    assert replica.text == "<" + "x" * 600_000 + ">"
    replica = put_together([known, one(7, 0, typed("other", after=(5, 0), before=(5, 1))), *split(large)])
    both = Replica(1, None)
    both.load([known, one(7, 0, typed("other", after=(5, 0), before=(5, 1))), large])
    assert replica.text == both.text


def random_docs(seed: int, edits: int) -> Doc[Text]:
    """Four clients that edit and hear of each other now and then; runs of up to 4 KB."""
    rng = random.Random(seed)
    docs = [a_doc(client) for client in (7, 3, 2**31, 2**52)]
    for _ in range(edits):
        doc = rng.choice(docs)
        text = str(doc["content"])
        at = len(text[: rng.randrange(len(text) + 1)].encode())
        if rng.random() < 0.2 and text:
            start = rng.randrange(len(text))
            stop = min(len(text), start + rng.randrange(1, 300))
            del doc["content"][len(text[:start].encode()) : len(text[:stop].encode())]
        else:
            doc["content"].insert(at, rng.choice(["é", "😀", "ab\n", "עברית"]) * rng.randrange(1, 800))
        if rng.random() < 0.3:
            other = rng.choice(docs)
            other.apply_update(doc.get_update(other.get_state()))
    for doc in docs[1:]:
        docs[0].apply_update(doc.get_update())
    return docs[0]


@pytest.mark.parametrize("seed", range(8))
def test_pieces_of_a_shared_history(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Pieces of 4 KB, so that dependencies between clients cross their borders often.
    monkeypatch.setattr("coscribe.core.pieces.ANSWER", PieceSize(4096, 4096, 227))
    doc = random_docs(seed, 150)
    large = doc.get_update()

    pieces = split(large)

    assert len(pieces) > 20
    replica = put_together(pieces)
    assert replica.text == str(doc["content"])
    follower = a_doc(99)
    follower.apply_update(replica.diff())
    assert str(follower["content"]) == str(doc["content"])


def test_deletions_come_last_and_in_pieces() -> None:
    ranges = [(2 * at, 1) for at in range(70_000)]
    large = update([structs(5, 0, typed("ab" * 70_000))], [deletes(5, *ranges)])

    pieces = split(large)

    assert max(map(len, pieces)) < ANSWER.size + 100
    assert put_together(pieces).text == "b" * 70_000


# What one turn of the loop takes in


@pytest.mark.parametrize("seed", range(8))
def test_a_turns_piece_is_small_in_bytes_and_in_things(seed: int) -> None:
    doc = random_docs(seed, 150)
    pieces = cut(doc.get_update(), {}, TURN)
    assert max(map(len, pieces)) < TURN.size + 100
    assert max(scan(piece).things for piece in pieces) <= 1000
    assert put_together(pieces).text == str(doc["content"])


def test_many_letters_and_many_deletions_are_many_pieces() -> None:
    letters = one(6, 0, *[typed("b", after=(5, 2 * at)) for at in range(2500)])
    first = one(5, 0, typed("ab" * 2500))
    replica = put_together([first, *cut(letters, {5: 5000}, TURN)])
    assert len(cut(letters, {5: 5000}, TURN)) == 3
    pieces = cut(update([], [deletes(5, *[(2 * (2499 - at), 1) for at in range(2500)])]), replica.clocks, TURN)
    assert [scan(piece).things for piece in pieces] == [1000, 1000, 500]


def test_a_turn_takes_less_where_the_document_is_large() -> None:
    assert turn(0, 0) == turn(100, 50_000) == (256 * 1024, 1000, 1000)
    assert turn(10_000, 0).structs == 19
    assert turn(10_000, 0).ranges == 1000
    assert turn(0, 10_000_000)[1:] == (19, 19)
    assert turn(10**9, 10**9)[1:] == (1, 1)


def test_what_is_known_is_left_out_also_between_gaps() -> None:
    known = one(5, 0, typed("abcd"))
    skip = b"\x0a\x02"  # two clocks that the update leaves out
    mixed = one(5, 0, typed("ab"), skip, typed("ef", after=(5, 3)))
    assert put_together([known, *cut(mixed, {5: 4}, TURN)]).text == "abcdef"


# Circles


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (one(5, 0, typed("a")), True),
        (update([structs(6, 0, typed("b", after=(5, 0))), structs(5, 0, typed("a"))]), True),
        (update([structs(6, 0, typed("a", after=(5, 0))), structs(5, 0, typed("b", after=(6, 0)))]), False),
        (update([structs(6, 0, typed("a", before=(5, 0))), structs(5, 0, typed("b", after=(6, 0)))]), False),
        (
            update(
                [
                    structs(5, 0, typed("a"), typed("b", after=(6, 1))),
                    structs(6, 0, typed("c", after=(5, 0)), typed("d", after=(7, 0))),
                    structs(7, 0, typed("e", after=(6, 0))),
                ]
            ),
            True,
        ),
        (
            update(
                [
                    structs(5, 0, typed("a"), typed("b", after=(6, 1))),
                    structs(6, 0, typed("c", after=(5, 0)), typed("d", after=(7, 0))),
                    structs(7, 0, typed("e", after=(5, 1))),
                ]
            ),
            False,
        ),
    ],
)
def test_circles_are_found(raw: bytes, answer: bool) -> None:
    assert is_causal(raw, scan(raw), {}) is answer
    replica = Replica(1)
    replica.load([raw])
    assert (replica.clocks == {client: end for client, _, end in scan(raw).structs}) is answer


def test_what_is_known_needs_no_order() -> None:
    known = {5: 1, 6: 1}
    raw = update([structs(6, 0, typed("a", after=(5, 0))), structs(5, 0, typed("b", after=(6, 0)))])
    assert is_causal(raw, scan(raw), known)


@pytest.mark.parametrize("seed", range(8))
def test_real_histories_have_no_circles(seed: int) -> None:
    large = random_docs(seed, 80).get_update()
    assert is_causal(large, scan(large), {})
