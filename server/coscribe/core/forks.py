"""Forks: one client id with two histories. What is offered again is compared with what is stored (rule D10).

A copied browser profile, a virtual machine's snapshot or a forged id makes two writers with one client id. Their state
vectors are equal and their texts differ for ever (pitfall 4), unless somebody compares what comes twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import accumulate, chain
from types import MappingProxyType
from typing import NamedTuple

from coscribe.core.lib0 import read_bytes
from coscribe.core.pieces import Struct, StructWalk
from coscribe.core.plain import FORMAT, INFO_ORIGIN, INFO_RIGHT_ORIGIN, KIND_MASK, STRING
from coscribe.core.replica import Replica
from coscribe.core.update import Scan, Span, Walk, encode_state_vector
from coscribe.errors import UpdateRefused

# What the engine encodes for comparisons of one session: an honest client repeats a few keystrokes once a minute.
_BURST_BYTES = 32 * 2**20
_BYTES_PER_S = 4 * 2**20
# A small answer of the engine costs about as much as reading so many bytes of a large one.
_LEAST_BYTES = 4096
# What whoever has the other history is told.
FORKED = "Another copy of this document has written something else in the place of these changes."


class Allowance:
    """How much of the engine's time one session may take for comparisons."""

    __slots__ = ("_at", "_left", "_now")

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._at = now()
        self._left = float(_BURST_BYTES)

    def spend(self, size: int) -> bool:
        """Note what was encoded; False when it was too much in too short a time."""
        now = self._now()
        self._left = min(_BURST_BYTES, self._left + max(0.0, (now - self._at).total_seconds()) * _BYTES_PER_S)
        self._at = now
        self._left -= _LEAST_BYTES + size
        return self._left >= 0


class _Text(NamedTuple):
    """One struct that shows text or formatting: its clocks, its left origin, and its content in UTF-16."""

    start: int
    end: int
    origin: tuple[int, int] | None
    content: bytes
    is_format: bool


def repeated(found: Scan, clocks: Mapping[int, int]) -> dict[int, int]:
    """The clients of whom an update repeats what is stored, each with the first clock of it."""
    first: dict[int, int] = {}
    for client, start, _ in found.structs:
        if start < min(clocks.get(client, 0), first.get(client, start + 1)):
            first[client] = start
    return first


def stored_since(replica: Replica, first: Mapping[int, int]) -> bytes:
    """What the replica holds of some clients from these clocks on, as one update. Raises EngineFailed."""
    clocks = dict(replica.clocks)
    for client, clock in first.items():
        # The engine cannot begin between the halves of a pair.
        clocks[client] = clock - 1 if (client, clock - 1) in replica.pairs else clock
    return replica.diff(encode_state_vector(clocks))


def check_same(
    update: bytes,
    first: Mapping[int, int],
    stored: bytes,
    *,
    foreign: Mapping[int, Span] = MappingProxyType({}),
    most: int | None = None,
) -> None:
    """Refuse an update that says something else for stored clocks. Raises UpdateRefused with limit `fork`.

    What either side has deleted cannot be compared and counts as equal, but for the clocks in `foreign`: others brought
    them in their author's name, and what they left empty there is not what he wrote. Raises TooManyThings when
    `stored` is more than `most` structs.
    """
    offered, held = StructWalk(update), StructWalk(stored, most=most)
    offered.structs()
    held.structs()
    for client in first:
        texts = _texts(held.found.get(client, []))
        _compare(client, _texts(offered.found[client]), texts)
        if client in foreign and _is_emptied(_texts(offered.found[client]), texts, foreign[client]):
            raise UpdateRefused(FORKED, limit="fork")


def _compare(client: int, offered: list[_Text], held: list[_Text]) -> None:
    starts = [text.start for text in held]
    for text in offered:
        at = max(bisect_right(starts, text.start) - 1, 0)
        while at < len(held) and held[at].start < text.end:
            if not _is_same(client, text, held[at]):
                raise UpdateRefused(FORKED, limit="fork")
            at += 1


def _is_emptied(offered: list[_Text], held: list[_Text], foreign: Span) -> bool:
    """Whether part of a text stands where others brought nothing to read."""
    starts = [text.start for text in held]
    # Units that are shown before each held text: with it a text costs a search, not a look at all of them.
    before = [0, *accumulate(text.end - text.start for text in held)]

    def shown(clock: int) -> int:
        at = bisect_right(starts, clock) - 1
        return before[at] + min(clock, held[at].end) - held[at].start if at >= 0 else 0

    spans = ((max(text.start, foreign.start), min(text.end, foreign.end)) for text in offered)
    return any(start < end and shown(end) - shown(start) < end - start for start, end in spans)


def _is_same(client: int, one: _Text, other: _Text) -> bool:
    start, end = max(one.start, other.start), min(one.end, other.end)
    if start >= end:
        return True
    return (
        one.is_format == other.is_format
        and _origin_at(client, one, start) == _origin_at(client, other, start)
        and _content(one, start, end) == _content(other, start, end)
    )


def _origin_at(client: int, text: _Text, clock: int) -> tuple[int, int] | None:
    """The left origin of one unit: inside a struct it is the unit before."""
    return text.origin if clock == text.start else (client, clock - 1)


def _content(text: _Text, start: int, end: int) -> bytes:
    if text.is_format:
        return text.content
    return text.content[2 * (start - text.start) : 2 * (end - text.start)]


def _texts(structs: list[Struct]) -> list[_Text]:
    return list(chain.from_iterable(map(_text, structs)))


def _text(struct: Struct) -> list[_Text]:
    """What a struct shows; nothing when its content was deleted."""
    info = struct.raw[0]
    kind = info & KIND_MASK
    if kind not in (STRING, FORMAT):
        return []
    walk = Walk(struct.raw)
    walk.pos = 1
    origin = walk.origin() if info & INFO_ORIGIN else None
    if info & INFO_RIGHT_ORIGIN:
        walk.right_origin()
    if not info & (INFO_ORIGIN | INFO_RIGHT_ORIGIN):
        walk.parent()
    # Of formatting the key alone: two writers of JSON may spell one value in two ways.
    content, _ = read_bytes(struct.raw, walk.pos)
    if kind == STRING:
        content = content.decode().encode("utf-16-le")
    return [_Text(struct.clock, struct.end, origin, content, kind == FORMAT)]
