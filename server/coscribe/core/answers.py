"""What sessions are told when they ask, join, or fell behind: encoded once for as many as want the same."""

from __future__ import annotations

import hashlib

from coscribe.core.awareness import Awareness
from coscribe.core.intake import Intake
from coscribe.core.outbox import Outbox
from coscribe.core.pieces import split
from coscribe.core.protocol import KEEPALIVE, encode_digest, encode_step1, encode_step2, encode_update
from coscribe.core.update import Span, encode_state_vector, scan_state_vector
from coscribe.errors import Malformed, UpdateRefused

_EMPTY_STATE_VECTOR = b"\x00"
# Clients that a copy may know beside those of the document: what it wrote itself, in many tabs and years.
_MORE_CLIENTS = 10_000


class Answers:
    """The asking side of one live document. Whoever calls has flushed: what is accepted is applied."""

    def __init__(self, intake: Intake, awareness: Awareness) -> None:
        self._intake = intake
        self._awareness = awareness
        # The whole state in frames, and the ticket up to which it is that.
        self._whole: tuple[int, list[bytes]] = (-1, [])

    def step1(self) -> bytes:
        """Our question for what is not here."""
        return encode_step1(encode_state_vector(self._intake.replica.clocks))

    def everyone(self, *, departed: bool = False) -> list[bytes]:
        """All awareness states in one message, on request with those who left; none when there is nobody."""
        message = self._awareness.encode_all(departed=departed)
        return [message] if message is not None else []

    def presence(self, outbox: Outbox) -> None:
        """Answer a query for all awareness states."""
        if outbox.is_full:
            outbox.owe(())
        else:
            outbox.push_answer(self.everyone() or [KEEPALIVE])

    def missing(self, outbox: Outbox, state_vector: bytes) -> None:
        """Answer a step 1. Raises Malformed."""
        clocks = self._intake.replica.clocks
        try:
            # A state vector of 500,000 clients took 0.3 s; no copy of this document knows so many.
            known = scan_state_vector(state_vector, most=len(clocks) + _MORE_CLIENTS)
        except UpdateRefused as refusal:
            raise Malformed(str(refusal)) from None
        if outbox.is_full:
            # Whoever asks again and again without reading gets one answer to all of it (rule D7).
            outbox.owe([Span(client, known.get(client, 0), clock) for client, clock in clocks.items()])
        elif state_vector == _EMPTY_STATE_VECTOR:
            outbox.push_answer(self._all())
        else:
            outbox.push_answer(_frames(self._intake.replica.diff(state_vector)))

    def _all(self) -> list[bytes]:
        """The whole state, encoded once for all who join while nothing changes."""
        ticket, frames = self._whole
        if ticket != self._intake.tickets:
            frames = _frames(self._intake.replica.diff())
            self._whole = self._intake.tickets, frames
        return frames

    def drained(self, outbox: Outbox) -> None:
        """Give a stale session, whose line is free again, one diff of all it missed (rule D7)."""
        clocks = {**self._intake.replica.clocks, **outbox.take_missing()}
        outbox.push_answer(_frames(self._intake.replica.diff(encode_state_vector(clocks))))
        # That somebody left may have been dropped too, and is told once only.
        outbox.push_answer(self.everyone(departed=True))

    def digest(self) -> bytes:
        """What a replica with our state vector must read as."""
        replica = self._intake.replica
        return encode_digest(replica.state_vector(), hashlib.sha256(replica.text.encode()).digest())


def _frames(update: bytes) -> list[bytes]:
    """An answer in pieces that no watchdog and no frame limit trips over: updates, and a step 2 at the end."""
    *first, last = split(update)
    return [*map(encode_update, first), encode_step2(last)]
