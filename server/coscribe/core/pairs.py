"""Surrogate pairs by clock: where the CRDT engine must not cut.

Yjs counts UTF-16 units and can put an item between the halves of a pair, or delete one half; both halves then read as
U+FFFD. The engine keeps the pair whole, miscounts the client's clock from then on and loses what that client types
later (pitfall 7). So an update that cuts a pair is refused, which takes knowing where the pairs are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from coscribe.core.update import ROOT, Scan, Walk, scan
from coscribe.errors import UpdateRefused

# The first byte of a character beyond 16 bits in UTF-8; clocks and ids can hold such bytes too.
_FOUR_BYTES = re.compile(rb"[\xf0-\xf4]")
# 256 clocks a mask: dense text costs a byte for each, and a pair on its own about 250.
_MASK_BITS = 8


class Pairs:
    """The clocks of high halves, by client."""

    def __init__(self) -> None:
        self._masks: dict[tuple[int, int], int] = {}

    def __bool__(self) -> bool:
        return bool(self._masks)

    def __contains__(self, place: tuple[int, int]) -> bool:
        client, clock = place
        return bool(self._masks.get((client, clock >> _MASK_BITS), 0) >> (clock & 255) & 1)

    def add(self, client: int, clock: int) -> None:
        """Note that a high half stands at this clock."""
        place = client, clock >> _MASK_BITS
        self._masks[place] = self._masks.get(place, 0) | 1 << (clock & 255)

    def learn(self, update: bytes) -> None:
        """Note every pair in an update that the scanner has passed."""
        if _FOUR_BYTES.search(update):
            self.note(scan(update))

    def note(self, found: Scan) -> None:
        """Note every pair that the scanner has found."""
        for client, start, raw in found.paired:
            clock = start
            for char in raw.decode():
                if char > "\uffff":
                    self.add(client, clock)
                    clock += 1
                clock += 1


class _Checking(Walk):
    """A walk that looks for origins between the halves of a pair."""

    __slots__ = ("_pairs",)

    def __init__(self, data: bytes, pairs: tuple[Pairs, Pairs]) -> None:
        super().__init__(data, ROOT)
        self._pairs = pairs

    def origin(self) -> tuple[int, int]:
        place = super().origin()
        self.check(*place)
        return place

    def right_origin(self) -> tuple[int, int]:
        client, clock = super().origin()
        self.check(client, clock - 1)
        return client, clock

    def check(self, client: int, clock: int) -> None:
        """Refuse a cut behind this clock."""
        if any((client, clock) in pairs for pairs in self._pairs):
            raise UpdateRefused("These changes cut a character in two.", limit="content")


def check_cuts(update: bytes, found: Scan, known: Pairs, clocks: Mapping[int, int]) -> None:
    """Refuse an update that cuts a pair, its own or a known one. Raises UpdateRefused."""
    own = Pairs()
    own.note(found)
    if not own and not known:
        return
    walk = _Checking(update, (known, own))
    walk.structs()
    for client, start, end in found.structs:
        # The engine drops what it knows of a span, and goes on in the middle of it.
        if start < clocks.get(client, 0) < end:
            walk.check(client, clocks[client] - 1)
    for client, start, end in found.deletes:
        walk.check(client, start - 1)
        walk.check(client, end - 1)
