"""The scanner: what a Yjs v1 update contains, told without the CRDT engine, and refused where it may not reach it.

The engine overflows its native stack on nested content and trusts counts and clocks (a 52.5 KB update ends the
process), so every byte from outside passes here first. Format: yjs `UpdateDecoder.js`, `Item.js`, `DeleteSet.js`.
"""

from __future__ import annotations

from typing import NamedTuple

from coscribe.core.formats import check_json, skip_key
from coscribe.core.lib0 import read_bytes, read_string, read_uint, write_uint
from coscribe.core.plain import DELETED, FORMAT, GC, INFO_ORIGIN, INFO_RIGHT_ORIGIN, KIND_MASK, SKIP, STRING, Plain
from coscribe.errors import CoscribeError, Malformed, UpdateRefused

ROOT = "content"
EMPTY_UPDATE = b"\x00\x00"

# Yjs keeps clocks in 32-bit integers here and there; an update that ends beyond is an attack (threat 11).
MAX_CLOCK = 2**31
# Yjs draws 32 bits, pycrdt 53; JavaScript cannot read more.
MAX_CLIENT_ID = 2**53
# Bytes; the short way of a `Scanner` begins with 1 us that so few do not save.
_KEYSTROKE = 64
_INFO_PARENT_SUB = 0x20
# An embed is no text but takes one place in the engine's indexes: all that follows it would be one off.
_KIND_NAMES = {2: "JSON", 3: "binary", 5: "embed", 7: "nested type", 8: "Any", 9: "subdocument"}


class Span(NamedTuple):
    """Clocks [start, end) of one client."""

    client: int
    start: int
    end: int


class TooManyThings(CoscribeError):
    """An update or a state of more structs and deleted ranges than its reader has time for."""


class Scan(NamedTuple):
    """What an update holds. `needs` is the highest clock it names of each client as an origin.

    `things` counts its structs and deleted ranges: what its reading costs, and the engine's work on it. `paired` are
    its strings with characters of two UTF-16 units, by client and clock; `joining_bytes` is as in core/plain.
    """

    structs: tuple[Span, ...]
    deletes: tuple[Span, ...]
    needs: dict[int, int]
    inserted_bytes: int
    has_cr: bool
    things: int = 0
    paired: tuple[tuple[int, int, bytes], ...] = ()
    joining_bytes: int = 0


def scan(update: bytes, *, root: str = ROOT, most: int | None = None) -> Scan:
    """Walk an update. Raises Malformed for what is no v1 update, UpdateRefused for content that is not allowed.

    With `most`, TooManyThings as soon as more structs and deleted ranges are announced.
    """
    walk = (Walk if len(update) <= _KEYSTROKE else Scanner)(update, root, most)
    structs, deletes = walk.structs(), walk.deletes()
    if walk.pos != len(update):
        raise Malformed(f"{len(update) - walk.pos} bytes stand behind the update")
    paired = tuple(walk.paired)
    return Scan(structs, deletes, walk.needs, walk.inserted_bytes, walk.has_cr, walk.things, paired, walk.joining_bytes)


class Walk(Plain):
    """One pass over an update's bytes; each method reads one thing at `pos` and moves behind it."""

    __slots__ = ("continues", "here", "most", "root", "things")

    def __init__(self, data: bytes, root: str = ROOT, most: int | None = None) -> None:
        super().__init__(data)
        self.root = root
        self.most = len(data) if most is None else most
        self.things = 0
        # Client and clock of the struct that is being read, and whether it names the clock before.
        self.here = (-1, 0)
        self.continues = False

    def uint(self) -> int:
        """Read a varUint."""
        value, self.pos = read_uint(self.data, self.pos)
        return value

    def count(self, least_bytes: int) -> int:
        """Read a count whose things take at least `least_bytes` each: a larger claim than the bytes left is a lie."""
        count = self.uint()
        if count * least_bytes > len(self.data) - self.pos:
            raise Malformed(f"{count} things are announced and {len(self.data) - self.pos} bytes are left")
        return count

    def few(self) -> int:
        """Read how many structs or deleted ranges follow."""
        count = self.count(2)
        self.things += count
        if self.things > self.most:
            raise TooManyThings(f"{self.things} structs and deleted ranges are more than {self.most}")
        return count

    def client(self) -> int:
        """Read a client id."""
        client = self.uint()
        if client >= MAX_CLIENT_ID:
            raise UpdateRefused("A client id is larger than 53 bits.", limit="client")
        return client

    def structs(self) -> tuple[Span, ...]:
        """Read all structs."""
        spans: list[Span] = []
        seen: set[int] = set()
        for _ in range(self.count(4)):
            structs = self.few()
            client = self.client()
            if client in seen:
                raise Malformed(f"client {client} stands twice in the update")
            seen.add(client)
            self.client_structs(structs, client, spans)
        return tuple(spans)

    def client_structs(self, structs: int, client: int, spans: list[Span]) -> None:
        """Read one client's structs; a Skip parts them into several spans."""
        start = clock = self.uint()
        self._run_bytes = 0
        while structs:
            read, clock = self.skim(structs, client, clock)
            structs -= read + 1
            if structs < 0:
                break
            try:
                info = self.data[self.pos]
            except IndexError:
                raise Malformed("a struct is cut off") from None
            self.pos += 1
            if info == SKIP:
                if clock > start:
                    spans.append(Span(client, start, clock))
                start = clock = self.advance(clock, self.uint())
            else:
                self.here = (client, clock)
                length = self.uint() if info == GC else self.item(info)
                clock = self.advance(clock, length)
        if clock > start:
            spans.append(Span(client, start, clock))

    def skim(self, structs: int, client: int, clock: int) -> tuple[int, int]:  # noqa: ARG002 - for those who override it
        """Read structs that need no look at each of their parts; gives how many, and the clock behind them."""
        return 0, clock

    def advance(self, clock: int, length: int) -> int:
        """The clock behind a struct of this length."""
        if length == 0:
            raise Malformed("a struct has no length")
        if clock + length >= MAX_CLOCK:
            raise UpdateRefused("A clock lies beyond 2^31.", limit="clock")
        return clock + length

    def item(self, info: int) -> int:
        """Read an item behind its info byte; gives its length in clock ticks."""
        self.continues = False
        if info & INFO_ORIGIN:
            self.origin()
        if info & INFO_RIGHT_ORIGIN:
            self.right_origin()
        if not info & (INFO_ORIGIN | INFO_RIGHT_ORIGIN):
            self.parent()
        if info & _INFO_PARENT_SUB:
            raise UpdateRefused("Map entries are not part of a text document.", limit="content")
        return self.content(info & KIND_MASK)

    def origin(self) -> tuple[int, int]:
        """Read an origin, give it and note it as needed."""
        client = self.client()
        clock = self.uint()
        if clock >= MAX_CLOCK:
            raise UpdateRefused("A clock lies beyond 2^31.", limit="clock")
        if client == self.here[0]:
            if clock >= self.here[1]:
                # The engine would wait for it for ever, and with it for all that this client sends later.
                raise Malformed("a struct names itself or a later one as its origin")
            self.continues = self.continues or clock == self.here[1] - 1
        if clock > self.needs.get(client, -1):
            self.needs[client] = clock
        return client, clock

    def right_origin(self) -> tuple[int, int]:
        """Read a right origin as `origin` does."""
        return self.origin()

    def parent(self) -> None:
        """Read the parent of an item that names no origin: the root it lies in."""
        if self.uint() != 1:
            raise UpdateRefused("Nested types are not part of a text document.", limit="content")
        name, self.pos = read_string(self.data, self.pos)
        if name != self.root:
            raise UpdateRefused(
                f"The shared type is called {name[:40]!r}; here it is the text {self.root!r}.", limit="root"
            )

    def content(self, kind: int) -> int:
        """Read an item's content; gives its length."""
        if kind == STRING:
            return self.string()
        self._run_bytes = 0
        if kind == DELETED:
            return self.uint()
        if kind == FORMAT:
            self.pos = skip_key(self.data, self.pos)
            self.json()
            return 1
        if kind in _KIND_NAMES:
            raise UpdateRefused(f"Content of kind {_KIND_NAMES[kind]} is not part of a text document.", limit="content")
        raise Malformed(f"content kind {kind} is unknown")

    def string(self) -> int:
        """Read a string; gives its length in clock ticks."""
        raw, self.pos = read_bytes(self.data, self.pos)
        try:
            return self.text(raw, *self.here, continues=self.continues)
        except UnicodeDecodeError:
            raise Malformed("a string is not UTF-8") from None

    def json(self) -> None:
        """Read and check a JSON value."""
        raw, self.pos = read_bytes(self.data, self.pos)
        self.inserted_bytes += len(raw)
        check_json(raw)

    def deletes(self) -> tuple[Span, ...]:
        """Read the delete set."""
        spans: list[Span] = []
        for _ in range(self.count(2)):
            client = self.client()
            for _ in range(self.few()):
                clock = self.uint()
                spans.append(Span(client, clock, self.advance(clock, self.uint())))
        return tuple(spans)


class Scanner(Walk):
    """A walk that wants to know no more than what it notes."""

    __slots__ = ()

    def skim(self, structs: int, client: int, clock: int) -> tuple[int, int]:
        """Read plain structs the short way."""
        return self.plain(structs, client, clock, MAX_CLOCK)

    def client(self) -> int:
        """Read a client id, and know it again."""
        start = self.pos
        client = super().client()
        self.know(client, start)
        return client


def scan_state_vector(data: bytes, *, most: int | None = None) -> dict[int, int]:
    """Read a state vector: client id to next clock. Raises Malformed or UpdateRefused as `scan` does.

    With `most`, Malformed as soon as more clients are announced.
    """
    walk = Walk(data)
    clocks: dict[int, int] = {}
    count = walk.count(2)
    if most is not None and count > most:
        raise Malformed(f"{count} clients are more than this document can have")
    for _ in range(count):
        client = walk.client()
        clock = walk.uint()
        if clock >= MAX_CLOCK:
            raise UpdateRefused("A clock lies beyond 2^31.", limit="clock")
        clocks[client] = clock
    if walk.pos != len(data):
        raise Malformed(f"{len(data) - walk.pos} bytes stand behind the state vector")
    return clocks


def encode_state_vector(clocks: dict[int, int]) -> bytes:
    """Write a state vector."""
    parts = [write_uint(len(clocks))]
    for client, clock in clocks.items():
        parts.append(write_uint(client))
        parts.append(write_uint(clock))
    return b"".join(parts)
