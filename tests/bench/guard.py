"""Whether the hot path still costs what it did: `make check` runs it.

    .venv/bin/python -m tests.bench.guard

Each step runs in this process, on CPU time, in turn with a reference loop of plain Python, and counts as so many of its
rounds: that differs little between machines and between a quiet and a busy one, seconds would. The best of several
repeats is compared with the bound, which is a third above what was measured when the step was last made faster.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.people import ANN, HELLO, NOW, ROOM, a_session, joined
from tests.support.raw_socket import frame
from tests.support.wire_bytes import framed, one, presence, typed

from coscribe.api.frames import BINARY, short_messages
from coscribe.core.bounds import Limits
from coscribe.core.exchange import Exchange
from coscribe.core.intake import Intake
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.core.update import scan

_REPEATS = 9
_LETTERS = 400
_PEOPLE = 5
_CLIENT = 3_000_000_000
_BASE = one(_CLIENT, 0, typed("begin"))


@dataclass(frozen=True)
class Step:
    """A step of the way of a keystroke; `work` does it `times` times after `prepare` made what it needs."""

    name: str
    bound: float
    times: int
    prepare: Callable[[], object]
    work: Callable[[object], object]


def reference(rounds: int) -> int:
    """What everything is compared with: small integers, bytes, a dictionary and a call."""
    known = {number: number for number in range(16)}
    raw = bytes(range(64))
    total = 0
    for number in range(rounds):
        total += known.get(number & 15, 0) + raw[number & 63] + len(raw[number & 31 : 40])
    return total


class Room:
    """Five people in a document, whose commits succeed at once."""

    def __init__(self) -> None:
        replica = Replica(1)
        replica.load([_BASE])
        owners = {_CLIENT: ANN.id}
        limits = Limits(16 * ROOM, 16 * ROOM)
        self.exchange = Exchange(1, Intake(replica, seq=0, owners=owners, limits=limits, now=lambda: NOW))
        self.sessions = [joined(self.exchange, a_session(f"person {number}")) for number in range(_PEOPLE)]
        for session in self.sessions:
            self.exchange.receive(session, HELLO)
            session.outbox.take()

    def turn(self, session: Session, frames: list[bytes]) -> None:
        """What the server does with the frames of one turn."""
        exchange, intake = self.exchange, self.exchange.intake
        for message in frames:
            if not exchange.express.take(session, message):
                exchange.receive(session, message)
        exchange.took(session)
        exchange.flush()
        for each in self.sessions:
            each.outbox.take()
        intake.take()
        if intake.is_taken:
            intake.committed()
            exchange.offers.acknowledge()


def _letters(start: int, letter: str = "x") -> list[bytes]:
    return [
        framed(2, one(_CLIENT, clock, typed(letter, after=(_CLIENT, clock - 1))))
        for clock in range(start, start + _LETTERS)
    ]


def _carets() -> tuple[Room, list[bytes]]:
    room = Room()
    room.turn(room.sessions[0], _letters(5)[:1])  # after a letter its author's carets are known by their client id
    state = '{"cursor":{"anchor":{"tname":"content","assoc":-1},"head":{"tname":"content","assoc":-1}},"line":1}'
    return room, [presence((_CLIENT, clock, state)) for clock in range(1, 1 + _LETTERS)]


def _one_by_one(prepared: object) -> None:
    room, frames = prepared  # type: ignore[misc]
    for each in frames:
        room.turn(room.sessions[0], [each])


def _together(prepared: object) -> None:
    room, frames = prepared  # type: ignore[misc]
    for at in range(0, len(frames), 100):
        room.turn(room.sessions[0], frames[at : at + 100])


def _parse(prepared: object) -> None:
    assert isinstance(prepared, bytes)
    messages, until = short_messages(prepared, 0, _LETTERS)
    assert (len(messages), until) == (_LETTERS, len(prepared))


def _scan(prepared: object) -> None:
    assert isinstance(prepared, list)
    for raw in prepared:
        scan(raw, most=1000)


# Letters of several bytes go on with none: each is an update of its own, and what all are told is joined afterwards.
STEPS = [
    Step("read the frame of a letter", 3.4, _LETTERS, lambda: b"".join(frame(BINARY, m) for m in _letters(5)), _parse),
    Step("scan a letter", 57.0, _LETTERS, lambda: [message[3:] for message in _letters(5)], _scan),
    Step("a letter in a turn of its own", 350.0, _LETTERS, lambda: (Room(), _letters(5)), _one_by_one),
    Step("a letter among a hundred of a turn", 140.0, _LETTERS, lambda: (Room(), _letters(5, "é")), _together),
    Step("one of a hundred that go on", 40.0, _LETTERS, lambda: (Room(), _letters(5)), _together),
    Step("a caret in a turn of its own", 135.0, _LETTERS, _carets, _one_by_one),
]


def rounds_of(step: Step) -> float:
    """What the step costs once, in rounds of the reference loop."""
    best = reference_best = float("inf")
    for _ in range(_REPEATS):
        began = time.thread_time()
        reference(20_000)
        reference_best = min(reference_best, time.thread_time() - began)
        prepared = step.prepare()
        began = time.thread_time()
        step.work(prepared)
        best = min(best, time.thread_time() - began)
    return best / step.times / (reference_best / 20_000)


def main() -> int:
    """Print the figures; 1 when a step costs more than its bound."""
    failed = False
    for step in STEPS:
        figure = rounds_of(step)
        failed |= figure > step.bound
        print(f"{'ok  ' if figure <= step.bound else 'FAIL'} {figure:8.1f} / {step.bound:5.1f} rounds  {step.name}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
