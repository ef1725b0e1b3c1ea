"""The plain structs of an update, read in a tight loop: text and deleted content beside what is there already.

A stored state is little else. `Walk` reads a struct of any kind in 2.2 us, this one of these in 0.9 us. It has no
errors: it stops in front of whatever is not plainly right and leaves that to `Walk`, which knows the reasons.
"""

from __future__ import annotations

from coscribe.core.lib0 import write_uint

INFO_ORIGIN = 0x80
INFO_RIGHT_ORIGIN = 0x40
KIND_MASK = 0x1F
GC, DELETED, STRING, FORMAT, SKIP = 0, 1, 4, 6, 10

# By its info byte, how many origins a plain struct names.
_ORIGINS = {
    origins | kind: range(count)
    for kind in (DELETED, STRING)
    for origins, count in ((INFO_ORIGIN, 1), (INFO_RIGHT_ORIGIN, 1), (INFO_ORIGIN | INFO_RIGHT_ORIGIN, 2))
}
# Bits of a clock, four bytes, and the length of a string, two bytes.
_MOST_BITS, _MOST_LENGTH = 28, 2**14 - 1
# Bytes of most client ids, which are random numbers of 32 bits, and the least that takes so many.
_NAME_BYTES = 5
_LEAST_NAMED = 2**28


class _NotPlain(Exception):
    """This struct is for `Walk`."""


class Plain:
    """Where a walk stands in its bytes, and what it has noted of them.

    `joining_bytes` is what the engine copies until it has joined strings that continue one another: it makes one of n
    letters by way of n * n / 2 bytes.
    """

    __slots__ = (
        "_highest",
        "_names",
        "_run_bytes",
        "data",
        "has_cr",
        "inserted_bytes",
        "joining_bytes",
        "needs",
        "paired",
        "pos",
    )

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0
        # The highest clock named of each client.
        self.needs: dict[int, int] = {}
        # Clients by their ids as they are written, those of _NAME_BYTES and no fewer.
        self._names: dict[bytes, int] = {}
        self.inserted_bytes = 0
        self.has_cr = False
        # Strings with characters that take two units, each with its client and clock.
        self.paired: list[tuple[int, int, bytes]] = []
        self.joining_bytes = 0
        # Of the last strings, as far back as each continues the one before it.
        self._run_bytes = 0
        # The highest clock that the client of the last plain structs has named of its own, -2 for none: no struct
        # stands right behind that.
        self._highest = -2

    def plain(self, structs: int, client: int, clock: int, most_clock: int) -> tuple[int, int]:
        """Read a client's structs as long as they are plain; gives how many, and the clock behind them."""
        data, end, own = self.data, len(self.data), write_uint(client)
        self._highest = -2
        read, pos = 0, self.pos
        try:
            while read < structs:
                info = data[pos]
                at = self._origins(info, pos + 1, own, clock)
                length = data[at]
                at += 1
                if length > 0x7F:
                    length += data[at] - 1 << 7
                    at += 1
                if info & STRING:
                    raw = data[at : at + length]
                    at += length
                    if at > end or length > _MOST_LENGTH:
                        break
                    length = self.text(raw, client, clock, continues=self._highest == clock - 1)
                else:
                    self._run_bytes = 0
                if length > _MOST_LENGTH or not clock < clock + length < most_clock:
                    break
                read, pos, clock = read + 1, at, clock + length
        except (_NotPlain, KeyError, IndexError, UnicodeDecodeError):
            pass
        if self._highest > self.needs.get(client, -1):
            self.needs[client] = self._highest
        self.pos = pos
        return read, clock

    def _origins(self, info: int, at: int, own: bytes, clock: int) -> int:
        """Read the origins that a struct at a clock names; gives the place behind them."""
        data = self.data
        for _ in _ORIGINS[info]:
            is_own = data.startswith(own, at)
            start, at = at, at + (len(own) if is_own else _NAME_BYTES)
            byte = origin = data[at]
            at, bits = at + 1, 7
            while byte > 0x7F:
                if bits == _MOST_BITS:
                    raise _NotPlain
                byte = data[at]
                origin += byte - 1 << bits
                at, bits = at + 1, bits + 7
            if not is_own:
                other = self._names[data[start : start + _NAME_BYTES]]
                self.needs[other] = max(origin, self.needs.get(other, -1))
            elif origin > self._highest:
                if origin >= clock:
                    raise _NotPlain
                self._highest = origin
        return at

    def know(self, client: int, start: int) -> None:
        """Know a client id again that was just read from this place on."""
        if self.pos - start == _NAME_BYTES and client >= _LEAST_NAMED:
            self._names[self.data[start : self.pos]] = client

    def text(self, raw: bytes, client: int, clock: int, *, continues: bool) -> int:
        """Note a string; gives its length in UTF-16 units, Yjs's clock ticks. Raises UnicodeDecodeError."""
        self.inserted_bytes += len(raw)
        if b"\r" in raw:
            self.has_cr = True
        if continues:
            self._run_bytes += len(raw)
            self.joining_bytes += self._run_bytes
        else:
            self._run_bytes = len(raw)
        if raw.isascii():
            return len(raw)
        text = raw.decode()
        units = len(text.encode("utf-16-le")) >> 1
        if units > len(text):
            self.paired.append((client, clock, raw))
        return units
