"""What servers tell each other, as bytes and as values. Nothing depends on it: the database has all that must be known.

Each message is a byte for its kind and fields as lib0 writes them. Whoever hears one knows that a server wrote it
(bus/sealing.py), and reads it as strictly as if it came from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coscribe.core.lib0 import read_bytes, read_string, read_uint, write_bytes, write_string, write_uint
from coscribe.errors import Malformed
from coscribe.model import Entry, Principal, PrincipalKind, Role

_STORED, _HAPPENED, _RENAMED, _PRESENT, _WHO, _ALIVE = range(1, 7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Of awareness states or entries in one message.
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Stored:
    """A document's log has come to `seq`; `entries` are its last ones, or none."""

    document_id: str
    generation: int
    seq: int
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Happened:
    """An activity was stored."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """A principal has another name or colour."""

    principal: Principal


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Somebody's awareness state at another server; `state` is the JSON of his own fields, `null` where he left."""

    client: int
    clock: int
    session_id: str
    principal: Principal
    role: Role
    state: str


@dataclass(frozen=True, slots=True)
class Present:
    """Who is in a document at the sender's; `is_all` says that nobody else is."""

    document_id: str
    states: tuple[Elsewhere, ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Who:
    """Asks who is in a document."""

    document_id: str


@dataclass(frozen=True, slots=True)
class Alive:
    """The sender lives."""


Message = Stored | Happened | Renamed | Present | Who | Alive


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    match message:
        case Stored(document_id, generation, seq, entries):
            head = write_string(document_id) + write_uint(generation) + write_uint(seq) + write_uint(len(entries))
            return bytes((_STORED,)) + head + b"".join(map(_entry, entries))
        case Happened():
            return bytes((_HAPPENED,))
        case Renamed(principal):
            return bytes((_RENAMED,)) + _principal(principal)
        case Present(document_id, states, is_all):
            head = write_string(document_id) + write_uint(is_all) + write_uint(len(states))
            return bytes((_PRESENT,)) + head + b"".join(map(_elsewhere, states))
        case Who(document_id):
            return bytes((_WHO,)) + write_string(document_id)
        case Alive():
            return bytes((_ALIVE,))


def decode(data: bytes) -> Message:
    """Read a message. Raises Malformed, also for a kind that a later version may have."""
    reader = _Reader(data)
    kind = reader.uint()
    read = _READERS.get(kind)
    if read is None:
        raise Malformed(f"there is no message of kind {kind}")
    try:
        message = read(reader)
    except (ValueError, OverflowError) as error:
        raise Malformed(str(error)) from None
    if reader.pos != len(data):
        raise Malformed("there are bytes behind the message")
    return message


class _Reader:
    """A position in a message."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def uint(self) -> int:
        value, self.pos = read_uint(self.data, self.pos)
        return value

    def string(self) -> str:
        value, self.pos = read_string(self.data, self.pos)
        return value

    def bytes(self) -> bytes:
        value, self.pos = read_bytes(self.data, self.pos)
        return value

    def count(self) -> int:
        count = self.uint()
        if count > _MOST:
            raise Malformed(f"{count} are more than a message has")
        return count

    def principal(self) -> Principal:
        return Principal(self.string(), PrincipalKind(self.string()), self.string(), self.uint())

    def entry(self) -> Entry:
        seq, principal_id, session_id = self.uint(), self.string(), self.string()
        return Entry(seq, principal_id, session_id, _EPOCH + self.uint() * _MICROSECOND, self.bytes())

    def elsewhere(self) -> Elsewhere:
        client, clock, session_id, principal = self.uint(), self.uint(), self.string(), self.principal()
        return Elsewhere(client, clock, session_id, principal, Role(self.string()), self.string())


def _stored(reader: _Reader) -> Stored:
    document_id, generation, seq = reader.string(), reader.uint(), reader.uint()
    return Stored(document_id, generation, seq, tuple([reader.entry() for _ in range(reader.count())]))


def _present(reader: _Reader) -> Present:
    document_id, is_all = reader.string(), bool(reader.uint())
    return Present(document_id, tuple([reader.elsewhere() for _ in range(reader.count())]), is_all)


_READERS: dict[int, Callable[[_Reader], Message]] = {
    _STORED: _stored,
    _HAPPENED: lambda _: Happened(),
    _RENAMED: lambda reader: Renamed(reader.principal()),
    _PRESENT: _present,
    _WHO: lambda reader: Who(reader.string()),
    _ALIVE: lambda _: Alive(),
}


def _principal(principal: Principal) -> bytes:
    told = write_string(principal.id) + write_string(principal.kind.value) + write_string(principal.name)
    return told + write_uint(principal.colour)


def _entry(entry: Entry) -> bytes:
    at = (entry.at - _EPOCH) // _MICROSECOND
    who = write_string(entry.principal_id) + write_string(entry.session_id)
    return write_uint(entry.seq) + who + write_uint(max(at, 0)) + write_bytes(entry.payload)


def _elsewhere(one: Elsewhere) -> bytes:
    who = write_string(one.session_id) + _principal(one.principal) + write_string(one.role.value)
    return write_uint(one.client) + write_uint(one.clock) + who + write_string(one.state)
