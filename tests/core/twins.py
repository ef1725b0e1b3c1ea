"""Two live documents that hear the same: one has its express way, the other takes every frame the ordinary way.

Letters that go on are one entry of the log by the express way and several by the ordinary one: what each session has
brought in each batch is compared letter by letter, and the text that the log has after it. What counts entries is held
against the log of the same twin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pycrdt import Doc, Text
from tests.support.people import NOW, ROOM, a_session

from coscribe.core.bounds import Limits
from coscribe.core.exchange import Exchange
from coscribe.core.express import Express
from coscribe.core.intake import Intake
from coscribe.core.joining import _text
from coscribe.core.lib0 import read_uint
from coscribe.core.pieces import Struct, StructWalk
from coscribe.core.protocol import AwarenessUpdate, decode
from coscribe.core.replica import EngineFailed, Replica
from coscribe.core.session import Session
from coscribe.core.unsaved import Batch
from coscribe.core.update import scan
from coscribe.errors import Malformed
from coscribe.model import Principal, Role


class Counting(Express):
    """The express way, and how many frames it took in."""

    taken = 0

    def take(self, session: Session, frame: bytes) -> bool:
        is_taken = super().take(session, frame)
        self.taken += is_taken
        return is_taken


class Shut(Express):
    """An express way that takes nothing."""

    def take(self, session: Session, frame: bytes) -> bool:
        return False


@dataclass
class Twin:
    """One of the two, with what it wrote into its log and told everybody."""

    exchange: Exchange
    sessions: dict[str, Session] = field(default_factory=dict)
    log: list[object] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    reader: Doc[Text] = field(default_factory=Doc)
    has_failed: bool = False

    def hear(self, name: str, frame: bytes) -> None:
        """Take a frame as a room does."""
        session = self.sessions[name]
        if session.outbox.closing is not None:
            return
        try:
            self.exchange.receive(session, frame)
        except Malformed as error:
            session.break_off(error)
        except EngineFailed:
            self.has_failed = True

    def flush(self) -> None:
        """End a turn."""
        try:
            self.exchange.flush()
        except EngineFailed:
            self.has_failed = True

    def begin_commit(self) -> None:
        """Hand what is pending to the log."""
        if not self.exchange.intake.is_taken:
            batches = self.exchange.intake.take()
            payloads = [entry.payload for batch in batches for entry in batch.entries]
            assert self.exchange.intake.reserve.payload_bytes >= sum(map(len, payloads))
            for batch in batches:
                text = "" if self.has_failed else self._follow(batch)
                self.log.append((_by_session(batch), [author.id for author in batch.authors], batch.client_ids, text))

    def _follow(self, batch: Batch) -> str:
        """The text of whoever reads the log up to a batch."""
        for entry in batch.entries:
            self.stored.append(entry.payload)
            self.reader.apply_update(entry.payload)
        return str(self.reader["content"])

    def end_commit(self) -> None:
        """The log has it."""
        if self.exchange.intake.is_taken:
            self.exchange.intake.committed()
            self.exchange.offers.acknowledge()

    def state(self) -> dict[str, Any]:
        """All that may differ between the two and must not."""
        exchange, intake = self.exchange, self.exchange.intake
        return {
            "failed": self.has_failed,
            "text": intake.replica.text,
            "engine": intake.replica.state_vector(),
            "clocks": intake.replica.clocks,
            "size": intake.replica.size,
            "tickets": (intake.is_settled, intake.sealed == intake.tickets, str(intake.text)),
            "unsaved": (intake.reserve.payload_bytes == 0, intake.reserve.memory_bytes == 0, intake.reserve.is_full),
            "seq": intake.seq <= len(self.stored),
            "owners": intake.ownership.owners,
            "foreign": intake.ownership.foreign,
            "awareness": exchange.awareness.states(),
            "dirty": (exchange.is_dirty, exchange.has_moves, exchange.offers.turned_away, len(exchange.offers.loads)),
            "owed": set(exchange.offers.owed),
            "holding": set(exchange.offers.holding),
            "sessions": {name: _session(session) for name, session in self.sessions.items()},
            "log": self.log,
        }


def _by_session(batch: Batch) -> dict[str, list[object]]:
    """What each session has brought, in its order: by whom, when, letters with their places, and deletions."""
    brought: dict[str, list[object]] = {}
    for entry in batch.entries:
        walk = StructWalk(entry.payload)
        walk.structs()
        units = [unit for client, found in walk.found.items() for struct in found for unit in _units(client, struct)]
        told = [(entry.principal_id, entry.at, unit) for unit in units]
        brought.setdefault(entry.session_id, []).extend([*told, *scan(entry.payload).deletes])
    return brought


def _units(client: int, struct: Struct) -> Iterator[object]:
    """A struct as the items that Yjs would cut it into; what is no text of ASCII, as it is."""
    text = _text(struct.raw)
    if text is None or not text.content.isascii():
        yield client, struct.clock, struct.raw
        return
    root = b"" if text.origin or text.right_origin else text.head
    for at, letter in enumerate(text.content):
        origin = (client, struct.clock + at - 1) if at else text.origin
        yield client, struct.clock + at, origin, text.right_origin, b"" if at else root, letter


def _session(session: Session) -> tuple[object, ...]:
    closing = session.outbox.closing
    held = [offer.update for offer in session.ahead.offers] if session.ahead is not None else []
    if closing is not None:
        # Of a caret that is none the express way knows at the end of the turn: its session hears that much more.
        return closing.code, session._frames, session._settled
    return session._frames, session._settled, session.is_owed, held, session.has_asked, session.outbox.held_bytes


def _read(frame: bytes) -> object:
    """A frame as it is compared: awareness states may come in any order, and an ack counts entries beside frames."""
    if frame.startswith(b"\x71"):
        return read_uint(frame, 1)[0]
    if frame[0] != 1:
        return frame
    message = decode(frame)
    assert isinstance(message, AwarenessUpdate)
    return sorted(message.entries)


class Twins:
    """Both of them; `express` has the express way."""

    def __init__(self, *updates: bytes, document_bytes: int = ROOM, unsaved_bytes: int = ROOM) -> None:
        limits = Limits(document_bytes, unsaved_bytes)
        self.express, self.ordinary = (
            Twin(Exchange(1, Intake(_replica(updates), seq=0, owners={}, limits=limits, now=lambda: NOW)))
            for _ in range(2)
        )
        for twin in self.both:
            twin.reader["content"] = Text()
            for each in updates:
                twin.reader.apply_update(each)
        self.express.exchange.express = self.counting = Counting(self.express.exchange.intake)
        self.ordinary.exchange.express = Shut(self.ordinary.exchange.intake)

    @property
    def both(self) -> tuple[Twin, Twin]:
        """The two."""
        return self.express, self.ordinary

    def join(self, name: str, principal: Principal, role: Role = Role.EDITOR, *, ours: bool = True) -> None:
        """Let somebody in."""
        for twin in self.both:
            twin.sessions[name] = a_session(name, principal, role, ours=ours)
            twin.exchange.join(twin.sessions[name])

    def leave(self, name: str) -> None:
        """Let somebody go."""
        for twin in self.both:
            twin.exchange.leave(twin.sessions.pop(name))

    def hear(self, name: str, *frames: bytes) -> None:
        """Take frames, without an end of the turn."""
        for frame in frames:
            for twin in self.both:
                twin.hear(name, frame)

    def turn(self, *, begins: bool = True, ends: bool = True) -> dict[str, list[bytes]]:
        """End the turn, begin and end a commit; both must have come to the same. Gives what everybody was told."""
        for twin in self.both:
            twin.flush()
            if begins:
                twin.begin_commit()
            if ends:
                twin.end_commit()
        self.compare()
        told, expected = (
            {name: session.outbox.take() for name, session in twin.sessions.items()} for twin in self.both
        )
        for name, frames in told.items():
            if self.ordinary.sessions[name].outbox.closing is None:
                assert list(map(_read, frames)) == list(map(_read, expected[name])), name
        return told

    def compare(self) -> None:
        """Fail with what is not the same."""
        expected = self.ordinary.state()
        other = {
            name: (found, expected[name]) for name, found in self.express.state().items() if found != expected[name]
        }
        if other:
            pytest.fail(f"by the express way and by the ordinary one: {other}")
        intake = self.express.exchange.intake
        if not self.express.has_failed and not intake.has_accepted:
            # A place in the middle makes two more, and is counted as one.
            known = scan(intake.replica.diff())
            structs = known.things - len(known.deletes)
            assert structs <= 2 * intake.fragments + 1 <= 2 * self.ordinary.exchange.intake.fragments + 1


def _replica(updates: tuple[bytes, ...]) -> Replica:
    replica = Replica(1)
    if updates:
        replica.load(updates)
    return replica
