"""Throws damaged frames at the core, in a process of its own: `python -m tests.torture.fuzzing SEED ROUNDS`.

Prints what it saw as JSON. How it ends is part of the proof: the engine runs native code, and what overflows its stack
or its memory ends the process. The last line of standard error names the round it was in.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.core.test_mutations import a_history
from tests.support.people import ANN, BEN, a_session, an_exchange
from tests.support.wire_bytes import framed, presence, uint
from tests.torture.mutations import bombs, damaged

from coscribe.core.examination import examine
from coscribe.core.exchange import Exchange
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.core.update import scan, scan_state_vector
from coscribe.errors import Malformed, UpdateRefused

CASES_A_ROUND = 500
# What no frame may take of the loop's time.
SLOW_MS = 50
_TRIES = 4
_MEMORY = 2**31
_STATE = '{"cursor":{"anchor":{"item":{"client":7,"clock":1}},"head":null},"line":3,"state":"active"}'


@dataclass
class Seen:
    """What came of all cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    slowest: str = ""


class Target:
    """A room's core with two sessions, the second a stock client that only listens."""

    def __init__(self, history: list[bytes]) -> None:
        self.exchange: Exchange = an_exchange(history[0])
        self._names = 0
        self._enter("listener", ours=False)
        self.log = [history[0]]
        self.session = self.enter()

    def enter(self) -> Session:
        self._names += 1
        return self._enter(f"s{self._names}", ours=self._names % 2 == 0)

    def _enter(self, name: str, *, ours: bool) -> Session:
        session = a_session(name, ANN if ours else BEN, ours=ours, limit=20_000)
        self.exchange.join(session)
        return session

    def receive(self, frame: bytes) -> str:
        """Take a frame as a room does; gives what became of it."""
        exchange, session = self.exchange, self.session
        before = exchange.intake.tickets
        try:
            exchange.receive(session, frame)
            exchange.flush()
        except Malformed:
            outcome = "malformed"
        else:
            taken = session.outbox.closing is None
            outcome = "accepted" if exchange.intake.tickets > before else "answered" if taken else "closed"
        return outcome

    def examine(self) -> int:
        """Do what is left to the examiner; gives how much that was."""
        exchange = self.exchange
        count = len(exchange.offers.loads)
        while exchange.offers.loads:
            load = exchange.offers.loads.pop(0)
            try:
                examine(exchange.intake.replica.diff(), load.update)
            except (Malformed, UpdateRefused):
                continue
        return count

    def tidy(self) -> None:
        """Read what was sent, write the log, and begin anew where the session has ended."""
        exchange = self.exchange
        for session in list(exchange.sessions.values()):
            session.outbox.take()
            if session.outbox.is_stale:
                exchange.drained(session)
        batches = exchange.intake.take()
        self.log += [entry.payload for batch in batches for entry in batch.entries]
        if batches:
            exchange.intake.committed()
            exchange.offers.acknowledge()
        if self.session.outbox.closing is not None or len(self.session.held) > 8:
            exchange.leave(self.session)
            self.session = self.enter()

    def check(self) -> None:
        """The state is sound: clocks are the engine's, and the log gives the text again."""
        replica = self.exchange.intake.replica
        assert scan_state_vector(replica.state_vector()) == replica.clocks
        again = Replica(1)
        again.load(self.log)
        assert again.text == replica.text == str(self.exchange.intake.text)


def a_frame(rng: random.Random, raw: bytes, other: bytes) -> bytes:
    """A damaged message in a good frame, a damaged frame, or now and then a good one."""
    match rng.randrange(12):
        case 0:
            return framed(rng.choice((1, 2)), raw)
        case 1:
            return framed(0, damaged(rng, uint(2) + uint(7) + uint(3) + uint(2**32) + uint(9), other))
        case 2:
            return damaged(rng, presence((7, 1, _STATE), (8, 2, "null")), other)
        case 3:
            return damaged(rng, rng.choice((b"\x70\x01\x01\x00", b"\x03", b"\x71\x01\x01", framed(0, b"\x00"))), other)
        case 4 | 5:
            return damaged(rng, framed(rng.choice((1, 2)), raw), other)
        case _:
            return framed(rng.choice((1, 2)), damaged(rng, raw, other))


def settled_round(seed: int) -> Seen:
    """A round, again where a case was slow: what is slow each time is slow, the rest was a busy machine."""
    rounds = [one_round(seed)]
    while rounds[-1].slowest_ms > SLOW_MS and len(rounds) < _TRIES:
        rounds.append(one_round(seed))
    return min(rounds, key=lambda seen: seen.slowest_ms)


def one_round(seed: int) -> Seen:
    """One document's share of cases."""
    seen = Seen()
    rng = random.Random(seed)
    history = a_history(rng)
    corpus = [*history, *history, *bombs(rng)]
    target = Target(history)
    for _ in range(CASES_A_ROUND):
        raw, other = rng.choices(corpus, k=2)
        frame = a_frame(rng, raw, other)
        outcome, took_ms = _timed(lambda: target.receive(frame))  # noqa: B023 - called at once
        seen.outcomes[outcome] += 1
        if took_ms > seen.slowest_ms:
            seen.slowest_ms, seen.slowest = took_ms, frame[:2000].hex()
        seen.outcomes["examined"] += target.examine()
        target.tidy()
        _scan_alone(damaged(rng, raw, other))
    target.check()
    return seen


def _timed(call: Callable[[], str]) -> tuple[str, float]:
    """A call and its processor time in ms: other processes do not count."""
    began = time.thread_time()
    outcome = call()
    return outcome, (time.thread_time() - began) * 1000


def _scan_alone(raw: bytes) -> None:
    """The readers themselves: whatever comes, they answer or refuse."""
    for read in (scan, scan_state_vector):
        try:
            read(raw)
        except (Malformed, UpdateRefused):
            continue


def rss_mb() -> float:
    """Memory that this process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(seed: int, rounds: int) -> None:
    """Run, and tell."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    seen = Seen()
    gc.freeze()
    early = 0.0
    for number in range(rounds):
        print("round", seed + number, file=sys.stderr)
        found = settled_round(seed + number)
        seen.outcomes.update(found.outcomes)
        if found.slowest_ms > seen.slowest_ms:
            seen.slowest_ms, seen.slowest = found.slowest_ms, found.slowest
        if number == rounds // 10:
            early = rss_mb()
    told = {
        "cases": rounds * CASES_A_ROUND,
        "outcomes": seen.outcomes,
        "slowest_ms": round(seen.slowest_ms, 2),
        "slowest": seen.slowest,
        "grown_mb": round(rss_mb() - early, 1),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
