"""A small world around one real Exchange: clients with CRDT copies, lines that lag and break, a log that lags.

Everything random comes from the seed. Frames keep their order on one line; lines know nothing of each other.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from pycrdt import Doc, Text, TransactionEvent
from tests.support.people import HELLO, NOW, a_session, an_exchange
from tests.support.wire_bytes import framed

from coscribe.core.exchange import Exchange
from coscribe.core.lib0 import read_bytes, read_uint
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.core.splices import Splice
from coscribe.core.update import scan
from coscribe.model import Entry, Principal, PrincipalKind
from coscribe.rooms.history import load_entries

CLIENTS = 5
STEPS = 200
# Small enough that a line that lags turns its session stale now and then.
OUTBOX_BYTES = 160
WORDS = [
    "a", "word ", "\n", "# ", "é", "ñandú", "😀", "👩\u200d👩\u200d👧", "🇪🇺", "e\u0301", "z\u0351\u036b",
    "שלום", "سلام", "\u202e", "漢字", "\U0010fffd", "\u2028", "\t", "\x00", "\ufeff",
]  # fmt: skip
REST = Principal("rest", PrincipalKind.TOKEN, "Script", 0)


@dataclass
class Line:
    """One connection: what is on its way up and down, and what was sent on it."""

    session: Session
    up: deque[bytes] = field(default_factory=deque)
    down: deque[bytes] = field(default_factory=deque)
    sent: list[bytes] = field(default_factory=list)


class Client:
    """A person with a CRDT copy; its edits go out when there is a line and wait in the copy when there is none."""

    def __init__(self, name: str, client_id: int) -> None:
        self.principal = Principal(name, PrincipalKind.GUEST, name, 0)
        self.doc: Doc[Text] = Doc(client_id=client_id)
        self.text: Text = self.doc.get("content", type=Text)
        self.line: Line | None = None
        self._events: list[TransactionEvent] = []
        self._subscription = self.doc.observe(self._events.append)

    def type(self, rng: random.Random, words: list[str]) -> None:
        """Insert and delete at random, in one transaction."""
        self._events.clear()
        with self.doc.transaction():
            for _ in range(rng.randrange(1, 3)):
                text = str(self.text)
                start = rng.randrange(len(text) + 1)
                if rng.random() < 0.3:
                    stop = min(len(text), start + rng.randrange(6))
                    del self.text[len(text[:start].encode()) : len(text[:stop].encode())]
                else:
                    self.text.insert(len(text[:start].encode()), rng.choice(words) * rng.randrange(1, 4))
        for event in self._events:
            self.send(2, event.update)

    def send(self, kind: int, update: bytes) -> None:
        """Send an update or a step 2; without a line it is said at the next handshake."""
        if self.line is not None:
            self.line.sent.append(update)
            self.line.up.append(framed(kind, update))

    def hear(self, frame: bytes) -> tuple[int, int] | None:
        """Take a frame from the server; gives an ack's frames and seq."""
        if frame[0] == 0x71:
            frames, pos = read_uint(frame, 1)
            return frames, read_uint(frame, pos)[0]
        if frame[0] == 0:
            payload, _ = read_bytes(frame, 2)
            if frame[1] == 0:
                self.send(1, self.doc.get_update(payload))
            else:
                self.doc.apply_update(payload)
        return None


class World:
    """Five clients, one document, one log."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.words = WORDS + (["\r\n", "\r"] if seed % 4 == 0 else [])
        self.exchange: Exchange = an_exchange()
        self.clients = [Client(f"c{index}", self.rng.randrange(2, 2**32)) for index in range(CLIENTS)]
        self.log: list[Entry] = []
        self.payloads: set[bytes] = set()
        self.logged: dict[int, int] = {}
        self.stale = 0
        self.acks = 0
        self._lines = 0

    def run(self) -> None:
        """Live through all steps, then let everything arrive."""
        actions = [self.type, self.up, self.down, self.turn, self.commit, self.line, self.rest]
        weights = [30, 30, 12, 25, 6, 3, 1]
        for action in self.rng.choices(actions, weights, k=STEPS):
            action()
        self.settle()

    def client(self) -> Client:
        return self.rng.choice(self.clients)

    def type(self) -> None:
        self.client().type(self.rng, self.words)

    def up(self) -> None:
        """Some of what a client sent arrives."""
        client = self.client()
        if client.line is not None:
            for _ in range(min(len(client.line.up), self.rng.randrange(1, 5))):
                self.exchange.receive(client.line.session, client.line.up.popleft())
            assert client.line.session.outbox.closing is None

    def down(self) -> None:
        """A client's line takes what it is owed, and the client hears some of it."""
        client = self.client()
        line = client.line
        if line is None:
            return
        line.down.extend(line.session.outbox.take())
        if line.session.outbox.is_stale:
            self.stale += 1
            self.exchange.drained(line.session)
        for _ in range(min(len(line.down), self.rng.randrange(1, 8))):
            self.hear(client, line)

    def hear(self, client: Client, line: Line) -> None:
        ack = client.hear(line.down.popleft())
        if ack is not None:
            self.acks += 1
            frames, seq = ack
            assert seq <= len(self.log)
            for update in line.sent[:frames]:
                self.assert_durable(update)

    def assert_durable(self, update: bytes) -> None:
        """Rule D3: what is acked is in the log, itself or as what it repeats."""
        if update not in self.payloads:
            found = scan(update)
            assert all(end <= self.logged.get(client, 0) for client, _, end in found.structs)

    def turn(self) -> None:
        self.exchange.flush()

    def commit(self) -> None:
        """The log finishes what it was given before, or is given what there is."""
        intake = self.exchange.intake
        if self.rng.random() < 0.5:
            intake.take()
            return
        self.finish()

    def finish(self) -> None:
        intake = self.exchange.intake
        batches = intake.take()
        first = len(self.log) + 1
        for entry in [entry for batch in batches for entry in batch.entries]:
            seq = len(self.log) + 1
            self.log.append(Entry(seq, entry.principal_id, entry.session_id, NOW, entry.payload))
            self.payloads.add(entry.payload)
            for client, _, end in scan(entry.payload).structs:
                self.logged[client] = max(end, self.logged.get(client, 0))
        if batches:
            self.exchange.acknowledge(intake.committed(first))

    def line(self) -> None:
        """A line breaks, with all that is on it, or a client comes back."""
        client = self.client()
        if client.line is None:
            self.connect(client)
        else:
            self.exchange.leave(client.line.session)
            client.line = None

    def connect(self, client: Client) -> None:
        self._lines += 1
        session = a_session(f"s{self._lines}", client.principal, ours=False, limit=OUTBOX_BYTES)
        client.line = Line(session)
        self.exchange.join(session)
        client.line.up += [HELLO, framed(0, client.doc.get_state())]

    def rest(self) -> None:
        """A script edits over REST."""

        def plan(text: str) -> list[Splice]:
            at = self.rng.randrange(len(text) + 1)
            return [Splice(at, min(len(text) - at, self.rng.randrange(4)), self.rng.choice(WORDS))]

        self.exchange.edit(REST, plan)

    def settle(self) -> None:
        """Everybody connects, everything arrives, everything is committed."""
        for client in self.clients:
            if client.line is None:
                self.connect(client)
        quiet = 0
        while quiet < 2:
            quiet += 1
            for client in self.clients:
                line = client.line
                assert line is not None
                while line.up:
                    self.exchange.receive(line.session, line.up.popleft())
                    quiet = 0
                self.exchange.flush()
                line.down.extend(line.session.outbox.take())
                if line.session.outbox.is_stale:
                    self.exchange.drained(line.session)
                while line.down:
                    self.hear(client, line)
                    quiet = 0
            self.finish()

    def replayed(self) -> str:
        """The text that the log alone gives."""
        replica = Replica(1)
        load_entries(replica, self.log)
        return replica.text

    def texts(self) -> dict[str, str]:
        """Everybody's text."""
        return {
            "server": self.exchange.intake.replica.text,
            "committed": str(self.exchange.intake.text),
            "replayed": self.replayed(),
            **{client.principal.name: str(client.text) for client in self.clients},
        }
