"""Joins the tiny neighbouring strings of an update into long ones, as Yjs itself joins items (`Item.js`, `mergeWith`).

The engine joins them too, at the end of a transaction, and keeps every string on the way: 30,000 letters typed one by
one and sent as one update of 190 KB took 550 MB, 100,000 ended the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coscribe.core.lib0 import read_bytes, read_string, read_uint, write_bytes, write_uint
from coscribe.core.pieces import Struct, StructWalk
from coscribe.core.plain import INFO_ORIGIN, INFO_RIGHT_ORIGIN, KIND_MASK, STRING

# Fewer bytes hold at most some 700 letters one by one: a quarter of a megabyte on the way.
_SMALL = 4096
# Where a scan has counted what joining would take in the engine (`Scan.joining_bytes`), so much is left to it.
MOST_JOINING = 2**20

_Place = tuple[int, int] | None


class _Text(NamedTuple):
    """A string's origins, the bytes before its content, and its content."""

    origin: _Place
    right_origin: _Place
    head: bytes
    content: bytes


def joined(update: bytes, *, even_small: bool = False) -> bytes:
    """The same update in as few strings as it can be; a small one is given back as it is, unless that is asked for."""
    if len(update) <= _SMALL and not even_small:
        return update
    walk = StructWalk(update)
    walk.structs()
    if walk.has_skip:
        return update  # only an update over known content has one
    out = [write_uint(len(walk.found))]
    for client, structs in walk.found.items():
        runs = list(_runs(client, structs))
        out.append(write_uint(len(runs)) + write_uint(client) + write_uint(structs[0].clock))
        out += runs
    out.append(update[walk.pos :])
    return b"".join(out)


def _runs(client: int, structs: list[Struct]) -> Iterator[bytes]:
    first: _Text | None = None
    contents: list[bytes] = []
    end = -1
    for struct in structs:
        text = _text(struct.raw)
        if first and text and text.origin == (client, end - 1) and text.right_origin == first.right_origin:
            contents.append(text.content)
        else:
            if first:
                yield first.head + write_bytes(b"".join(contents))
            if text is None:
                yield struct.raw
            first, contents = text, [text.content] if text else []
        end = struct.end
    if first:
        yield first.head + write_bytes(b"".join(contents))


def _text(raw: bytes) -> _Text | None:
    """Read a struct that is a string; None for another."""
    info = raw[0]
    if info & KIND_MASK != STRING:
        return None
    pos = 1
    origin = right_origin = None
    if info & INFO_ORIGIN:
        origin, pos = _place(raw, pos)
    if info & INFO_RIGHT_ORIGIN:
        right_origin, pos = _place(raw, pos)
    if not info & (INFO_ORIGIN | INFO_RIGHT_ORIGIN):
        _, pos = read_uint(raw, pos)
        _, pos = read_string(raw, pos)
    content, _ = read_bytes(raw, pos)
    return _Text(origin, right_origin, raw[:pos], content)


def _place(raw: bytes, pos: int) -> tuple[tuple[int, int], int]:
    client, pos = read_uint(raw, pos)
    clock, pos = read_uint(raw, pos)
    return (client, clock), pos
