"""What sessions are told when they ask, join, or fell behind: encoded once for as many as want the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from coscribe.core.awareness import Awareness
from coscribe.core.forks import FORKED
from coscribe.core.intake import Intake
from coscribe.core.outbox import Outbox
from coscribe.core.pieces import Whole, split
from coscribe.core.protocol import KEEPALIVE, encode_digest, encode_step1, encode_step2, encode_update
from coscribe.core.update import Span, encode_state_vector, scan_state_vector
from coscribe.errors import Malformed, UpdateRefused

_EMPTY_STATE_VECTOR = b"\x00"
# Clients that a copy may know beside those of the document: what it wrote itself, in many tabs and years.
_MORE_CLIENTS = 10_000
# Ticks that may have come since a state was cut up, until it is cut up again: for a text of 105 KB with a long history
# that takes 20 ms, of each who joins while somebody types, and telling what came since 0.4 ms.
_MOST_SINCE = 2**15


class _Cut(NamedTuple):
    """A whole state in frames of updates, with the clocks and the bytes of text that it comes to."""

    frames: list[bytes]
    clocks: dict[int, int]
    size: int


class Answers:
    """The asking side of one live document. Whoever calls has flushed: what is accepted is applied."""

    def __init__(self, intake: Intake, awareness: Awareness) -> None:
        self._intake = intake
        self._awareness = awareness
        # The frames that whoever has nothing is answered with, and the state of the document that they are.
        self._newest: tuple[int, list[bytes]] = (-1, [])
        self._cut: _Cut | None = None

    def begin(self, whole: Whole, *, is_all: bool) -> None:
        """Begin with a state that is cut up already; `is_all` says that nothing has come since."""
        if len(whole.pieces) == 1:
            return  # it is as soon encoded as kept
        frames = self._keep(whole)
        if is_all:
            self._newest = self._intake.state, frames

    def forget(self) -> None:
        """Answer from the whole state, and not by one of a while ago and what came since."""
        self._newest, self._cut = (-1, []), None

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
        """Answer a step 1. Raises Malformed, and UpdateRefused with limit `fork` to who has another history."""
        clocks, pairs = self._intake.replica.clocks, self._intake.replica.pairs
        try:
            # A state vector of 500,000 clients took 0.3 s; no copy of this document knows so many.
            known = scan_state_vector(state_vector, most=len(clocks) + _MORE_CLIENTS)
        except UpdateRefused as refusal:
            raise Malformed(str(refusal)) from None
        if pairs and any((client, clock - 1) in pairs for client, clock in known.items()):
            # Nobody writes half a character; and the engine would tell him less than there is behind that half.
            raise UpdateRefused(FORKED, limit="fork")
        if outbox.is_full:
            # Whoever asks again and again without reading gets one answer to all of it (rule D7).
            outbox.owe([Span(client, known.get(client, 0), clock) for client, clock in clocks.items()])
        elif state_vector == _EMPTY_STATE_VECTOR:
            outbox.push_answer(self._all())
        else:
            outbox.push_answer(_frames(self._intake.replica.diff(state_vector)))

    def _all(self) -> list[bytes]:
        """The whole state, encoded once for all who join while nothing changes."""
        state, frames = self._newest
        if state != self._intake.state:
            frames = self._continued() or self._anew()
            self._newest = self._intake.state, frames
        return frames

    def _continued(self) -> list[bytes] | None:
        """The last state that was cut up and what came since; None where that is much, or there is none."""
        cut, replica = self._cut, self._intake.replica
        if cut is None:
            return None
        came = sum(clock - cut.clocks.get(client, 0) for client, clock in replica.clocks.items())
        if came > max(_MOST_SINCE, cut.size // 8) or replica.size < cut.size // 2:
            return None
        return [*cut.frames, *_frames(replica.diff(encode_state_vector(cut.clocks)))]

    def _anew(self) -> list[bytes]:
        replica = self._intake.replica
        return self._keep(Whole(tuple(split(replica.diff())), dict(replica.clocks), replica.size))

    def _keep(self, whole: Whole) -> list[bytes]:
        """Keep a state that is worth it, as frames; gives the frames of an answer that is this state."""
        answer = _in_frames(whole.pieces)
        last = encode_update(whole.pieces[-1])
        self._cut = _Cut([*answer[:-1], last], whole.clocks, whole.size) if len(answer) > 1 else None
        return answer

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
    """An answer in pieces that no watchdog and no frame limit trips over."""
    return _in_frames(split(update))


def _in_frames(pieces: Sequence[bytes]) -> list[bytes]:
    """Updates, and a step 2 at the end."""
    *first, last = pieces
    return [*map(encode_update, first), encode_step2(last)]
