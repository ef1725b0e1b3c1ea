"""Edits as people and programs describe them (`PATCH .../text`), turned into splices of the text they are made on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import assert_never

from coscribe.core import unified
from coscribe.core.alignment import Work
from coscribe.core.splices import Splice, apply, compose_all
from coscribe.core.textdiff import diff, refine
from coscribe.core.units import Units, utf16_to_code_points
from coscribe.errors import EditConflict, InvalidInput

__all__ = [
    "Append",
    "Edit",
    "FindReplace",
    "Insert",
    "Prepend",
    "Replace",
    "ReplaceLines",
    "Splice",
    "UnifiedDiff",
    "Units",
    "apply",
    "apply_edits",
    "diff",
    "normalise",
]

# Every edit reads and copies the text, some 1,000 characters in a microsecond: one or two seconds in all.
_MOST_READ = 10**9
# How much longer it takes to cut the text into lines, or to count UTF-16 units where it is not ASCII.
_SLOWER = 8
# Characters that are copied in the time in which one is compared.
_COPIED = 256
# Lines of the text compared in looking for the hunks of diffs: about half a second.
_MOST_COMPARISONS = 1_000_000
# More places than this are replaced as one range: a million small operations would hold everybody up.
_MOST_PLACES = 100_000
# A find and replace can multiply what a request holds; this many characters take at most 256 MB.
_LONGEST = 2**26
# Below this many characters newlines are looked for one by one, above it they are counted.
_FEW = 4096


@dataclass(frozen=True, slots=True)
class Append:
    """`text` comes after the end."""

    text: str


@dataclass(frozen=True, slots=True)
class Prepend:
    """`text` comes before the start."""

    text: str


@dataclass(frozen=True, slots=True)
class Insert:
    """`text` comes at the position `at`."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Replace:
    """`text` comes instead of the positions `start` up to but without `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class FindReplace:
    """`replace` comes instead of the first place, or `all` places, where `find` is. Case counts; no patterns."""

    find: str
    replace: str
    all: bool = False


@dataclass(frozen=True, slots=True)
class ReplaceLines:
    """`text` comes instead of the lines `first` to `last`, counted from 1, both included.

    Lines are what an editor shows: a text that ends with a newline has an empty last line. The last replaced line
    keeps its newline when `text` brings none. With an empty `text` the lines go wholly, each with its newline; when
    they are the last of the text, the newline before them goes in place of the one they lack.
    """

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class UnifiedDiff:
    """The hunks of `diff` are applied; see `unified.plan` for how they are found."""

    diff: str


Edit = Append | Prepend | Insert | Replace | FindReplace | ReplaceLines | UnifiedDiff


def normalise(text: str, field: str | None = None) -> str:
    """`text` as documents hold it (rule D12): CRLF and CR become LF; a lone surrogate raises InvalidInput."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            reason = f"The text is no well-formed Unicode: a lone surrogate at position {error.start}."
            raise InvalidInput(reason, field=field) from None
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def apply_edits(text: str, edits: Sequence[Edit], units: Units = Units.CODE_POINTS) -> list[Splice]:
    """The splices of `text` that do what `edits` do in order, each on the result of the one before.

    All or nothing. `units` is what the positions in the edits count. What an edit puts in is normalised first, so
    later positions count a line end as one. EditConflict names the first edit that cannot be made and why;
    InvalidInput, with a field like `edits[2].text`, one whose text is no well-formed Unicode.
    """
    original = text
    steps: list[list[Splice]] = []
    search = Work(_MOST_COMPARISONS)
    read = 0
    for index, edit in enumerate(edits):
        try:
            step = _splices(text, _normalised(edit, index), units, search)
        except ValueError as error:
            raise EditConflict(str(error), index=index) from None
        slow = isinstance(edit, UnifiedDiff) or (units is Units.UTF16 and not text.isascii())
        text = apply(text, step)
        steps.append(step)
        read += len(text) * (_SLOWER if slow else 1)
        if read > _MOST_READ:
            raise EditConflict("These are too many edits at once for a text this long: send fewer.", index=index)
    return refine(original, compose_all(steps))


def weight(edits: Sequence[Edit], length: int) -> int:
    """About how many characters are compared to make these edits of a text of this length."""
    return sum(_weight(edit, length) for edit in edits)


def _weight(edit: Edit, length: int) -> int:
    match edit:
        case Append() | Prepend() | Insert():
            return length // _COPIED
        case Replace():
            return length // _COPIED + len(edit.text) + min(length, max(0, edit.end - edit.start))
        case FindReplace():
            return length + len(edit.replace)
        case ReplaceLines():
            return length + len(edit.text)
        case UnifiedDiff():
            return length + len(edit.diff)
        case _:
            assert_never(edit)


def _normalised(edit: Edit, index: int) -> Edit:
    values = asdict(edit)
    for name, value in values.items():
        if isinstance(value, str):
            values[name] = normalise(value, f"edits[{index}].{name}")
    return type(edit)(**values)


def _splices(text: str, edit: Edit, units: Units, search: Work) -> list[Splice]:
    """What one edit does to `text`; ValueError with a sentence when it cannot be made."""
    match edit:
        case Append():
            splices = [Splice(len(text), 0, edit.text)]
        case Prepend():
            splices = [Splice(0, 0, edit.text)]
        case Insert():
            splices = [Splice(_position(text, edit.at, units), 0, edit.text)]
        case Replace():
            splices = _replace(text, edit, units)
        case FindReplace():
            splices = _find_replace(text, edit)
        case ReplaceLines():
            splices = _replace_lines(text, edit)
        case UnifiedDiff():
            splices = unified.plan(text, unified.parse(edit.diff), search)
        case _:
            assert_never(edit)
    return splices


def _position(text: str, index: int, units: Units) -> int:
    if units is Units.UTF16:
        return utf16_to_code_points(text, index)
    if index < 0:
        raise ValueError(f"Position {index} is before the start of the text.")
    if index > len(text):
        raise ValueError(f"Position {index} is past the end of the text, which has {len(text)} characters.")
    return index


def _replace(text: str, edit: Replace, units: Units) -> list[Splice]:
    if edit.start > edit.end:
        raise ValueError(f"The start {edit.start} is after the end {edit.end}.")
    start, end = _position(text, edit.start, units), _position(text, edit.end, units)
    return [Splice(start, end - start, edit.text)]


def _find_replace(text: str, edit: FindReplace) -> list[Splice]:
    if not edit.find:
        raise ValueError("There is nothing to find: the text to look for is empty.")
    count = text.count(edit.find) if edit.all else 1
    at = text.find(edit.find)
    if at < 0:
        raise ValueError("The text to find is not in the document.")
    if len(text) + count * len(edit.replace) > _LONGEST:
        raise ValueError(f"The text to find is there {count} times: the result would be too long.")
    if count > _MOST_PLACES:
        end = text.rfind(edit.find) + len(edit.find)
        return [Splice(at, end - at, text[at:end].replace(edit.find, edit.replace))]
    splices: list[Splice] = []
    for _ in range(count):
        splices.append(Splice(at, len(edit.find), edit.replace))
        at = text.find(edit.find, at + len(edit.find))
    return splices


def _replace_lines(text: str, edit: ReplaceLines) -> list[Splice]:
    count = text.count("\n") + 1
    if edit.first > edit.last:
        raise ValueError(f"The first line {edit.first} is after the last line {edit.last}.")
    if edit.first < 1:
        raise ValueError("Lines are counted from 1.")
    if edit.last > count:
        raise ValueError(f"There is no line {edit.last}: the text has {count} lines.")
    start, end = _line_start(text, edit.first), len(text)
    new = edit.text
    if edit.last < count:
        end = _line_start(text, edit.last + 1)
        new += "\n" if new and not new.endswith("\n") else ""
    elif not new and start:
        start -= 1
    return [Splice(start, end - start, new)]


def _line_start(text: str, line: int) -> int:
    """Where the line, counted from 1, starts. It must exist."""
    low, high, newlines = 0, len(text), line - 1
    while high - low > _FEW:
        middle = (low + high) // 2
        count = text.count("\n", low, middle)
        if count >= newlines:
            high = middle
        else:
            low, newlines = middle, newlines - count
    for _ in range(newlines):
        low = text.find("\n", low) + 1
    return low
