"""The core as a state machine that hypothesis looks for trouble in, and shrinks what it finds."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pycrdt import Doc, Text
from tests.rooms.building import acks, notices
from tests.simulation.words import WORD
from tests.support.people import ANN, BEN, NOW, ROOM, a_session, an_exchange
from tests.support.proof import Proof
from tests.support.wire_bytes import framed

from coscribe.core.bounds import Limits
from coscribe.core.exchange import Exchange
from coscribe.core.intake import Intake
from coscribe.core.lib0 import read_uint
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.core.update import EMPTY_UPDATE, scan_state_vector

_PEOPLE = (ANN, BEN)
# Stands for a step 2 among the words of frames.
_STEP2 = ""


class Core(RuleBasedStateMachine):
    """Two people, their sessions, and updates that arrive in any order, once or often, or never."""

    updates = Bundle("updates")

    @initialize()
    def begin(self) -> None:
        self.exchange: Exchange = an_exchange()
        self.log: list[bytes] = []
        self.docs: list[Doc[Text]] = [Doc({"content": Text()}, client_id=client) for client in (100, 200)]
        self.sent: list[list[str]] = [[], []]
        # The numbers of frames that were settled as refused: the acks that follow count them.
        self.refused: list[set[int]] = [set(), set()]
        self.acked: set[str] = set()
        self.count = 0
        self.sessions = [self._enter(0), self._enter(1)]

    def _enter(self, who: int) -> Session:
        self.count += 1
        self.sent[who], self.refused[who] = [], set()
        session = a_session(f"s{self.count}", _PEOPLE[who], limit=300)
        self.exchange.join(session)
        return session

    @rule(target=updates, who=st.integers(0, 1), at=st.floats(0, 1), noise=st.sampled_from(["", "é", "😀", "\r\n"]))
    def type(self, who: int, at: float, noise: str) -> tuple[int, bytes, str]:
        """Somebody types a word; its update is on its way."""
        text, before = self.docs[who]["content"], self.docs[who].get_state()
        place = int(at * len(str(text)))
        for word in WORD.finditer(str(text)):
            place = word.end() if word.start() < place < word.end() else place
        self.count += 1
        word = f"<{self.count}>"
        text.insert(len(str(text)[:place].encode()), noise + word)
        return who, self.docs[who].get_update(before), word

    @rule(update=updates)
    def deliver(self, update: tuple[int, bytes, str]) -> None:
        """An update arrives, maybe late, early or again."""
        who, raw, word = update
        session = self.sessions[who]
        if session.outbox.closing is None:
            self.sent[who].append(word)
            self.exchange.receive(session, framed(2, raw))

    @rule(update=consumes(updates))
    def lose(self, update: tuple[int, bytes, str]) -> None:
        """An update never arrives by itself."""

    @rule()
    def turn(self) -> None:
        self.exchange.flush()

    @rule(who=st.integers(0, 1))
    def read(self, who: int) -> None:
        """A session's line takes what it is owed; acks are believed."""
        session = self.sessions[who]
        frames = session.outbox.take()
        self.refused[who] |= {notice["frame"] for notice in notices(frames) if "frame" in notice}
        for ack in acks(frames):
            count, _ = read_uint(ack, 1)
            words = enumerate(self.sent[who][:count], start=1)
            self.acked |= {word for number, word in words if number not in self.refused[who]}
        if session.outbox.is_stale:
            self.exchange.drained(session)

    @rule()
    def commit(self) -> None:
        batches = self.exchange.intake.take()
        if batches:
            self.log += [entry.payload for batch in batches for entry in batch.entries]
            self.exchange.intake.committed()
            self.exchange.offers.acknowledge()

    @rule()
    def crash(self) -> None:
        """All is gone but the log."""
        # Each time under a client id of its own: what the last one wrote may be known to clients and lost here.
        self.count += 1
        replica = Replica(1_000 + self.count)
        replica.load(self.log)
        limits = Limits(ROOM, ROOM)
        intake = Intake(replica, seq=len(self.log), owners={}, limits=limits, now=lambda: NOW)
        self.exchange = Exchange(1, intake)
        self.sessions = [self._enter(0), self._enter(1)]

    @rule(who=st.integers(0, 1))
    def reconnect(self, who: int) -> None:
        """A new line: the client brings all it has, and hears all that the server has."""
        self.exchange.leave(self.sessions[who])
        self.sessions[who] = self._enter(who)
        self.sent[who].append(_STEP2)
        known = self.exchange.intake.replica.state_vector()
        self.exchange.receive(self.sessions[who], framed(1, self.docs[who].get_update(known)))
        self.exchange.flush()
        self.docs[who].apply_update(self.exchange.intake.replica.diff(self.docs[who].get_state()))

    @invariant()
    def the_committed_text_is_the_log_s(self) -> None:
        replica = Replica(1)
        replica.load(self.log or [EMPTY_UPDATE])
        assert str(self.exchange.intake.text) == replica.text

    @invariant()
    def what_was_acked_is_in_the_log(self) -> None:
        assert self.acked - {_STEP2} <= set(WORD.findall(str(self.exchange.intake.text)))

    @invariant()
    def nothing_is_there_twice(self) -> None:
        words = WORD.findall(self.exchange.intake.replica.text)
        assert len(words) == len(set(words))

    @invariant()
    def after_a_turn_the_clocks_are_the_engine_s(self) -> None:
        if not self.exchange.intake.has_accepted:
            replica = self.exchange.intake.replica
            assert scan_state_vector(replica.state_vector()) == replica.clocks

    def teardown(self) -> None:
        """At rest everybody reads the same."""
        for _ in range(2):
            for who in (0, 1):
                self.reconnect(who)
        self.commit()
        text = self.exchange.intake.replica.text
        assert {str(doc["content"]) for doc in self.docs} == {text}
        assert len(WORD.findall(text)) == len(set(WORD.findall(text)))


def some(rounds: int, *phases: Phase) -> settings:
    return settings(
        max_examples=rounds,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, *phases),
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.proof(
    promise="No order of arrivals, losses, repetitions, commits and crashes loses or doubles an acked word",
    faults="F1 F15",
    how="hypothesis state machine over the core",
)
def test_no_order_of_events_breaks_the_core(proof: Proof) -> None:
    run_state_machine_as_test(Core, settings=some(proof.rounds(40, 2_000), Phase.shrink))


def test_words_that_others_have_brought_with_something_deleted_are_refused_and_not_acked() -> None:
    """After a crash another brings them without their CR, which the server had taken out: rule D10 has a fork there."""
    core = Core()
    core.begin()
    typed = core.type(who=0, at=0.0, noise="\r\n")
    core.deliver(update=typed)
    core.reconnect(who=1)
    core.crash()
    core.reconnect(who=1)
    core.deliver(update=typed)
    core.read(who=0)
    core.what_was_acked_is_in_the_log()
    assert (core.refused, core.acked) == ([{1}, set()], set())
    core.teardown()


def test_an_early_ack_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    settle, receive = Session.settle, Exchange.receive

    def hasty(exchange: Exchange, session: Session, frame: bytes) -> None:
        receive(exchange, session, frame)
        settle(session, 2**60, exchange.intake.seq)

    monkeypatch.setattr(Exchange, "receive", hasty)

    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(Core, settings=some(200))
