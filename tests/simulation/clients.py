"""The simulator's people: CRDT copies that type, lose their line, come back, and count what was acked."""

from __future__ import annotations

import hashlib
import json
import random
from collections import deque
from dataclasses import dataclass, field

from pycrdt import Doc, Text, TransactionEvent
from tests.simulation.server import Server
from tests.simulation.words import Words, a_place, some_noise, utf8
from tests.support.wire_bytes import framed

from coscribe.core.lib0 import read_bytes, read_string, read_uint
from coscribe.core.session import Session
from coscribe.core.update import Span, encode_state_vector, scan, scan_state_vector
from coscribe.model import Principal

NOISE = [
    "a", "word ", "\n", "# ", "é", "ñandú", "😀", "👩\u200d👩\u200d👧", "🇪🇺", "e\u0301", "z\u0351\u036b",
    "שלום", "سلام", "\u202e", "漢字", "\U0010fffd", "\u2028", "\t", "\x00", "\ufeff",
]  # fmt: skip
DOUBT = b"\x75"


@dataclass
class Frame:
    """An update frame of one connection and the words whose saving its ack tells."""

    words: set[str]
    clock: int
    refused: bool = False


@dataclass
class Line:
    """One connection: to which server, what is on its way up and down, and what was sent on it."""

    session: Session
    server: Server
    up: deque[bytes] = field(default_factory=deque)
    down: deque[bytes] = field(default_factory=deque)
    frames: list[Frame] = field(default_factory=list)
    settled: int = 0


class Client:
    """A person's client: ours says hello and is acked, a stock one is not, and its line may lose and repeat frames."""

    def __init__(self, principal: Principal, words: Words, rng: random.Random, *, is_ours: bool) -> None:
        self.principal = principal
        self.is_ours = is_ours
        self.line: Line | None = None
        self.acks = self.digests = 0
        self.refusals: list[str] = []
        self._words = words
        self._rng = rng
        self.begin_anew()

    def begin_anew(self, state: bytes = b"\x00\x00", client_id: int | None = None) -> None:
        """Take a new copy under a new client id; what was not saved is kept beside it."""
        self._words.shelved |= getattr(self, "unsaved", set())
        self.unsaved: set[str] = set()
        # Up to here our own clocks are acked.
        self._safe = 0
        # Whether the text did not fit the last digest.
        self._is_suspect = False
        self.doc: Doc[Text] = Doc(client_id=client_id or self._rng.randrange(2, 2**32))
        self._words.hands[self.doc.client_id] = self.principal.id
        self.text: Text = self.doc.get("content", type=Text)
        self.doc.apply_update(state)
        self._events: list[TransactionEvent] = []
        self._subscription = self.doc.observe(self._events.append)

    def type(self, noise: list[str]) -> None:
        """Type a word, delete or type noise, in one transaction."""
        rng = self._rng
        word, start = self._words.next(self.principal), self._clock()
        self._events.clear()
        with self.doc.transaction():
            if rng.random() < 0.4:
                text = str(self.text)
                start, stop = some_noise(rng, text)
                del self.text[utf8(text, start) : utf8(text, stop)]
            text = str(self.text)
            before, after = rng.choices(["", *noise], k=2)
            self.text.insert(utf8(text, a_place(rng, text)), before + word + after)
        start += len(before.encode("utf-16-le")) // 2
        self._words.places[word] = Span(self.doc.client_id, start, start + len(word))
        self.unsaved.add(word)
        self._send(2, self._events[0].update, {word})

    def delete(self) -> None:
        """Delete noise alone: an update without structs."""
        self._events.clear()
        text = str(self.text)
        start, stop = some_noise(self._rng, text)
        del self.text[utf8(text, start) : utf8(text, stop)]
        for event in self._events:
            self._send(2, event.update, set())

    def _send(self, kind: int, update: bytes, words: set[str]) -> None:
        if self.line is not None:
            self.line.frames.append(Frame(words, self._clock()))
            self.line.up.append(framed(kind, update))

    def _clock(self) -> int:
        """The next clock of our own."""
        return scan_state_vector(self.doc.get_state()).get(self.doc.client_id, 0)

    def ask(self) -> None:
        """Ask for what is missing."""
        if self.line is not None:
            self.line.up.append(framed(0, self.doc.get_state()))

    def hear(self, frame: bytes) -> None:
        """Take one frame from the server."""
        kind, pos = read_uint(frame, 0)
        if kind == 0:
            self._hear_sync(frame[1], read_bytes(frame, 2)[0])
        elif kind == 2:
            self.refusals.append(read_string(frame, 2)[0])
        elif kind == 0x71:
            self._hear_ack(*read_uint(frame, pos))
        elif kind == 0x72:
            self._hear_digest(*read_bytes(frame, pos), frame)
        elif kind == 0x73:
            self._hear_notice(json.loads(read_string(frame, pos)[0]))

    def _hear_sync(self, step: int, payload: bytes) -> None:
        if step == 0:
            known = scan_state_vector(payload)
            if self.is_ours:
                # What was never acked is said whole: under our clocks the server may have what a copy of us wrote.
                own = self.doc.client_id
                known[own] = min(known.get(own, 0), self._safe)
            self._send(1, self.doc.get_update(encode_state_vector(known)), set(self.unsaved))
        elif self._can_apply(payload):
            self.doc.apply_update(payload)
        else:
            self.ask()

    def _can_apply(self, update: bytes) -> bool:
        """Whether all that an update builds on is here; yjs would wait, the engine loses what waits."""
        found, clocks = scan(update), scan_state_vector(self.doc.get_state())
        ends = {client: end for client, _, end in found.structs}
        known = {client: max(clocks.get(client, 0), ends.get(client, 0)) for client in {*clocks, *ends}}
        return (
            all(start <= clocks.get(client, 0) for client, start, _ in found.structs)
            and all(clock < known.get(client, 0) for client, clock in found.needs.items())
            and all(end <= known.get(client, 0) for client, _, end in found.deletes)
        )

    def _hear_ack(self, count: int, _: int) -> None:
        assert self.line is not None
        assert self.line.settled < count <= len(self.line.frames), "an ack counts frames that were not sent"
        for frame in self.line.frames[self.line.settled : count]:
            if not frame.refused:
                self._words.acked |= frame.words
                self._safe = max(self._safe, frame.clock)
                self.unsaved -= frame.words
                self.acks += 1
        self.line.settled = count

    def _hear_notice(self, notice: dict[str, object]) -> None:
        if notice["kind"] in ("refused", "fork"):
            number = notice.get("frame")
            assert self.line is not None
            if isinstance(number, int):
                self.line.frames[number - 1].refused = True
            self.refusals.append(f"{notice['kind']}: {notice['reason']}")

    def _hear_digest(self, state_vector: bytes, pos: int, frame: bytes) -> None:
        assert self.line is not None
        if scan_state_vector(self.doc.get_state()) == scan_state_vector(state_vector):
            self.digests += 1
            if hashlib.sha256(str(self.text).encode()).digest() == frame[pos:]:
                self._is_suspect = False
            elif self._is_suspect:
                self.line.up.append(DOUBT)
                self.refusals.append("another text for the same state vector")
            else:
                self._is_suspect = True
                self.ask()  # a deletion is on its way, or was dropped from a full outbox
