"""Surrogate pairs are not cut: behind such a cut the engine loses text."""

from __future__ import annotations

import pytest
from tests.support.wire_bytes import deletes, one, structs, typed, update

from coscribe.core.pairs import Pairs, check_cuts
from coscribe.core.replica import Replica
from coscribe.core.update import scan
from coscribe.errors import UpdateRefused

# a at clock 0, the emoji at 1 and 2, b at 3.
KNOWN = one(5, 0, typed("a😀b"))


def check(raw: bytes, *known: bytes) -> None:
    replica = Replica(1)
    replica.load(known)
    check_cuts(raw, scan(raw), replica.pairs, replica.clocks)


def test_why_the_engine_loses_what_is_typed_behind_a_cut() -> None:
    replica = Replica(1)
    replica.load([one(5, 0, typed("😀")), one(6, 0, typed("x", after=(5, 0), before=(5, 1)))])
    replica.load([one(5, 2, typed("a", after=(5, 1)))])
    replica.load([one(5, 3, typed("b", after=(5, 2)))])

    assert replica.text == "😀xa"  # b is gone for good
    assert replica.clocks[5] == 2


@pytest.mark.parametrize(
    "raw",
    [
        one(6, 0, typed("x", after=(5, 1))),
        one(6, 0, typed("x", before=(5, 2))),
        one(6, 0, typed("x", after=(5, 1), before=(5, 2))),
        update(removed=[deletes(5, (2, 1))]),
        update(removed=[deletes(5, (0, 2))]),
        update([structs(6, 0, typed("é", after=(5, 1)))], [deletes(5, (3, 1))]),
    ],
)
def test_a_cut_is_refused(raw: bytes) -> None:
    with pytest.raises(UpdateRefused, match="cut a character") as refused:
        check(raw, KNOWN)
    assert refused.value.limit == "content"


@pytest.mark.parametrize(
    "raw",
    [
        one(6, 0, typed("x", after=(5, 0), before=(5, 1))),
        one(6, 0, typed("x", after=(5, 2), before=(5, 3))),
        one(6, 0, typed("x", after=(5, 2))),
        one(6, 0, typed("😀😀", after=(5, 2)), typed("x", after=(6, 3))),
        update(removed=[deletes(5, (1, 2))]),
        update(removed=[deletes(5, (0, 4))]),
    ],
)
def test_what_keeps_pairs_whole_is_taken(raw: bytes) -> None:
    check(raw, KNOWN)


def test_an_update_may_not_cut_its_own_pairs() -> None:
    with pytest.raises(UpdateRefused):
        check(one(5, 0, typed("😀"), typed("x", after=(5, 0))))
    with pytest.raises(UpdateRefused):
        check(update([structs(6, 0, typed("x", after=(5, 0))), structs(5, 0, typed("😀"))]))


def test_another_text_for_known_clocks_may_not_go_on_inside_a_pair() -> None:
    with pytest.raises(UpdateRefused):
        check(one(5, 0, typed("a😀b")), one(5, 0, typed("ab")))


def test_pairs_are_found_by_clock_also_across_masks() -> None:
    pairs = Pairs()
    pairs.learn(one(2**40, 250, typed("abcde😀f😀", after=(2**40, 249))))

    assert [clock for clock in range(600) if (2**40, clock) in pairs] == [255, 258]
    assert (5, 255) not in pairs
    assert not Pairs()


def test_text_without_pairs_is_not_walked() -> None:
    pairs = Pairs()
    pairs.learn(one(0xF0, 0, typed("é")))  # a client id with a byte that could begin a pair
    assert not pairs
