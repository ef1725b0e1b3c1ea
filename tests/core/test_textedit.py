"""The edits of `PATCH .../text`: literal results, refusals, and their composition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coscribe.core.splices import canonical
from coscribe.core.textedit import (
    Append,
    Edit,
    FindReplace,
    Insert,
    Prepend,
    Replace,
    ReplaceLines,
    Splice,
    UnifiedDiff,
    Units,
    apply,
    apply_edits,
    normalise,
)
from coscribe.errors import EditConflict, InvalidInput


def edited(text: str, *edits: Edit, units: Units = Units.CODE_POINTS) -> str:
    return apply(text, apply_edits(text, edits, units))


def conflict(text: str, *edits: Edit, units: Units = Units.CODE_POINTS) -> tuple[int, str]:
    with pytest.raises(EditConflict) as caught:
        apply_edits(text, edits, units)
    return caught.value.index, str(caught.value)


def test_normalise_knows_one_line_end() -> None:
    assert normalise("a\r\nb\rc\n\r\n") == "a\nb\nc\n\n"
    assert normalise("漢\u2028\x0b😀") == "漢\u2028\x0b😀"


def test_normalise_refuses_a_lone_surrogate() -> None:
    with pytest.raises(InvalidInput, match="a lone surrogate at position 2") as caught:
        normalise("ab\ud83d", "text")
    assert caught.value.field == "text"


@pytest.mark.parametrize(
    ("edit", "result"),
    [
        (Append("!"), "one two\none!"),
        (Prepend("# "), "# one two\none"),
        (Insert(4, "x"), "one xtwo\none"),
        (Insert(11, "x"), "one two\nonex"),
        (Replace(4, 7, "2"), "one 2\none"),
        (Replace(0, 11, ""), ""),
        (FindReplace("one", "1"), "1 two\none"),
        (FindReplace("one", "1", all=True), "1 two\n1"),
        (FindReplace("o", "oo", all=True), "oone twoo\noone"),
        (UnifiedDiff("@@ -2 +2 @@\n-one\n+two\n"), "one two\ntwo"),
    ],
)
def test_one_edit(edit: Edit, result: str) -> None:
    assert edited("one two\none", edit) == result


@pytest.mark.parametrize(
    ("text", "edit", "result"),
    [
        ("a\nb\nc\n", ReplaceLines(2, 2, "x"), "a\nx\nc\n"),
        ("a\nb\nc\n", ReplaceLines(2, 2, "x\n"), "a\nx\nc\n"),
        ("a\nb\nc\n", ReplaceLines(1, 2, "x\ny\nz"), "x\ny\nz\nc\n"),
        ("a\nb\nc\n", ReplaceLines(2, 2, "\n"), "a\n\nc\n"),
        ("a\nb\nc\n", ReplaceLines(2, 2, ""), "a\nc\n"),
        ("a\nb\nc\n", ReplaceLines(1, 3, ""), ""),
        ("a\nb\nc\n", ReplaceLines(4, 4, "d"), "a\nb\nc\nd"),
        ("a\nb\nc\n", ReplaceLines(4, 4, ""), "a\nb\nc"),
        ("a\nb", ReplaceLines(2, 2, "x"), "a\nx"),
        ("a\nb", ReplaceLines(2, 2, "x\n"), "a\nx\n"),
        ("a\nb", ReplaceLines(2, 2, ""), "a"),
        ("a\nb", ReplaceLines(1, 2, ""), ""),
        ("", ReplaceLines(1, 1, "x"), "x"),
    ],
)
def test_replace_lines(text: str, edit: ReplaceLines, result: str) -> None:
    assert edited(text, edit) == result


def test_replace_lines_of_a_long_text_finds_its_line() -> None:
    lines = [f"line {number}" for number in range(1, 30_001)]
    result = edited("\n".join(lines), ReplaceLines(20_001, 20_003, "x"))
    assert result == "\n".join([*lines[:20_000], "x", *lines[20_003:]])


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (Insert(4, "x"), "Position 4 is past the end of the text, which has 3 characters."),
        (Insert(-1, "x"), "Position -1 is before the start of the text."),
        (Replace(2, 1, "x"), "The start 2 is after the end 1."),
        (Replace(1, 9, "x"), "Position 9 is past the end of the text, which has 3 characters."),
        (FindReplace("", "x"), "There is nothing to find: the text to look for is empty."),
        (FindReplace("y", "x"), "The text to find is not in the document."),
        (FindReplace("y", "x", all=True), "The text to find is not in the document."),
        (ReplaceLines(0, 1, "x"), "Lines are counted from 1."),
        (ReplaceLines(2, 1, "x"), "The first line 2 is after the last line 1."),
        (ReplaceLines(1, 3, "x"), "There is no line 3: the text has 2 lines."),
        (UnifiedDiff("x"), "The diff has no hunk: no line starts with @@."),
    ],
)
def test_an_edit_that_cannot_be_made_is_a_conflict(edit: Edit, reason: str) -> None:
    assert conflict("a\nb", edit) == (0, reason)
    assert conflict("", Append("a"), Append("\nb"), edit) == (2, reason)


def test_positions_in_utf16_units() -> None:
    assert edited("a😀b", Insert(3, "x"), units=Units.UTF16) == "a😀xb"
    assert edited("a😀b", Replace(1, 3, ""), units=Units.UTF16) == "ab"
    assert apply_edits("a😀b", [Insert(3, "x")], Units.UTF16) == [Splice(2, 0, "x")]
    inside = (0, "Position 2 is inside a character that takes two UTF-16 units.")
    assert conflict("a😀b", Insert(2, "x"), units=Units.UTF16) == inside
    past = (0, "Position 5 is past the end of the text, which has 4 units.")
    assert conflict("a😀b", Replace(0, 5, "x"), units=Units.UTF16) == past


def test_what_comes_in_is_normalised() -> None:
    assert edited("a", Append("\r\nb\r"), Insert(3, "c")) == "a\nbc\n"
    assert edited("a\nb", FindReplace("a\r\nb", "c\r")) == "c\n"
    with pytest.raises(InvalidInput) as caught:
        apply_edits("a", [Append("b"), FindReplace("a", "\udc00")])
    assert caught.value.field == "edits[1].replace"


def test_edits_are_made_one_after_the_other_and_leave_the_rest_alone() -> None:
    edits: list[Edit] = [Prepend("> "), FindReplace("two", "2"), Insert(6, "x"), Append("!")]
    splices = [Splice(0, 0, "> "), Splice(4, 3, "x2"), Splice(13, 0, "!")]
    assert apply_edits("one two three", edits) == splices


def test_what_is_undone_again_is_no_change() -> None:
    assert apply_edits("abc", []) == []
    assert apply_edits("abc", [Append("x"), Replace(3, 4, "")]) == []
    assert apply_edits("abc", [Replace(0, 3, "abc")]) == []
    assert apply_edits("a b a", [FindReplace("a", "a", all=True)]) == []


def test_a_replaced_range_keeps_what_it_has_in_common() -> None:
    text = "one\ntwo words\nthree\n"
    assert apply_edits(text, [ReplaceLines(1, 3, "one\n2 words\nthree")]) == [Splice(4, 3, "2")]


def test_too_many_places_are_replaced_as_one_range() -> None:
    text = "x " + "a" * 200_000 + " y"
    splices = apply_edits(text, [FindReplace("a", "b", all=True)])
    assert splices == [Splice(2, 200_000, "b" * 200_000)]


def test_replacing_may_not_multiply_a_text_without_end() -> None:
    index, reason = conflict("", Append("a" * 100_000), FindReplace("a", "b" * 1000, all=True))
    assert index == 1
    assert reason == "The text to find is there 100000 times: the result would be too long."


def test_the_edits_of_a_long_text_are_bounded() -> None:
    text = "line\n" * 1_000_000
    index, reason = conflict(text, *[Append("x")] * 1000)
    assert reason == "These are too many edits at once for a text this long: send fewer."
    assert index == 199
    assert len(apply_edits(text, [Insert(at * 10, "x") for at in range(100)])) == 100


def made(text: str, edit: Edit) -> str:
    """What an edit means, said with strings alone."""
    match edit:
        case Append(new):
            return text + new
        case Prepend(new):
            return new + text
        case Insert(at, new):
            return text[:at] + new + text[at:]
        case Replace(start, end, new):
            return text[:start] + new + text[end:]
        case FindReplace(find, new, every):
            return text.replace(find, new, -1 if every else 1)
        case _:
            raise AssertionError(edit)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(alphabet="ab \n😀"), st.data())
def test_the_splices_do_what_the_edits_do(text: str, data: st.DataObject) -> None:
    new = st.text(alphabet="ab \n😀", max_size=6)
    edits: list[Edit] = []
    result = text
    for _ in range(data.draw(st.integers(0, 6))):
        start = data.draw(st.integers(0, len(result)))
        end = data.draw(st.integers(start, len(result)))
        choices: list[st.SearchStrategy[Edit]] = [st.builds(Append, new), st.builds(Prepend, new)]
        choices.append(st.builds(Insert, st.just(start), new))
        choices.append(st.builds(Replace, st.just(start), st.just(end), new))
        if start < end:
            choices.append(st.builds(FindReplace, st.just(result[start:end]), new, st.booleans()))
        edits.append(data.draw(st.one_of(choices)))
        result = made(result, edits[-1])
    splices = apply_edits(text, edits)
    assert apply(text, splices) == result
    assert splices == canonical(splices)
