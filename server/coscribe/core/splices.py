"""Changes of a text as values: applying a list of splices and composing one with the next.

A list of splices is ascending and does not overlap; all its positions refer to the original text, in code points.
Lists made here are also canonical: no empty splice, and at least one kept code point between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Splice:
    """One change: at `at`, `delete` code points go and `insert` comes."""

    at: int
    delete: int
    insert: str

    @property
    def end(self) -> int:
        """Where the kept text goes on, in the original text."""
        return self.at + self.delete


def apply(text: str, splices: Sequence[Splice]) -> str:
    """The text after `splices`; ValueError when they overlap, descend or reach outside `text`."""
    parts: list[str] = []
    done = 0
    for splice in splices:
        if splice.delete < 0 or splice.at < done or splice.end > len(text):
            raise ValueError(f"{splice.at}+{splice.delete} is not a range of the text after {done}.")
        parts += (text[done : splice.at], splice.insert)
        done = splice.end
    parts.append(text[done:])
    return "".join(parts)


def coarsen(text: str, splices: Sequence[Splice], most: int) -> Sequence[Splice]:
    """The same result by at most `most` splices: those closest to each other are joined over what lies between."""
    if len(splices) <= most:
        return splices
    by_gap = sorted(range(1, len(splices)), key=lambda index: splices[index].at - splices[index - 1].end)
    starts = [0, *sorted(by_gap[len(splices) - most :])]
    joined = []
    for start, stop in zip(starts, [*starts[1:], len(splices)], strict=True):
        group = splices[start:stop]
        at, end = group[0].at, group[-1].end
        inside = [Splice(splice.at - at, splice.delete, splice.insert) for splice in group]
        joined.append(Splice(at, end - at, apply(text[at:end], inside)))
    return joined


class SpliceWriter:
    """Collects what happens to a text from its start to its end into canonical splices."""

    def __init__(self) -> None:
        self._splices: list[Splice] = []
        self._at = 0
        self._delete = 0
        self._parts: list[str] = []

    def keep(self, count: int) -> None:
        """The next `count` code points of the original stay."""
        if count:
            self._flush()
            self._at += count

    def delete(self, count: int) -> None:
        """The next `count` code points of the original go."""
        self._delete += count

    def insert(self, text: str) -> None:
        """`text` comes here."""
        if text:
            self._parts.append(text)

    def finish(self) -> list[Splice]:
        """The splices; what was not mentioned of the original stays."""
        self._flush()
        return self._splices

    def _flush(self) -> None:
        if self._delete or self._parts:
            self._splices.append(Splice(self._at, self._delete, "".join(self._parts)))
            self._at += self._delete
            self._delete = 0
            self._parts = []


def canonical(splices: Sequence[Splice]) -> list[Splice]:
    """The same changes without empty splices, those that touch joined to one."""
    writer = SpliceWriter()
    done = 0
    for splice in splices:
        writer.keep(splice.at - done)
        writer.delete(splice.delete)
        writer.insert(splice.insert)
        done = splice.end
    return writer.finish()


class _Middle:
    """The text between two lists of splices, read once from its start, as what the first list did to the original."""

    def __init__(self, first: Sequence[Splice], writer: SpliceWriter) -> None:
        self._first = first
        self._writer = writer
        self._next = 0  # the splice of `first` that is ahead or being read
        self._inside = -1  # how much of its insert has been read; -1 while it is ahead
        self._original = 0

    def read(self, count: int, *, keep: bool) -> None:
        """Passes over `count` code points of the middle text; what was inserted and is not kept leaves no trace."""
        while count:
            count -= self._insert_read(count, keep=keep) if self._enter() else self._kept_read(count, keep=keep)

    def rest(self) -> None:
        """Passes over all that is left."""
        while self._enter() or self._next < len(self._first):
            splice = self._first[self._next]
            ahead = splice.at - self._original if self._inside < 0 else len(splice.insert) - self._inside
            self.read(ahead, keep=True)

    def _enter(self) -> bool:
        """Whether the next code point is an inserted one; what the first list deleted before it is written."""
        while self._next < len(self._first):
            splice = self._first[self._next]
            if self._inside < 0:
                if splice.at > self._original:
                    return False
                self._writer.delete(splice.delete)
                self._original = splice.end
                self._inside = 0
            if self._inside < len(splice.insert):
                return True
            self._next += 1
            self._inside = -1
        return False

    def _insert_read(self, count: int, *, keep: bool) -> int:
        insert = self._first[self._next].insert
        count = min(count, len(insert) - self._inside)
        if keep:
            self._writer.insert(insert[self._inside : self._inside + count])
        self._inside += count
        return count

    def _kept_read(self, count: int, *, keep: bool) -> int:
        if self._next < len(self._first):
            count = min(count, self._first[self._next].at - self._original)
        (self._writer.keep if keep else self._writer.delete)(count)
        self._original += count
        return count


def compose(first: Sequence[Splice], second: Sequence[Splice]) -> list[Splice]:
    """One list that does what `first` and then `second` (on the result of `first`) do.

    Takes time in the number of splices and the length of their inserts, whatever the length of the text.
    """
    writer = SpliceWriter()
    middle = _Middle(first, writer)
    done = 0
    for splice in second:
        middle.read(splice.at - done, keep=True)
        middle.read(splice.delete, keep=False)
        writer.insert(splice.insert)
        done = splice.end
    middle.rest()
    return writer.finish()


def compose_all(steps: Sequence[Sequence[Splice]]) -> list[Splice]:
    """One list for all `steps`, each on the result of the one before.

    Neighbours are joined in rounds, so n steps cost log n passes over all splices rather than n.
    """
    lists = [list(step) for step in steps]
    while len(lists) > 1:
        pairs = zip(lists[::2], lists[1::2], strict=False)
        joined = [compose(first, second) for first, second in pairs]
        lists = joined + lists[len(joined) * 2 :]
    return canonical(lists[0]) if lists else []
