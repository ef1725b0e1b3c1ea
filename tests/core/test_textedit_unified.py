"""Unified diffs as edits."""

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coscribe.core.splices import Splice, apply
from coscribe.core.textedit import UnifiedDiff, apply_edits
from coscribe.errors import EditConflict

TEXT = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"
HEADERS = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n"
LINES = st.lists(st.sampled_from(["a", "b", "c", "", "long line"]), max_size=30)


def patched(text: str, diff: str) -> str:
    return apply(text, apply_edits(text, [UnifiedDiff(diff)]))


def test_two_hunks_with_headers_are_two_splices() -> None:
    first = "@@ -1,3 +1,3 @@ context\n one\n-two\n+TWO\n three\n"
    second = "@@ -7,2 +7,3 @@\n seven\n+seven and a half\n eight\n"
    diff = HEADERS + first + second
    splices = [Splice(4, 3, "TWO"), Splice(34, 0, "seven and a half\n")]
    assert apply_edits(TEXT, [UnifiedDiff(diff)]) == splices


@pytest.mark.parametrize(
    ("text", "diff", "result"),
    [
        ("", "@@ -0,0 +1,2 @@\n+a\n+b\n", "a\nb\n"),
        ("a\nb\n", "@@ -1,2 +0,0 @@\n-a\n-b\n", ""),
        ("a\nb\n", "@@ -1,0 +2 @@\n+x", "a\nx\nb\n"),
        ("a\n\nb\n", "@@ -1,3 +1,3 @@\n a\n\n-b\n+B\n", "a\n\nB\n"),
        ("a\nb\n", "@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+B\r\n", "a\nB\n"),
        ("a\nb\n", "@@ -2 +2 @@\n-b\n+B\n-- \n2.39.5\n", "a\nB\n"),
        ("a\nb", "@@ -2 +2 @@\n-b\n\\ No newline at end of file\n+B\n", "a\nB\n"),
        ("a\nb\n", "@@ -2 +2 @@\n-b\n+B\n\\ No newline at end of file\n", "a\nB"),
        ("a\nb", "@@ -2 +2,2 @@\n-b\n\\ No newline at end of file\n+B\n+c\n\\ No newline at end of file\n", "a\nB\nc"),
    ],
)
def test_forms(text: str, diff: str, result: str) -> None:
    assert patched(text, diff) == result


@pytest.mark.parametrize(
    ("diff", "result"),
    [
        ("@@ -1,2 +1,2 @@\n a\n-b\n+c\n", "a\nc"),
        ("@@ -1,2 +1,3 @@\n a\n b\n+c\n", "a\nb\nc"),
        ("@@ -1,2 +1 @@\n a\n-b\n", "a"),
        ("@@ -1,2 +0,0 @@\n-a\n-b\n", ""),
        ("@@ -2,0 +3 @@\n+c\n", "a\nb\nc"),
        ("@@ -1 +1 @@\n-a\n+A\n", "A\nb"),
        ("@@ -2 +2 @@\n-b\n+B\n\\ No newline at end of file\n", "a\nB"),
    ],
)
def test_a_newline_missing_at_the_end_of_the_text_need_not_be_marked(diff: str, result: str) -> None:
    assert patched("a\nb", diff) == result


def test_hunks_are_found_near_their_line_numbers() -> None:
    text = "x\n" * 10 + "a\n" + "x\n" * 10 + "a\n" + "x\n" * 10
    assert patched(text, "@@ -22 +22 @@\n-a\n+b\n") == "x\n" * 10 + "a\n" + "x\n" * 10 + "b\n" + "x\n" * 10
    assert patched(text, "@@ -14 +14 @@\n-a\n+b\n").startswith("x\n" * 10 + "b\n")
    assert patched(text, "@@ -900 +900 @@\n-a\n+b\n").endswith("b\n" + "x\n" * 10)


def test_a_hunk_moves_as_the_one_before_it_did() -> None:
    text = "new\n" * 5 + TEXT + TEXT
    diff = "@@ -1,2 +1,2 @@\n-one\n+ONE\n two\n@@ -6,2 +6,2 @@\n six\n-seven\n+SEVEN\n"
    assert patched(text, diff) == "new\n" * 5 + TEXT.replace("one", "ONE").replace("seven", "SEVEN") + TEXT


@pytest.mark.parametrize(
    ("diff", "reason"),
    [
        ("", "The diff has no hunk: no line starts with @@."),
        ("--- a\n+++ b\n", "The diff has no hunk: no line starts with @@."),
        ("@@ one @@\n", "Line 1 of the diff is no hunk header like “@@ -1,3 +1,4 @@”."),
        ("@@ -1,2 +1,2 @@\n one\n", "The hunk at line 1 of the diff has fewer lines than its header says."),
        ("@@ -1 +1 @@\n*one\n", "The hunk at line 1 of the diff has fewer lines than its header says."),
        (
            "@@ -1 +1,2 @@\n-one\n-two\n+1\n+2\n",
            "The hunk at line 1 of the diff has not as many lines as its header says.",
        ),
        ("@@ -1 +1 @@\n-one\n+1\n+2\n", "Line 4 of the diff is beyond the counts in the header of its hunk."),
        (
            "@@ -1 +1 @@\n-one\n+1\n--- b\n+++ b\n@@ -1 +1 @@\n-one\n+1\n",
            "Line 4 of the diff starts another file; a diff is about one text.",
        ),
        (
            "@@ -1,2 +1,2 @@\n-one\n+1\n\\ No newline at end of file\n two\n",
            "The hunk at line 1 of the diff goes on after “No newline at end of file”.",
        ),
        (
            "@@ -1 +1 @@\n-one\n+1\n\\ No newline at end of file\n",
            "The hunk at line 1 of the diff ends the text, but the text goes on.",
        ),
        (
            "@@ -1,2 +1,2 @@\n one\n-too\n+2\n",
            "The hunk “@@ -1,2 +1,2 @@” at line 1 of the diff does not match the text: line 2 is “two”, not “too”.",
        ),
        (
            "@@ -8 +8 @@\n-eight\n\\ No newline at end of file\n+8\n",
            "The hunk “@@ -8 +8 @@” at line 1 of the diff does not match the text: "
            "line 8 is “eight”, not “eight” without a newline.",
        ),
        (
            "@@ -9 +9 @@\n-nine\n+9\n",
            "The hunk “@@ -9 +9 @@” at line 1 of the diff does not match the text: there is no line 9.",
        ),
        (
            "@@ -9,0 +10 @@\n+nine\n",
            "The hunk “@@ -9,0 +10 @@” at line 1 of the diff does not match the text near line 10.",
        ),
        (
            "@@ -8 +8 @@\n-eight\n+8\n@@ -1 +1 @@\n-one\n+1\n",
            "The hunk “@@ -1 +1 @@” at line 4 of the diff does not match the text after the hunk before it.",
        ),
    ],
)
def test_what_does_not_fit_is_a_conflict_with_its_reason(diff: str, reason: str) -> None:
    with pytest.raises(EditConflict) as caught:
        patched(TEXT, diff)
    assert str(caught.value) == reason
    assert caught.value.index == 0


def test_looking_for_a_hunk_has_an_end() -> None:
    text = "same\n" * 50_000
    hunk = "@@ -25000,20001 +25000,20000 @@\n" + " same\n" * 20_000 + "-other\n"
    with pytest.raises(EditConflict, match=r"line 45000 is “same”, not “other”\."):
        patched(text, hunk)


@settings(derandomize=True, max_examples=300)
@given(LINES, LINES, st.booleans(), st.booleans(), st.integers(0, 3))
def test_a_marked_diff_of_two_texts_makes_the_one_of_the_other(
    a: list[str], b: list[str], a_ended: bool, b_ended: bool, context: int
) -> None:
    old, new = "\n".join(a) + "\n" * a_ended, "\n".join(b) + "\n" * b_ended
    lines = difflib.unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), n=context)
    diff = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    if diff:
        assert patched(old, diff) == new


@settings(derandomize=True, max_examples=300)
@given(LINES, LINES, st.integers(0, 3))
def test_a_diff_without_marks_of_texts_without_last_newlines_fits_too(a: list[str], b: list[str], context: int) -> None:
    a, b = [*a, "end"], [*b, "last"]
    diff = "\n".join(difflib.unified_diff(a, b, lineterm="", n=context))
    assert patched("\n".join(a), diff) == "\n".join(b)
