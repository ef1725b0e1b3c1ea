"""Whether a document knows deletions: what lets a reader's step 2 pass that tells nothing new (rule P12)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from coscribe.core.update import Span, scan


def are_known(deletes: Iterable[Span], stored: bytes, *, most: int) -> bool:
    """Whether all these ranges are deleted in `stored`, a diff of the document.

    Raises TooManyThings when `stored` holds more than `most` structs and deleted ranges.
    """
    ranges: dict[int, list[tuple[int, int]]] = {}
    for client, start, end in sorted(scan(stored, most=most).deletes):
        known = ranges.setdefault(client, [])
        if known and start <= known[-1][1]:
            known[-1] = known[-1][0], max(end, known[-1][1])
        else:
            known.append((start, end))
    return all(_holds(ranges.get(client, []), start, end) for client, start, end in deletes)


def _holds(known: list[tuple[int, int]], start: int, end: int) -> bool:
    at = bisect_right(known, start, key=lambda span: span[0]) - 1
    return at >= 0 and end <= known[at][1]
