"""D7 for all outboxes together: those that owe most turn stale, and what is held is counted truly."""

from __future__ import annotations

import random

from coscribe.core.buffers import Buffers
from coscribe.core.outbox import FRAME_OVERHEAD, Outbox
from coscribe.core.update import Span

FRAME = b"x" * 900
COST = len(FRAME) + FRAME_OVERHEAD


def an_outbox(buffers: Buffers) -> Outbox:
    return Outbox(2**20, lambda: None, buffers)


def test_d7_the_largest_give_way_when_all_together_owe_too_much() -> None:
    buffers = Buffers(20 * COST)
    slow, quick = an_outbox(buffers), an_outbox(buffers)
    for clock in range(20):
        slow.share(FRAME, [Span(5, clock, clock + 1)])
    quick.push(FRAME)
    assert not slow.is_stale

    quick.share(FRAME)

    assert slow.is_stale
    assert not quick.is_stale
    assert quick.take() == [FRAME, FRAME]
    assert slow.take_missing() == {5: 0}
    assert (buffers.sheds, buffers.stales) == (1, 1)
    assert buffers.bytes == 0


def test_what_is_addressed_to_a_session_itself_is_never_shed() -> None:
    buffers = Buffers(2 * COST)
    outbox = an_outbox(buffers)
    for _ in range(5):
        outbox.push(FRAME)
        outbox.share(FRAME)
    assert outbox.is_stale
    assert outbox.take() == [FRAME] * 5
    assert buffers.bytes == 0


def test_who_has_left_holds_nothing() -> None:
    buffers = Buffers(2**20)
    outbox = an_outbox(buffers)
    outbox.share(FRAME)
    assert buffers.bytes == COST
    outbox.end()
    outbox.push(FRAME)
    outbox.share(FRAME)
    assert buffers.bytes == 0


def test_the_count_is_that_of_the_frames_whatever_happens() -> None:
    rng = random.Random(20261123)
    buffers = Buffers(50 * COST)
    outboxes = [an_outbox(buffers) for _ in range(10)]
    for _ in range(3000):
        outbox = rng.choice(outboxes)
        rng.choice(
            [
                lambda outbox=outbox: outbox.share(FRAME, [Span(1, 0, 1)]),
                lambda outbox=outbox: outbox.push(b"ack"),
                lambda outbox=outbox: outbox.push_answer([FRAME]),
                outbox.take_missing,
                lambda outbox=outbox: outbox.owe([Span(2, 0, 1)]),
            ]
        )()
        if rng.random() < 0.05:
            outbox.take()
        assert buffers.bytes == sum(outbox.held_bytes for outbox in outboxes) <= buffers.limit + COST
    for outbox in outboxes:
        outbox.take()
    assert buffers.bytes == 0
