"""Dialect 2, as @hocuspocus/provider 3 and 4 speak it: dialect 1's messages to an address, and a word on each update.

One socket carries several documents. An address is a document's id, or that and the id of one of several providers of
it behind a NUL (@hocuspocus/common, `routingKey.ts`); what is answered goes to the same address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from coscribe.core.bounds import TURNED_AWAY
from coscribe.core.lib0 import read_bytes, read_string, read_uint, write_bytes, write_string, write_uint
from coscribe.core.session import Asked, Effect, Heavy, Offered, Session, Slot
from coscribe.core.update import Scan, scan_state_vector
from coscribe.errors import Malformed, UpdateRefused
from coscribe.model import Role

SYNC, AWARENESS, AUTH, QUERY_AWARENESS, STATELESS, BROADCAST, CLOSE, SYNC_STATUS = 0, 1, 2, 3, 5, 6, 7, 8
# The whole frame is this one byte, without an address.
PING, PONG = b"\x09", b"\x0a"
_TOKEN, _DENIED, _AUTHENTICATED = 0, 1, 2
_APPLIED, _NOT_APPLIED = write_uint(SYNC_STATUS) + b"\x01", write_uint(SYNC_STATUS) + b"\x00"
_STEP_1 = b"\x00\x00"
# A document's id and that of a provider have less.
_MOST_ADDRESS_BYTES = 256
# Client ids in a state vector that are looked at; an answer is refused for fewer.
_MOST_CLIENTS = 100_000
# Questions of ours that wait for an answer; who answers none has no light.
_MOST_QUESTIONS = 1_000


class Addressed(NamedTuple):
    """A frame: to whom, of which kind, and the message from its kind on."""

    address: bytes
    kind: int
    message: bytes


def read_frame(frame: bytes) -> Addressed:
    """Tell a frame's address from its message. Raises Malformed."""
    address, pos = read_bytes(frame, 0)
    if len(address) > _MOST_ADDRESS_BYTES:
        raise Malformed("an address is too long")
    kind, _ = read_uint(frame, pos)
    return Addressed(address, kind, frame[pos:])


def document_of(address: bytes) -> str:
    """The id of the document that an address names."""
    return address.partition(b"\0")[0].decode(errors="replace")


def prefix_of(address: bytes) -> bytes:
    """What stands in front of every message to an address."""
    return write_bytes(address)


def read_token(message: bytes) -> str:
    """The token of an authentication message; what stands behind it is the provider's version. Raises Malformed."""
    step, pos = read_uint(message, 1)
    if step != _TOKEN:
        raise Malformed("only a token is expected here")
    return read_string(message, pos)[0]


def encode_denied(reason: str) -> bytes:
    """That nothing is to be had at this address, and why."""
    return bytes((AUTH, _DENIED)) + write_string(reason)


def encode_authenticated(role: Role) -> bytes:
    """What may be done at this address."""
    scope = "read-write" if role.includes(Role.EDITOR) else "readonly"
    return bytes((AUTH, _AUTHENTICATED)) + write_string(scope)


def encode_close(reason: str) -> bytes:
    """That the document is detached from the socket."""
    return write_uint(CLOSE) + write_string(reason)


def _clocks_of(state_vector: bytes) -> Mapping[int, int]:
    """A question's state vector; nothing where it is none, which is found by whoever answers."""
    try:
        return scan_state_vector(state_vector, most=_MOST_CLIENTS)
    except (Malformed, UpdateRefused):
        return {}


@dataclass(slots=True, eq=False)
class HocuspocusSession(Session):
    """A conversation whose client counts its updates by our words on them.

    It hears exactly one word for each update that it counts: that it is on the disk, or that it was not taken. A
    question of its own begins its count at one, which our question and its answer settle, and what it sent before is
    not counted any more. An answer to a question that we ask of our own accord is none that it counts either. A word on
    anything that is not counted would pass for that on an update, and show as saved what is not.
    """

    # Whether a question of ours is still to follow the client's; the first is followed by the one that everybody gets.
    _is_asking: bool = True
    _has_asked_once: bool = False
    # Before the count begins, and until it has answered the question that comes with that.
    is_read_closely: bool = True
    # What the client held when its count began, until then. Providers keep what is typed without a connection, and send
    # it when they first hear from the server: behind their question.
    _held: Mapping[int, int] | None = None
    # Of each of our questions that is on its way, the words that its answer is worth.
    _asked: deque[int] = field(default_factory=lambda: deque(maxlen=_MOST_QUESTIONS))
    # Words that are owed for what was turned away for now: the answer to our next question brings it.
    _owed: int = 0
    # Frames up to this one are none that the client counts; of others, how many words where it is not one.
    _uncounted: int = 0
    _words: dict[int, int] = field(default_factory=dict)
    _refused: set[int] = field(default_factory=set)

    def receive(self, frame: bytes) -> Effect:
        """Read one frame. Raises Malformed."""
        effect = Session.receive(self, frame)
        match effect:
            case Asked(state_vector):
                self._uncounted = self._frames
                self._held, self.is_read_closely = _clocks_of(state_vector), True
            case Offered(is_step2=True) | Heavy(is_step2=True):
                self._answered()
            case Offered(scan=scan) if self._held_already(scan):
                self._words[self._frames] = 0
            case Heavy() if self._held is not None:
                self._words[self._frames] = 0
            case _:
                pass
        return effect

    def _answered(self) -> None:
        """Note an answer to a question of ours."""
        words = self._asked.popleft() if self._asked else 0
        if words != 1:
            self._words[self._frames] = words
        if words:
            self._held, self.is_read_closely = None, False

    def _held_already(self, scan: Scan) -> bool:
        """Whether an update may be older than the count: one that only removes does not show it, and gets no word."""
        held = self._held
        return held is not None and all(end <= held.get(client, 0) for client, _, end in scan.structs)

    def asks(self) -> bool:
        """Note a question of the client's; gives whether one of ours is to be asked in front of its answer."""
        is_first, self._has_asked_once = not self._has_asked_once, True
        if not is_first:
            for place in range(len(self._asked)):
                self._asked[place] = 0
            self._is_asking, self._owed = True, 0
        return not is_first

    def sending(self, frame: bytes) -> None:
        """Note a frame that is on its way to the client."""
        if frame.startswith(_STEP_1):
            self._asked.append(self._is_asking + self._owed)
            self._is_asking, self._owed = False, 0

    def _tell_settled(self, before: int, seq: int) -> None:
        del seq
        for number in range(before + 1, self._settled + 1):
            words, is_refused = self._words.pop(number, 1), number in self._refused
            self._refused.discard(number)
            if number <= self._uncounted or not self._has_asked_once:
                continue
            if is_refused:
                self.outbox.push(_NOT_APPLIED)
            for _ in range(words):
                self.outbox.push(_APPLIED)

    def refuse(self, slot: Slot, reason: str, limit: str) -> None:
        """Settle a frame as refused; a document of another kind than text is refused as a whole."""
        slot.ticket = 0
        words, self._words[slot.number] = self._words.get(slot.number, 1), 0
        if limit == TURNED_AWAY and slot.number > self._uncounted:
            self._owed += words
            return
        self._refused.add(slot.number)
        code = self.final_code(limit)
        if code is not None:
            self.outbox.close(code, reason)

    def fork(self, slot: Slot, reason: str) -> None:
        """Settle a frame as refused for its client id, and end the conversation (rule D10)."""
        self._refused.add(slot.number)
        slot.ticket = 0
        self.outbox.close(4409, reason)

    def notify(self, kind: str, reason: str, **more: object) -> None:
        """Of what stands beside the document this client hears what it may do."""
        del reason, more
        if kind == "role":
            self.outbox.push(encode_authenticated(self.role))
