"""The words of a text: folded, distinct, bounded."""

from __future__ import annotations

import unicodedata

import pytest

from coscribe.core.words import MOST_BYTES, listed_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("# Plan\n\n- the *first* plan, THE last", ["plan", "the", "first", "last"]),
        ("Straße STRASSE", ["strasse"]),
        ("Ä A\u0308 ä", ["ä"]),
        ("Σίσυφος ΣΊΣΥΦΟΣ", ["σίσυφοσ"]),
        ("it's o'clock", ["it", "s", "o", "clock"]),
        ("a_b 3.14 v2", ["a_b", "3", "14", "v2"]),
        ("plum🎉plum ❤️ 👩‍👩‍👧", ["plum"]),
        ("今天天氣很好。明天，下雨", ["今天天氣很好", "明天", "下雨"]),
        ("हिन्दी में खोज", ["हिन्दी", "में", "खोज"]),
        ("שָׁלוֹם", [unicodedata.normalize("NFC", "שָׁלוֹם")]),
        ("ภาษาไทยนี้", ["ภาษาไทยนี้"]),
        ("x\u0323\u0301y", ["x\u0323\u0301y"]),
        ("\u0301\u0301 a", ["a"]),
        ("a\0b \ud83d c", ["a", "b", "c"]),
        ("y" * 70, ["y" * 64, "y" * 6]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_listed_words_have_a_space_on_both_sides() -> None:
    assert listed_words("the plum, The pear") == " the plum pear "
    assert listed_words("...").strip(" ") == ""


@pytest.mark.parametrize("letter", ["a", "ä", "今", "𝒳"])
def test_listed_words_are_bounded_and_whole(letter: str) -> None:
    words = words_of(" ".join(f"{letter}{number}" for number in range(30_000)))

    listed = listed_words(" ".join(words))

    assert MOST_BYTES - 64 < len(listed.encode()) <= MOST_BYTES
    kept = listed.split(" ")[1:-1]
    assert listed == f" {' '.join(kept)} "
    assert kept == words[: len(kept)]
