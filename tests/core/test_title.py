"""The title that a text gives itself."""

from __future__ import annotations

import time

import pytest

from coscribe.core.title import MAX_TITLE, SEARCHED, title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", ""),
        ("\n \n", ""),
        ("# One\ntext", "One"),
        ("text\n\n## Two ##\n# One", "Two"),
        ("   ###### Six", "Six"),
        ("    # indented", "indented"),
        ("#hash", "hash"),
        ("####### seven", "seven"),
        ("# C#", "C#"),
        ("# C# #", "C#"),
        ("# #", ""),
        ("#\t tab \t\ntext", "tab"),
        ("first line\nsecond", "first line"),
        ("> * - quote", "quote"),
        ("# **Bold** _it_ `code` ~~no~~", "Bold it code no"),
        ("# A [link](http://x) and ![img](y.png)", "A link and img"),
        ("# a\u202eb\u200bc\x00d\ue000e", "abcde"),
        ("# a\u00a0\u3000b", "a b"),
        ("# 😀 é", "😀 é"),
        ("# " + "x" * 500, "x" * MAX_TITLE),
        ("---\n***\nwords", "words"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert title_of(text) == title


@pytest.mark.parametrize(
    "text",
    [
        "# a" + " " * (SEARCHED - 4) + "b",
        "# a" + " " * 1300 + "#" * 1300 + " " * 1300 + "b",
        "#" * SEARCHED,
        "[" * SEARCHED,
        "![" * (SEARCHED // 2),
        "[](" * (SEARCHED // 3),
        "[]" * (SEARCHED // 2),
        "# " + "# " * (SEARCHED // 2),
        "\n" * SEARCHED,
        " #\n" * (SEARCHED // 3),
        "`" * SEARCHED,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    # A title is made while everybody waits; a pattern with two ways to match spaces took minutes for the first.
    began = time.process_time()
    title_of(text)
    assert time.process_time() - began < 0.2
