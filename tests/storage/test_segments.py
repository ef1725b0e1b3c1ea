"""What is no segment is told as a ValueError, whatever it is: it is quarantined, and its document opens."""

from __future__ import annotations

import json
import struct

import pytest
import zstandard

from coscribe.storage.segments import unpack

HEADS = {
    "nested": b"[" * 1_000_000,
    "a number": b"7",
    "empty": b"{}",
    "no entries": json.dumps({"first": 1, "authors": [], "by": [], "at": [], "sizes": []}).encode(),
    "no author": json.dumps({"first": 1, "authors": [], "by": [0], "at": [0], "sizes": [0]}).encode(),
    "a time beyond all": json.dumps(
        {"first": 1, "authors": [["a", "b"]], "by": [0], "at": [10**30], "sizes": [0]}
    ).encode(),
}


@pytest.mark.parametrize("head", HEADS)
def test_what_is_no_segment_is_a_value_error(head: str) -> None:
    raw = struct.pack("<I", len(HEADS[head])) + HEADS[head]
    with pytest.raises(ValueError, match=r"no segment|empty|iterable"):
        unpack(zstandard.ZstdCompressor().compress(raw))
