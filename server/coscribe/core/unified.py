"""Unified diffs: reading their hunks and finding where in a text they belong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from coscribe.core.alignment import Work
from coscribe.core.splices import Splice, SpliceWriter, compose_all
from coscribe.core.textdiff import lines_of

_HEADER = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_NO_NEWLINE = "\\"
# What may stand between hunks: the headers of another file would mean another document.
_FILE_HEADERS = ("--- ", "+++ ", "diff ", "Index: ")
_QUOTED = 60


@dataclass(slots=True)
class Hunk:
    """One hunk. `lines` hold the mark (space, - or +) and the content, with its newline where it has one."""

    header: str
    number: int  # the line of the diff that the header is on, from 1
    start: int  # how many lines of the text come before it, as its header says
    lines: list[tuple[str, str]] = field(default_factory=list)

    @property
    def old(self) -> list[str]:
        """The lines of the text that it is about."""
        return [content for mark, content in self.lines if mark != "+"]

    @property
    def new(self) -> list[str]:
        """The lines that the text has there afterwards."""
        return [content for mark, content in self.lines if mark != "-"]

    @property
    def unended(self) -> bool:
        """Whether the text ends with this hunk, without a newline, afterwards."""
        return bool(self.new) and not self.new[-1].endswith("\n")


def parse(diff: str) -> list[Hunk]:
    """The hunks of a unified diff of one file, with or without file headers; ValueError with a sentence otherwise."""
    lines = diff.removesuffix("\n").split("\n")
    at = next((i for i, line in enumerate(lines) if line.startswith("@@")), len(lines))
    hunks: list[Hunk] = []
    while at < len(lines) and lines[at] != "-- ":  # where git's mail signature starts
        line = lines[at]
        if line.startswith("@@"):
            hunk, at = _hunk(lines, at)
            hunks.append(hunk)
        elif not line:
            at += 1
        elif line.startswith(_FILE_HEADERS):
            raise ValueError(f"Line {at + 1} of the diff starts another file; a diff is about one text.")
        else:
            raise ValueError(f"Line {at + 1} of the diff is beyond the counts in the header of its hunk.")
    if not hunks:
        raise ValueError("The diff has no hunk: no line starts with @@.")
    return hunks


def _hunk(lines: list[str], at: int) -> tuple[Hunk, int]:
    """The hunk whose header is lines[at], and the line after it."""
    header = _HEADER.match(lines[at])
    if header is None:
        raise ValueError(f"Line {at + 1} of the diff is no hunk header like “@@ -1,3 +1,4 @@”.")
    old_start, old_left = int(header[1]), int(header[2] or 1)
    new_left = int(header[4] or 1)
    # With no old lines the header names the line before the insert, else the first line of the hunk.
    hunk = Hunk(header[0], at + 1, max(old_start - 1, 0) if old_left else old_start)
    at += 1
    while old_left > 0 or new_left > 0:
        mark, content = _line(lines, at, hunk)
        hunk.lines.append((mark, content))
        old_left -= mark != "+"
        new_left -= mark != "-"
        at += 1
        if at < len(lines) and lines[at].startswith(_NO_NEWLINE):
            hunk.lines[-1] = (mark, content[:-1])
            at += 1
    if old_left < 0 or new_left < 0:
        raise ValueError(f"The hunk at line {hunk.number} of the diff has not as many lines as its header says.")
    if not all(line.endswith("\n") for line in (*hunk.old[:-1], *hunk.new[:-1])):
        raise ValueError(f"The hunk at line {hunk.number} of the diff goes on after “No newline at end of file”.")
    return hunk, at


def _line(lines: list[str], at: int, hunk: Hunk) -> tuple[str, str]:
    line = lines[at] if at < len(lines) else None
    if line == "":  # an empty context line whose space an editor or a mail program took
        return " ", "\n"
    if line is None or line[0] not in " -+":
        raise ValueError(f"The hunk at line {hunk.number} of the diff has fewer lines than its header says.")
    return line[0], line[1:] + "\n"


def plan(text: str, hunks: Sequence[Hunk], work: Work) -> list[Splice]:
    """The splices that apply `hunks` to `text`; ValueError that names the hunk and the line that does not match.

    A hunk goes where its old lines are, nearest to its line number (moved as the hunk before it was), after that
    hunk. All its lines must match exactly. Only the newline at the end of the text may be missing on either side:
    tools that know lines without newlines leave out "\\ No newline at end of file". Each comparison of a line takes a
    step of `work`; without any left, a hunk is not looked for further.
    """
    bare = bool(text) and not text.endswith("\n")
    if not bare or any(not line.endswith("\n") for hunk in hunks for line in hunk.old):
        return _splices(text, hunks, work)
    ended = text + "\n"
    splices = _splices(ended, hunks, work)
    tail = splices[-1].insert if splices and splices[-1].end == len(ended) else "\n"
    length = len(ended) + sum(len(splice.insert) - splice.delete for splice in splices)
    # An insert at the end that is empty leaves the newline of the line before it.
    unend = [Splice(length - 1, 1, "")] if length and (not tail or tail.endswith("\n")) else []
    return compose_all([[Splice(len(text), 0, "\n")], splices, unend])


def _splices(text: str, hunks: Sequence[Hunk], work: Work) -> list[Splice]:
    lines = lines_of(text)
    starts = list(accumulate(map(len, lines), initial=0))
    search = _Search(lines, work)
    writer = SpliceWriter()
    done = 0
    for hunk in hunks:
        line = search.place(hunk)
        writer.keep(starts[line] - done)
        done = starts[line]
        for mark, content in hunk.lines:
            if mark == "+":
                writer.insert(content)
                continue
            done += len(content)
            (writer.keep if mark == " " else writer.delete)(len(content))
    return writer.finish()


class _Search:
    """Finds one hunk after the other."""

    def __init__(self, lines: list[str], work: Work) -> None:
        self._lines = lines
        self._floor = 0
        self._drift = 0
        self._work = work

    def place(self, hunk: Hunk) -> int:
        """The line, from 0, at which the hunk starts."""
        old = hunk.old
        expected = hunk.start + self._drift
        line = self._nearest(old, expected) if old else expected
        if line is None or not self._floor <= line <= len(self._lines):
            raise ValueError(self._mismatch(hunk, old, expected))
        self._floor = line + len(old)
        if hunk.unended and self._floor < len(self._lines):
            raise ValueError(f"The hunk at line {hunk.number} of the diff ends the text, but the text goes on.")
        self._drift = line - hunk.start
        return line

    def _nearest(self, old: list[str], expected: int) -> int | None:
        last = len(self._lines) - len(old)
        expected = min(max(expected, self._floor), max(last, self._floor))
        for distance in range(max(last - expected, expected - self._floor) + 1):
            for line in (expected + distance, expected - distance) if distance else (expected,):
                if self._floor <= line <= last and self._same(old, line):
                    return line
            if not self._work.left:
                return None
        return None

    def _same(self, old: list[str], line: int) -> bool:
        self._work.spend(1)
        if self._lines[line] != old[0]:
            return False
        self._work.spend(len(old))
        return self._lines[line : line + len(old)] == old

    def _mismatch(self, hunk: Hunk, old: list[str], expected: int) -> str:
        what = f"The hunk “{hunk.header}” at line {hunk.number} of the diff does not match the text"
        for line, content in enumerate(old, max(expected, 0)):
            if line < self._floor:
                return f"{what} after the hunk before it."
            if line >= len(self._lines):
                return f"{what}: there is no line {line + 1}."
            if self._lines[line] != content:
                return f"{what}: line {line + 1} is {_quoted(self._lines[line])}, not {_quoted(content)}."
        return f"{what} near line {max(expected, 0) + 1}."


def _quoted(line: str) -> str:
    shown = line.removesuffix("\n")
    shown = shown if len(shown) <= _QUOTED else shown[:_QUOTED] + "…"
    return f"“{shown}”" + ("" if line.endswith("\n") else " without a newline")
