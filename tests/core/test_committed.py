"""The committed text follows the engine's deltas, and tells them in either unit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coscribe.core.committed import _CHUNK, CommittedText
from coscribe.core.replica import Replica
from coscribe.core.splices import Splice, apply
from coscribe.core.units import Units

# One to four bytes, one or two units, one to several code points a character, both directions.
LETTERS = ["a", "\n", "é", "ñ", "€", "ع", "א", "😀", "👩\u200d🚀", "e\u0301", "中", "\u2028", "\U0010ffff"]
TEXTS = st.lists(st.sampled_from(LETTERS), max_size=8).map("".join)


def follow(text: str, ops: list[dict[str, Any]], units: Units) -> str:
    """What a reader of the feed makes of a text event."""
    encoding, width = ("utf-16-le", 2) if units is Units.UTF16 else ("utf-32-le", 4)
    old, at, new = text.encode(encoding), 0, b""
    for op in ops:
        if "retain" in op:
            new += old[at : at + width * op["retain"]]
            at += width * op["retain"]
        elif "delete" in op:
            at += width * op["delete"]
        else:
            new += op["insert"].encode(encoding)
    return (new + old[at:]).decode(encoding)


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, list[list[tuple[float, float, str]]]]:
    """A text, and transactions of edits; places are shares of the text's length."""
    share = st.floats(0, 1)
    one = st.tuples(share, share, TEXTS)
    return draw(TEXTS), draw(st.lists(st.lists(one, min_size=1, max_size=3), min_size=1, max_size=6))


def splices(text: str, places: list[tuple[float, float, str]]) -> list[Splice]:
    """Ascending splices, at most one character or two long."""
    found: list[Splice] = []
    done = 0
    for where, length, insert in sorted(places, key=lambda place: place[0]):
        at = max(done, round(where * len(text)))
        delete = min(round(length * 3), len(text) - at)
        found.append(Splice(at, delete, insert))
        done = at + delete
    return found


@given(edits())
@settings(derandomize=True, max_examples=300, deadline=None)
def test_every_edit_comes_out_alike_in_both_units(case: tuple[str, list[list[tuple[float, float, str]]]]) -> None:
    text, transactions = case
    replica = Replica(1)
    replica.edit([Splice(0, 0, text)])
    committed = CommittedText(text)
    for places in transactions:
        change = splices(text, places)
        _, delta = replica.edit(change)
        ops = committed.apply(delta)
        wanted = apply(text, change)
        assert str(committed) == wanted == replica.text
        for units in Units:
            assert follow(text, [op.to_json(units) for op in ops], units) == wanted
        text = wanted
        assert committed.size == len(text.encode())


@pytest.mark.parametrize("letter", ["a", "é", "😀"])
def test_a_text_of_many_chunks(letter: str) -> None:
    width = len(letter.encode())
    count = 3 * _CHUNK + 5
    committed = CommittedText(letter * count)

    ops = committed.apply(
        [{"retain": width}, {"insert": "X" * (5 * _CHUNK)}, {"retain": width * _CHUNK}, {"delete": width * _CHUNK}]
    )

    assert str(committed) == letter + "X" * (5 * _CHUNK) + letter * (count - 1 - _CHUNK)
    assert [op.to_json(Units.CODE_POINTS) for op in ops][2:] == [{"retain": _CHUNK}, {"delete": _CHUNK}]
    ops = committed.apply([{"delete": committed.size}])
    assert str(committed) == ""
    assert ops[0].to_json(Units.CODE_POINTS) == {"delete": count + 4 * _CHUNK}
    committed.apply([{"insert": "again"}])
    assert str(committed) == "again"


def test_a_last_retain_says_nothing() -> None:
    assert CommittedText("abc").apply([{"retain": 3, "attributes": {"bold": True}}]) == []


def test_the_head_of_a_text_whose_chunks_have_shrunk() -> None:
    committed = CommittedText("a" * 4 * _CHUNK)
    for chunk in range(4):
        committed.apply([{"retain": 10 * chunk}, {"delete": _CHUNK - 10}])

    assert committed.head(35) == "a" * 35
    assert committed.head(4000) == "a" * 40
    assert committed.head(0) == ""
    assert CommittedText("").head(5) == ""


@pytest.mark.parametrize("at_once", [1, 7])
def test_a_text_that_grows_at_its_end_stays_in_few_chunks(at_once: int) -> None:
    committed = CommittedText("")
    for length in range(0, 4 * _CHUNK, at_once):
        ops = committed.apply(
            [{"retain": length}, {"insert": "x" * at_once}] if length else [{"insert": "x" * at_once}]
        )
        assert ops[-1].text == "x" * at_once
    assert len(committed._chunks) <= 6
    assert committed.size == len(str(committed)) >= 4 * _CHUNK
    committed.apply([{"retain": committed.size - 1}, {"delete": 1}, {"insert": "end"}])
    assert str(committed).endswith("xend")
    assert len(committed._chunks) <= 6
