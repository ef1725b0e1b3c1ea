"""Positions in UTF-16 units, code points and bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coscribe.core.units import utf8_length, utf16_length, utf16_to_code_points

TEXT = "aé漢😀b"  # 1 + 1 + 1 + 2 + 1 units, 1 + 2 + 3 + 4 + 1 bytes


@pytest.mark.parametrize(
    ("text", "units", "octets"), [("", 0, 0), ("abc", 3, 3), ("é", 1, 2), ("漢", 1, 3), ("😀", 2, 4), (TEXT, 6, 11)]
)
def test_lengths(text: str, units: int, octets: int) -> None:
    assert utf16_length(text) == units
    assert utf8_length(text) == octets


@pytest.mark.parametrize(("units", "points"), [(0, 0), (1, 1), (2, 2), (3, 3), (5, 4), (6, 5)])
def test_positions(units: int, points: int) -> None:
    assert utf16_to_code_points(TEXT, units) == points


@pytest.mark.parametrize(
    ("text", "index", "reason"),
    [
        (TEXT, 4, "Position 4 is inside a character that takes two UTF-16 units."),
        (TEXT, 7, "Position 7 is past the end of the text, which has 6 units."),
        ("abc", 4, "Position 4 is past the end of the text, which has 3 units."),
        ("abc", -1, "Position -1 is before the start of the text."),
    ],
)
def test_units_that_are_no_position(text: str, index: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        utf16_to_code_points(text, index)


@settings(derandomize=True)
@given(st.text(alphabet="aé漢😀"), st.data())
def test_there_and_back(text: str, data: st.DataObject) -> None:
    points = data.draw(st.integers(0, len(text)))
    assert utf16_to_code_points(text, utf16_length(text[:points])) == points
