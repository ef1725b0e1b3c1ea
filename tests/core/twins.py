"""Two live documents that hear the same: one has its express way, the other takes every frame the ordinary way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.people import NOW, ROOM, a_session

from coscribe.core.exchange import Exchange
from coscribe.core.express import Express
from coscribe.core.intake import Intake, Limits
from coscribe.core.protocol import AwarenessUpdate, decode
from coscribe.core.replica import EngineFailed, Replica
from coscribe.core.session import Session
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
            for batch in self.exchange.intake.take():
                self.log.append(
                    (batch.entries, [author.id for author in batch.authors], batch.client_ids, batch.ticket)
                )

    def end_commit(self) -> None:
        """The log has it."""
        if self.exchange.intake.is_taken:
            self.exchange.acknowledge(self.exchange.intake.committed(self.exchange.intake.seq + 1))

    def state(self) -> dict[str, Any]:
        """All that may differ between the two and must not."""
        exchange, intake = self.exchange, self.exchange.intake
        return {
            "failed": self.has_failed,
            "text": intake.replica.text,
            "engine": intake.replica.state_vector(),
            "clocks": intake.replica.clocks,
            "size": intake.replica.size,
            "tickets": (intake.tickets, intake.durable, intake.sealed, intake.seq, str(intake.text)),
            "unsaved": (intake.unsaved_bytes, intake._held_bytes, intake.is_full),
            "owners": intake._owners,
            "foreign": intake.foreign,
            "awareness": exchange.awareness.states(),
            "dirty": (exchange.is_dirty, exchange.has_moves, exchange._turned_away, len(exchange.loads)),
            "owed": set(exchange._owed),
            "holding": set(exchange._holding),
            "sessions": {name: _session(session) for name, session in self.sessions.items()},
            "log": self.log,
        }


def _session(session: Session) -> tuple[object, ...]:
    closing = session.outbox.closing
    held = [offer.update for offer in session.ahead.offers] if session.ahead is not None else []
    if closing is not None:
        # Of a caret that is none the express way knows at the end of the turn: its session hears that much more.
        return closing.code, session._frames, session._settled
    return session._frames, session._settled, session.is_owed, held, session.has_asked, session.outbox.held_bytes


def _read(frame: bytes) -> object:
    """A frame as it is compared: the states of one awareness message may come in any order."""
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
