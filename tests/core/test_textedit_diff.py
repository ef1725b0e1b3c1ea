"""Whole texts turned into few splices."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coscribe.core.splices import Splice, apply, canonical
from coscribe.core.textdiff import diff, lines_of, refine

MEGABYTES_5 = 5_000_000


def changed(old: str, new: str) -> int:
    """How many code points the diff deletes and inserts, after checking that it is right."""
    splices = diff(old, new)
    assert apply(old, splices) == new
    return sum(splice.delete + len(splice.insert) for splice in splices)


def scattered(text: str, count: int, insert: str) -> str:
    """`text` with `count` inserts at places told by a pinned seed."""
    places = sorted(random.Random(7).sample(range(len(text)), count))
    parts = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    return insert.join(parts)


@pytest.mark.parametrize(
    ("old", "new", "splices"),
    [
        ("", "", []),
        ("same\n", "same\n", []),
        ("", "new", [Splice(0, 0, "new")]),
        ("old", "", [Splice(0, 3, "")]),
        ("the cat sat", "the big cat sat", [Splice(4, 0, "big ")]),
        ("the cat", "the cot cat", [Splice(4, 0, "cot ")]),
        ("- a\n- c\n", "- a\n- b\n- c\n", [Splice(4, 0, "- b\n")]),
        ("- a\n- b\n- c\n", "- a\n- c\n", [Splice(4, 4, "")]),
        ("log\n", "log\nlog\n", [Splice(4, 0, "log\n")]),
        ("text", "<b>text</b>", [Splice(0, 0, "<b>"), Splice(4, 0, "</b>")]),
        ("foo bar", "baz qux", [Splice(0, 7, "baz qux")]),
        ("colour and flavour", "color and flavor", [Splice(4, 1, ""), Splice(16, 1, "")]),
        ("one\ntwo\nthree\n", "ONE\ntwo\nTHREE\n", [Splice(0, 3, "ONE"), Splice(8, 5, "THREE")]),
        ("今天天气很好", "今天的天气不好", [Splice(2, 0, "的"), Splice(4, 1, "不")]),
        ("a😀b", "a😃b", [Splice(1, 1, "😃")]),
    ],
)
def test_small_changes_stay_small(old: str, new: str, splices: list[Splice]) -> None:
    assert diff(old, new) == splices


@settings(derandomize=True, max_examples=500)
@given(st.text(alphabet="ab \n.漢😀"), st.text(alphabet="ab \n.漢😀"))
def test_the_splices_make_the_new_text(old: str, new: str) -> None:
    splices = diff(old, new)
    assert apply(old, splices) == new
    assert splices == canonical(splices)


@settings(derandomize=True, max_examples=300)
@given(st.lists(st.sampled_from(["one two\n", "three\n", "\n", "four five six\n"]), max_size=60), st.data())
def test_a_change_in_one_place_leaves_the_rest(lines: list[str], data: st.DataObject) -> None:
    old = "".join(lines)
    start = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(start, min(len(old), start + 10)))
    insert = data.draw(st.text(alphabet="xyz \n", max_size=10))
    assert changed(old, old[:start] + insert + old[end:]) <= end - start + len(insert)


def test_lines_end_with_line_feeds_alone() -> None:
    assert lines_of("") == []
    assert lines_of("a\u2028b\x0bc\n\nd") == ["a\u2028b\x0bc\n", "\n", "d"]
    assert lines_of("a\n") == ["a\n"]


def test_refine_keeps_what_is_deleted_only_to_come_again() -> None:
    text = "one two three\nfour\n"
    assert refine(text, [Splice(0, 14, "one 2 three\n")]) == [Splice(4, 3, "2")]
    assert refine(text, [Splice(0, 14, "one two three\n")]) == []
    assert refine(text, [Splice(4, 3, ""), Splice(14, 0, "x")]) == [Splice(4, 3, ""), Splice(14, 0, "x")]


WORDS = [f"w{number}" for number in range(20_000)]


def prose(seed: int, size: int, end: str = "\n") -> str:
    """`size` characters of random words, ten to a line."""
    words = random.Random(seed).choices(WORDS, k=size // 6)
    return end.join(" ".join(words[i : i + 10]) for i in range(0, len(words), 10))


@pytest.mark.parametrize(
    "text",
    [
        prose(1, MEGABYTES_5),
        prose(1, MEGABYTES_5, end=" "),
        prose(1, MEGABYTES_5, end=",").replace(" ", ","),
        "".join(random.Random(2).choices("abc", k=MEGABYTES_5)),
        "\n".join(random.Random(3).choices("01", k=MEGABYTES_5 // 2)),
        "".join(map(chr, random.Random(4).choices(range(0x4E00, 0x9000), k=1_500_000))),
    ],
    ids=["lines", "one line", "no spaces", "no words", "equal lines", "no words, not ASCII"],
)
def test_scattered_edits_of_a_large_text_stay_small(text: str) -> None:
    assert changed(text, scattered(text, 50, "EDIT\n")) <= 50 * 40


def test_lines_that_are_all_alike_are_aligned_piece_by_piece() -> None:
    lines = random.Random(8).choices(["0\n", "1\n"], k=4000)
    kept = [line for number, line in enumerate(lines) if number % 10]
    assert changed("".join(lines), "".join(kept)) <= 2 * 400 * 2


def test_a_large_block_that_comes_or_goes_is_one_splice() -> None:
    text, block = prose(1, MEGABYTES_5, end=" "), prose(5, 1_000_000, end=" ")
    half = len(text) // 2
    with_block = text[:half] + block + text[half:]
    with_block_edited = "new " + with_block + " end"
    assert changed(text, with_block_edited) == len(block) + 8
    assert changed(with_block_edited, text) == len(block) + 8


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (prose(1, MEGABYTES_5), prose(6, MEGABYTES_5)),
        (prose(1, MEGABYTES_5, end=" "), prose(6, MEGABYTES_5, end=" ")),
        ("a" * MEGABYTES_5, "b" + "ab" * (MEGABYTES_5 // 2)),
        ("0\n1\n" * (MEGABYTES_5 // 4), "1\n1\n0\n" * (MEGABYTES_5 // 6)),
        ("\n".join(map(chr, range(0x10000, 0x110000))), "\n".join(map(chr, range(0x10FFFF, 0xFFFF, -1)))),
    ],
    ids=["prose", "one line", "one word", "two kinds of lines", "a million kinds of lines"],
)
def test_texts_that_have_nothing_in_common_take_few_splices(old: str, new: str) -> None:
    splices = diff(old, new)
    assert apply(old, splices) == new
    assert len(splices) < 1000


def test_every_line_indented_is_only_inserts() -> None:
    old = prose(1, 200_000)
    splices = diff(old, "    " + old.replace("\n", "\n    "))
    assert len(splices) == old.count("\n") + 1
    assert all(splice.delete == 0 and splice.insert == "    " for splice in splices)
