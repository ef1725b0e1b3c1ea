"""Applying and composing lists of splices."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coscribe.core.splices import Splice, apply, canonical, compose, compose_all

TEXTS = st.text(alphabet="abc\n😀", max_size=20)


@st.composite
def splices_of(draw: st.DrawFn, length: int) -> list[Splice]:
    """A list of splices that fits a text of `length`; not always canonical."""
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=8)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return [Splice(start, end - start, draw(st.text(alphabet="xyz", max_size=4))) for start, end in pairs]


def test_apply_counts_in_the_original_text() -> None:
    assert apply("abcdef", [Splice(0, 1, "XY"), Splice(3, 0, "-"), Splice(5, 1, "")]) == "XYbc-de"


@pytest.mark.parametrize(
    "splices",
    [
        [Splice(4, 0, "x")],
        [Splice(2, 2, "")],
        [Splice(-1, 0, "x")],
        [Splice(1, -1, "x")],
        [Splice(0, 2, ""), Splice(1, 1, "")],
        [Splice(2, 0, "x"), Splice(1, 0, "x")],
    ],
)
def test_apply_refuses_what_is_no_list_of_splices(splices: list[Splice]) -> None:
    with pytest.raises(ValueError, match="is not a range"):
        apply("abc", splices)


def test_canonical_drops_the_empty_and_joins_what_touches() -> None:
    splices = [Splice(0, 0, ""), Splice(1, 1, "x"), Splice(2, 0, "y"), Splice(4, 1, "")]
    assert canonical(splices) == [Splice(1, 1, "xy"), Splice(4, 1, "")]


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ([Splice(2, 0, "xx")], [Splice(2, 2, "")], []),
        ([Splice(2, 0, "xx")], [Splice(3, 0, "-")], [Splice(2, 0, "x-x")]),
        ([Splice(2, 2, "")], [Splice(2, 0, "y")], [Splice(2, 2, "y")]),
        ([Splice(0, 1, "")], [Splice(4, 1, "z")], [Splice(0, 1, ""), Splice(5, 1, "z")]),
        ([Splice(1, 1, "xyz")], [Splice(0, 2, ""), Splice(3, 2, "")], [Splice(0, 3, "y")]),
        ([], [Splice(1, 1, "q")], [Splice(1, 1, "q")]),
        ([Splice(1, 1, "q")], [], [Splice(1, 1, "q")]),
    ],
)
def test_compose(first: list[Splice], second: list[Splice], both: list[Splice]) -> None:
    text = "abcdefgh"
    composed = compose(first, second)
    assert apply(text, composed) == apply(apply(text, first), second)
    assert composed == both


@settings(derandomize=True, max_examples=300)
@given(st.data(), TEXTS)
def test_compose_all_is_one_after_the_other(data: st.DataObject, text: str) -> None:
    steps, result = [], text
    for _ in range(data.draw(st.integers(0, 5))):
        step = data.draw(splices_of(len(result)))
        steps.append(step)
        result = apply(result, step)
    composed = compose_all(steps)
    assert apply(text, composed) == result
    assert composed == canonical(composed)
