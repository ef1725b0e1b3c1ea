"""Cuts a large update into several that give the same document, in causal order.

One frame of 50 MB outlasts the 30 s after which a stock client takes the line for dead (yhub#55), and taken in at one
turn of the loop it would stop everybody's typing. A long string is cut as Yjs itself splits items (`Item.js`,
`splitItem`): the rest names the character before it as its origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from coscribe.core.lib0 import write_bytes, write_uint
from coscribe.core.plain import GC, INFO_ORIGIN, INFO_RIGHT_ORIGIN, KIND_MASK, SKIP, STRING
from coscribe.core.update import EMPTY_UPDATE, MAX_CLOCK, Scan, Span, Walk


class PieceSize(NamedTuple):
    """What one piece may hold: bytes, and structs or deleted ranges."""

    size: int
    structs: int
    ranges: int

    @property
    def points(self) -> int:
        """Code points of a string's part: at most 4 bytes each, so that a part fills half a piece at most."""
        return self.size // 8


_SIZE = 256 * 1024
# Structs that an answer is cut between, in 1.4 us each where each alone takes 4; they fill half a piece at most.
_RUN = 8
# A range takes 10 bytes at most, with its client 18; a struct takes at least one.
ANSWER = PieceSize(_SIZE, _SIZE, _SIZE // 18)
# A longer update than this is examined elsewhere, and taken in by pieces.
MOST_AT_ONCE = 64 * 1024
# What one turn of the loop takes in: 1,000 structs or ranges take some 10 ms to scan, apply and tell.
MOST_THINGS = 1000
# Where the document is large, 200,000 steps of the engine, 40 ms. It looks for the place of a struct through all that
# lies between the neighbours which the struct names: 0.2 us for each fragment of the text, if somebody means harm.
# And it copies the rest of a string that it cuts: 0.2 us for each kilobyte of the text.
_MOST_STEPS = 200_000
_COPIED_A_STEP = 1000


def turn(fragments: int, size: int) -> PieceSize:
    """What one turn takes in of an update to a text of so many fragments and bytes."""
    copying = size // _COPIED_A_STEP + 1
    structs, ranges = _MOST_STEPS // (fragments + copying), _MOST_STEPS // copying
    return PieceSize(_SIZE, max(1, min(MOST_THINGS, structs)), max(1, min(MOST_THINGS, ranges)))


class Struct(NamedTuple):
    """One struct's bytes, the clocks it covers, and the origins it names; or a few that name no others' as one."""

    clock: int
    end: int
    raw: bytes
    needs: tuple[tuple[int, int], ...]
    things: int = 1


class Whole(NamedTuple):
    """A whole state in pieces, with the clocks and the bytes of text that it comes to."""

    pieces: tuple[bytes, ...]
    clocks: dict[int, int]
    size: int


def split(update: bytes) -> list[bytes]:
    """Cut a valid update into updates of about 256 KB; a small one is given back as it is."""
    if len(update) <= ANSWER.size:
        return [update]
    return list(_pieces(StructWalk(update, piece=ANSWER, run=_RUN), ANSWER, {})) or [EMPTY_UPDATE]


def cut(update: bytes, clocks: Mapping[int, int], piece: PieceSize) -> list[bytes]:
    """Cut a scanned update that was judged NEW into pieces, without what is known."""
    return list(_pieces(StructWalk(update, piece=piece), piece, clocks))


def _pieces(walk: StructWalk, piece: PieceSize, clocks: Mapping[int, int]) -> Iterator[bytes]:
    walk.structs()
    found = {
        client: news
        for client, structs in walk.found.items()
        if (news := [struct for struct in structs if struct.end > clocks.get(client, 0)])
    }
    for filled in _filled(found, piece):
        yield _encode(filled, [])
    deletes = iter(sorted(walk.deletes()))
    while part := list(islice(deletes, piece.ranges)):
        yield _encode({}, part)


def is_causal(update: bytes, found: Scan, clocks: dict[int, int]) -> bool:
    """Whether a scanned update that was judged NEW has no circle of structs that wait for each other.

    The engine would keep such structs for ever, and all that their clients send later. Within one client the scanner
    sees to it; only an update with news of several can hold a circle.
    """
    if len({client for client, _, end in found.structs if end > clocks.get(client, 0)}) < 2:
        return True
    walk = StructWalk(update)
    walk.structs()
    ends = dict(clocks)
    for client, struct in _causal(walk.found):
        if any(clock >= ends.get(needed, 0) for needed, clock in struct.needs if needed != client):
            return False
        ends[client] = max(struct.end, ends.get(client, 0))
    return True


class StructWalk(Walk):
    """A walk that keeps every struct's bytes; with `run`, up to so many together where they name none of others."""

    __slots__ = ("_points", "_run", "found", "has_skip")

    def __init__(self, data: bytes, *, piece: PieceSize = ANSWER, most: int | None = None, run: int = 0) -> None:
        super().__init__(data, most=most)
        self._points = piece.points
        self._run = run
        self.found: dict[int, list[Struct]] = {}
        self.has_skip = False

    def client_structs(self, structs: int, client: int, spans: list[Span]) -> None:  # noqa: ARG002 - found is the answer
        """Keep one client's structs; what they cover is in `found`."""
        clock = self.uint()
        found = self.found[client] = []
        while structs:
            start = self.pos
            read, end = self.plain(min(structs, self._run), client, clock, MAX_CLOCK) if self._run else (0, clock)
            if read:
                found.append(Struct(clock, end, self.data[start : self.pos], (), read))
            else:
                read, end = 1, clock + self._one(client, clock, found)
            structs -= read
            clock = end

    def _one(self, client: int, clock: int, found: list[Struct]) -> int:
        """Keep one struct; gives its length."""
        start = self.pos
        info = self.data[start]
        self.pos += 1
        self.needs = {}
        length = self.uint() if info in (GC, SKIP) else self.item(info)
        if info == SKIP:
            self.has_skip = True
        else:
            struct = Struct(clock, clock + length, self.data[start : self.pos], tuple(self.needs.items()))
            found.extend(_parts(client, struct, self._points))
        return length


def _parts(client: int, struct: Struct, points: int) -> list[Struct]:
    """Cut a string of more code points than these."""
    info = struct.raw[0]
    if len(struct.raw) <= points * 4 or info & KIND_MASK != STRING:
        return [struct]
    walk = Walk(struct.raw)
    walk.pos = 1
    if info & INFO_ORIGIN:
        walk.origin()
    right = walk.pos
    if info & INFO_RIGHT_ORIGIN:
        walk.right_origin()
    right_origin = struct.raw[right : walk.pos]
    if not info & (INFO_ORIGIN | INFO_RIGHT_ORIGIN):
        walk.parent()
    head = struct.raw[: walk.pos]
    walk.uint()
    text = struct.raw[walk.pos :].decode()
    parts = []
    clock = struct.clock
    for at in range(0, len(text), points):
        part = text[at : at + points]
        if at:
            origin = write_uint(client) + write_uint(clock - 1)
            head = bytes((STRING | INFO_ORIGIN | info & INFO_RIGHT_ORIGIN,)) + origin + right_origin
        end = clock + (len(part.encode("utf-16-le")) >> 1)
        parts.append(Struct(clock, end, head + write_bytes(part.encode()), struct.needs))
        clock = end
    return parts


def _causal(found: dict[int, list[Struct]]) -> Iterator[tuple[int, Struct]]:
    """Every struct after those that it names: pycrdt loses a block that comes beyond a gap (pitfall 2)."""
    waiting = {client: iter(structs) for client, structs in found.items()}
    heads = {client: next(structs, None) for client, structs in waiting.items()}
    for root in found:
        stack: list[tuple[int, int]] = [(root, -1)]
        while stack:
            client, target = stack[-1]
            head = heads[client]
            if head is None or (target >= 0 and head.clock > target):
                stack.pop()
                continue
            need = next((need for need in head.needs if need[0] != client and _is_before(heads, need)), None)
            if need is not None and all(need[0] != above for above, _ in stack):
                stack.append(need)
                continue
            yield client, head
            heads[client] = next(waiting[client], None)


def _is_before(heads: dict[int, Struct | None], need: tuple[int, int]) -> bool:
    """Whether the needed clock is still to be given out."""
    head = heads.get(need[0])
    return head is not None and head.clock <= need[1]


def _filled(found: dict[int, list[Struct]], piece: PieceSize) -> Iterator[dict[int, list[Struct]]]:
    """Structs in causal order, by client, as many as fill a piece."""
    filled: dict[int, list[Struct]] = {}
    size = things = 0
    for client, struct in _causal(found):
        if filled and (size + len(struct.raw) > piece.size or things == piece.structs):
            yield filled
            filled, size, things = {}, 0, 0
        filled.setdefault(client, []).append(struct)
        size += len(struct.raw)
        things += 1
    if filled:
        yield filled


def _encode(piece: dict[int, list[Struct]], deletes: list[Span]) -> bytes:
    out = bytearray(write_uint(len(piece)))
    for client, structs in piece.items():
        out += write_uint(sum(struct.things for struct in structs)) + write_uint(client) + write_uint(structs[0].clock)
        out += b"".join(struct.raw for struct in structs)
    by_client: dict[int, list[Span]] = {}
    for span in deletes:
        by_client.setdefault(span.client, []).append(span)
    out += write_uint(len(by_client))
    for client, spans in by_client.items():
        out += write_uint(client) + write_uint(len(spans))
        for span in spans:
            out += write_uint(span.start) + write_uint(span.end - span.start)
    return bytes(out)
