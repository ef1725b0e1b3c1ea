"""One-line fields: what is seen stays, what hides or turns text around goes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from coscribe.errors import InvalidInput
from coscribe.services.names import ANIMALS, guest_name
from coscribe.services.wording import one_line, require_line


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Ada", "Ada"),
        ("  Ada \t Lovelace\r\n", "Ada Lovelace"),
        ("a\u00a0b\u2028c\u3000d\x85e", "a b c d e"),
        ("\u202eadA\u202c", "adA"),
        ("\u2066x\u2069\u200e\u200f\u061c", "x"),
        ("z\u200be\u200cr\u200do\ufeff\u2060", "zero"),
        ("\x00\x07\x1b[31mred", "[31mred"),
        ("\u3164\u115f\u2800\uffa0\u034f", ""),
        ("tag\U000e0041\U000e007f", "tag"),
        ("private\ue000\U000f0000", "private"),
        ("half\ud83d", "half"),
        ("e\u0301", "\u00e9"),
        ("name 🎈 \u2764\ufe0f", "name 🎈 \u2764\ufe0f"),
        ("\u05e2\u05d1\u05e8\u05d9\u05ea", "\u05e2\u05d1\u05e8\u05d9\u05ea"),
    ],
)
def test_one_line(typed: str, shown: str) -> None:
    assert one_line(typed) == shown


@seed(20260301)
@given(st.text())
def test_one_line_shows_everything_it_holds_and_is_stable(typed: str) -> None:
    line = one_line(typed)
    assert one_line(line) == line
    assert line == line.strip()
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for character in line)


def test_lengths_count_what_is_left() -> None:
    assert require_line(" " * 50 + "x" * 40, field="name", most=40) == "x" * 40
    for typed in ("x" * 41, "", " \u200b "):
        with pytest.raises(InvalidInput) as refused:
            require_line(typed, field="name", most=40)
        assert refused.value.field == "name"


def test_guest_names_are_friendly_and_many() -> None:
    assert len(set(ANIMALS)) == len(ANIMALS) >= 60
    name = guest_name()
    assert name.removeprefix("Anonymous ") in ANIMALS
    assert require_line(name, field="name", most=40) == name
