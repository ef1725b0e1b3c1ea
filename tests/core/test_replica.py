"""The causal gate in front of the engine, and the engine behind its guarded door."""

from __future__ import annotations

import gc
import weakref

import pytest
from pycrdt import Doc, Text
from tests.support.wire_bytes import deletes, item, one, string, structs, typed, update

from coscribe.core.committed import CommittedText
from coscribe.core.replica import EngineFailed, Replica, Verdict
from coscribe.core.splices import Splice, apply, coarsen
from coscribe.core.update import scan


@pytest.fixture
def replica() -> Replica:
    """`hello` typed by client 5."""
    replica = Replica(1)
    take(replica, one(5, 0, typed("hello")))
    return replica


def take(replica: Replica, *updates: bytes) -> None:
    for raw in updates:
        found = scan(raw)
        assert replica.judge(found) is Verdict.NEW
        replica.admit(found)
    replica.apply(updates)


def test_whether_a_text_fits_is_told_to_the_byte(replica: Replica) -> None:
    assert (replica.fits(1000), replica.fits(5), replica.fits(4)) == (True, True, False)
    replica.edit([Splice(5, 0, "é")])
    assert (replica.fits(7), replica.fits(6)) == (True, False)
    take(replica, one(6, 0, typed("ab", after=(5, 4))))
    assert (replica.fits(9), replica.fits(8)) == (True, False)
    replica.edit([Splice(0, 8, "")])
    assert replica.fits(0)
    whole = Replica(2, state=one(5, 0, typed("hello")))
    assert (whole.fits(5), whole.fits(4)) == (True, False)


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        (one(5, 5, typed("!", after=(5, 4))), Verdict.NEW),
        (one(6, 0, typed("a", after=(5, 4))), Verdict.NEW),
        (one(5, 3, typed("lo!", after=(5, 2))), Verdict.NEW),  # overlaps what is known
        (one(5, 0, b"\x0a\x05", typed("!", after=(5, 4))), Verdict.NEW),  # a Skip over what is known
        (one(5, 0, typed("hello")), Verdict.KNOWN),
        (one(5, 1, typed("el", after=(5, 0))), Verdict.KNOWN),
        (b"\x00\x00", Verdict.KNOWN),
        (one(5, 6, typed("!", after=(5, 4))), Verdict.GAP),
        (one(6, 1, typed("a", after=(5, 4))), Verdict.GAP),
        (one(6, 0, typed("a", after=(5, 5))), Verdict.GAP),  # an origin that is not here
        (one(6, 0, typed("a", before=(7, 0))), Verdict.GAP),
        (one(5, 5, typed("!", after=(5, 4)), b"\x0a\x02", typed("?", after=(5, 5))), Verdict.GAP),
        (update(removed=[deletes(5, (0, 5))]), Verdict.NEW),
        (update(removed=[deletes(5, (4, 2))]), Verdict.GAP),  # deletes more than there is
        (update(removed=[deletes(6, (0, 1))]), Verdict.GAP),
        (update([structs(5, 5, typed("!", after=(5, 4)))], [deletes(5, (5, 1))]), Verdict.NEW),
        (update([structs(6, 0, typed("a", after=(7, 0))), structs(7, 0, typed("b", after=(5, 0)))]), Verdict.NEW),
    ],
)
def test_the_gate(replica: Replica, raw: bytes, verdict: Verdict) -> None:
    assert replica.judge(scan(raw)) is verdict
    assert replica.text == "hello"


def test_the_clocks_run_ahead_of_the_engine(replica: Replica) -> None:
    first, second = one(5, 5, typed("!", after=(5, 4))), one(5, 6, typed("?", after=(5, 5)))
    replica.admit(scan(first))

    assert replica.judge(scan(second)) is Verdict.NEW
    assert replica.text == "hello"
    replica.admit(scan(second))
    assert replica.apply([first, second]) == [{"retain": 5}, {"insert": "!?"}]
    assert replica.text == "hello!?"


def test_known_content_changes_nothing(replica: Replica) -> None:
    assert replica.apply([one(5, 0, typed("hello"))]) == []
    assert replica.apply_if_new(one(5, 0, typed("hello"))) is None
    gone = update(removed=[deletes(5, (0, 1))])
    assert replica.apply_if_new(gone) == [{"delete": 1}]
    assert replica.apply_if_new(gone) is None


def test_an_error_of_the_engine_comes_out_as_one_of_ours(replica: Replica) -> None:
    with pytest.raises(EngineFailed):
        replica.apply([b"\xff\xff"])


def test_a_panic_of_the_engine_comes_out_as_one_of_ours(replica: Replica) -> None:
    # A delete past the end panics; PanicException is no Exception.
    with pytest.raises(EngineFailed, match="panicked"):
        replica.edit([Splice(0, 9, "")])


def test_edits_count_code_points(replica: Replica) -> None:
    take(replica, one(6, 0, typed("é😀ñ", after=(5, 4))))

    raw, delta = replica.edit([Splice(1, 1, "E"), Splice(5, 2, "🎉"), Splice(8, 0, "!")])

    assert replica.text == "hEllo🎉ñ!"
    followed = CommittedText("helloé😀ñ")
    followed.apply(delta)
    assert str(followed) == replica.text
    other = Replica(2, replica.diff())
    assert other.text == replica.text
    assert scan(raw).structs[0].client == 1
    assert replica.clocks[1] == 4


def test_an_edit_that_does_nothing_has_an_empty_update(replica: Replica) -> None:
    assert replica.edit([Splice(2, 0, "")]) == (b"\x00\x00", [])


def test_a_diff_holds_what_the_other_lacks(replica: Replica) -> None:
    other = Doc(client_id=9)
    other["content"] = Text()
    other.apply_update(replica.diff())
    take(replica, one(5, 5, typed("!", after=(5, 4))))

    other.apply_update(replica.diff(other.get_state()))

    assert str(other["content"]) == "hello!"
    assert replica.diff(replica.state_vector()) == b"\x00\x00"


def test_loading_takes_the_clocks_and_the_pairs() -> None:
    replica = Replica(1)
    replica.load([one(5, 0, typed("a😀")), one(5, 3, item(6, string("k") + string("1"), after=(5, 2)))])

    assert replica.clocks == {5: 4}
    assert (5, 1) in replica.pairs
    assert (5, 2) not in replica.pairs
    assert (replica.text, replica.size) == ("a😀", 5)


def test_an_edit_in_very_many_places_is_made_in_fewer() -> None:
    replica = Replica(1)
    replica.edit([Splice(0, 0, "é\r" * 30_000 + "end")])

    replica.edit([Splice(2 * at + 1, 1, "\n") for at in range(30_000)])

    assert replica.text == "é\n" * 30_000 + "end"
    # Each place is an item of its own: 1,000 of them, and not 30,000.
    assert len(replica.diff()) < 200_000


@pytest.mark.parametrize("most", [1, 2, 3, 50])
def test_coarser_splices_do_the_same(most: int) -> None:
    text = "".join(chr(0x61 + at % 26) for at in range(200))
    fine = [Splice(3, 0, "X"), Splice(4, 2, ""), Splice(7, 1, "éé"), Splice(90, 5, "Y"), Splice(96, 0, "Z")]
    coarse = coarsen(text, fine, most)
    assert apply(text, coarse) == apply(text, fine)
    assert len(coarse) == min(most, len(fine))
    if most == 2:
        assert [(splice.at, splice.end) for splice in coarse] == [(3, 8), (90, 96)]


def test_a_replica_that_is_given_up_leaves_nothing_behind() -> None:
    replica = Replica(1)
    replica.edit([Splice(0, 0, "text")])
    doc = weakref.ref(replica._doc)

    del replica
    gc.collect()

    assert doc() is None
