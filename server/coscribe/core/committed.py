"""The committed text of a document, kept in chunks so that a change costs what it touches and not the whole text.

The live replica runs ahead of the disk; readers see only what is durable. This text follows the commits by their
deltas, and turns the engine's UTF-8 offsets into code points and UTF-16 units on the way, for the feed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from coscribe.core.replica import Delta
from coscribe.core.units import Units

# Small enough to slice in a microsecond, large enough that 5 MB are 640 chunks.
_CHUNK = 8192


class _Size(NamedTuple):
    """One stretch of text measured in the three units."""

    utf8: int
    utf16: int
    points: int

    def plus(self, other: _Size) -> _Size:
        return _Size(self.utf8 + other.utf8, self.utf16 + other.utf16, self.points + other.points)

    def minus(self, other: _Size) -> _Size:
        return _Size(self.utf8 - other.utf8, self.utf16 - other.utf16, self.points - other.points)


_ZERO = _Size(0, 0, 0)


def _measure(text: str) -> _Size:
    points = len(text)
    if text.isascii():
        return _Size(points, points, points)
    return _Size(len(text.encode()), len(text.encode("utf-16-le")) >> 1, points)


class Op(NamedTuple):
    """One operation of a text event; `size` is what a retain or a delete passes over."""

    kind: str
    size: _Size = _ZERO
    text: str = ""

    def to_json(self, units: Units) -> dict[str, Any]:
        """The operation as the feed tells it."""
        if self.kind == "insert":
            return {"insert": self.text}
        return {self.kind: self.size.utf16 if units is Units.UTF16 else self.size.points}


class CommittedText:
    """A text that follows deltas."""

    def __init__(self, text: str) -> None:
        self._chunks = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
        self._sizes = [_measure(chunk) for chunk in self._chunks]
        self._joined: str | None = text

    def __str__(self) -> str:
        if self._joined is None:
            self._joined = "".join(self._chunks)
        return self._joined

    @property
    def size(self) -> int:
        """Length in UTF-8 bytes."""
        return sum(size.utf8 for size in self._sizes)

    def head(self, points: int) -> str:
        """The first code points, without joining the whole."""
        parts: list[str] = []
        for chunk in self._chunks:
            if points <= 0:
                break
            parts.append(chunk[:points])
            points -= len(chunk)
        return "".join(parts)

    def apply(self, delta: Delta) -> list[Op]:
        """Follow one delta; gives the same change in every unit."""
        ops: list[Op] = []
        at = 0
        for part in delta:
            if "retain" in part:
                ops.append(Op("retain", self._prefix(at + part["retain"]).minus(self._prefix(at))))
                at += part["retain"]
            elif "delete" in part:
                ops.append(Op("delete", self._remove(at, part["delete"])))
            elif isinstance(part["insert"], str):
                self._insert(at, part["insert"])
                ops.append(Op("insert", text=part["insert"]))
                at += len(part["insert"].encode())
        self._joined = None
        return _without_last_retain(ops)

    def _locate(self, at: int) -> tuple[int, int]:
        """The chunk that holds byte `at`, and the byte's place in it; the end belongs to the last chunk."""
        for index, size in enumerate(self._sizes):
            if at <= size.utf8:
                return index, at
            at -= size.utf8
        return len(self._sizes), 0

    def _points(self, index: int, offset: int) -> int:
        size = self._sizes[index]
        if size.utf8 == size.points:
            return offset
        return len(self._chunks[index].encode()[:offset].decode())

    def _prefix(self, at: int) -> _Size:
        index, offset = self._locate(at)
        total = _ZERO
        for size in self._sizes[:index]:
            total = total.plus(size)
        if offset:
            total = total.plus(_measure(self._chunks[index][: self._points(index, offset)]))
        return total

    def _insert(self, at: int, text: str) -> None:
        index, offset = self._locate(at)
        if index == len(self._chunks):
            self._replace(index, index, text)
            return
        chunk = self._chunks[index]
        points = self._points(index, offset)
        self._replace(index, index + 1, chunk[:points] + text + chunk[points:])

    def _remove(self, at: int, length: int) -> _Size:
        before = self._prefix(at + length).minus(self._prefix(at))
        first, start = self._locate(at)
        last, end = self._locate(at + length)
        head = self._chunks[first][: self._points(first, start)]
        tail = self._chunks[last][self._points(last, end) :]
        self._replace(first, last + 1, head + tail)
        return before

    def _replace(self, first: int, last: int, text: str) -> None:
        """Put `text` in place of the chunks [first, last), cut up again where it grew to more than two chunks."""
        step = _CHUNK if len(text) > 2 * _CHUNK else max(len(text), 1)
        chunks = [text[at : at + step] for at in range(0, len(text), step)]
        self._chunks[first:last] = chunks
        self._sizes[first:last] = [_measure(chunk) for chunk in chunks]


def _without_last_retain(ops: list[Op]) -> list[Op]:
    return ops[:-1] if ops and ops[-1].kind == "retain" else ops
