"""What a session is owed, and the reader that falls behind (rule D7)."""

from __future__ import annotations

from coscribe.core.buffers import Buffers
from coscribe.core.outbox import FRAME_OVERHEAD, Closing, Outbox
from coscribe.core.update import Span


class Bell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self.rung = 0

    def __call__(self) -> None:
        self.rung += 1


def test_frames_leave_in_order_and_ring_once_each() -> None:
    bell = Bell()
    outbox = Outbox(1000, bell)

    outbox.share(b"a")
    outbox.push(b"b")
    outbox.push_answer([b"c", b"d"])

    assert bell.rung == 3
    assert outbox.take() == [b"a", b"b", b"c", b"d"]
    assert outbox.take() == []


def test_d7_a_full_outbox_drops_what_others_typed_and_remembers_the_clocks() -> None:
    outbox = Outbox(3 * FRAME_OVERHEAD + 10, Bell())
    outbox.share(b"12345", [Span(5, 3, 4)])
    outbox.push(b"ack")
    outbox.share(b"6789", [Span(5, 4, 9), Span(6, 0, 2)])

    assert outbox.is_stale
    outbox.share(b"more", [Span(7, 1, 2), Span(6, 2, 3)])
    outbox.push(b"note")

    assert outbox.take() == [b"ack", b"note"]
    assert outbox.take_missing() == {5: 3, 6: 0, 7: 1}
    assert not outbox.is_stale
    assert outbox.take_missing() == {}


def test_an_answer_that_was_asked_for_may_be_large_and_is_never_dropped() -> None:
    outbox = Outbox(2 * FRAME_OVERHEAD + 10, Bell())
    outbox.push_answer([b"x" * 1000])
    outbox.share(b"a" * 9)
    assert not outbox.is_stale

    outbox.share(b"b" * 9)

    assert outbox.is_stale
    assert outbox.take() == [b"x" * 1000]


def test_what_was_taken_no_longer_counts() -> None:
    outbox = Outbox(FRAME_OVERHEAD + 10, Bell())
    for _ in range(5):
        outbox.share(b"12345678")
        outbox.take()
    assert not outbox.is_stale


def test_a_client_that_reads_no_acks_is_let_go() -> None:
    outbox = Outbox(FRAME_OVERHEAD + 10, Bell())
    outbox.push(b"x" * 20 + b"x" * FRAME_OVERHEAD)
    assert outbox.closing is None
    outbox.push(b"x")
    assert outbox.closing is not None
    assert outbox.closing.code == 1013


def test_the_first_reason_to_close_counts() -> None:
    bell = Bell()
    outbox = Outbox(10, bell)
    outbox.close(4403, "first")
    outbox.close(1013, "second")
    assert outbox.closing == Closing(4403, "first")
    assert bell.rung == 2


def test_who_is_sent_away_hears_nothing_more_of_what_others_type() -> None:
    outbox = Outbox(1000, Bell())
    outbox.share(b"before")
    outbox.close(4403, "Your access to this document was removed.")
    outbox.share(b"after", [Span(5, 3, 4)])

    assert outbox.take() == [b"before"]
    assert not outbox.is_stale


# A part at a time


def test_parts_keep_the_order_and_count_answers_apart() -> None:
    outbox = Outbox(10_000)
    outbox.share(b"a" * 10, [Span(5, 0, 1)])
    outbox.push_answer([b"b" * 10, b"c" * 10])
    outbox.push(b"d" * 10)
    outbox.share(b"e" * 10, [Span(5, 1, 2)])
    assert outbox.held_bytes == 3 * (10 + FRAME_OVERHEAD)

    assert outbox.take(25) == [b"a" * 10, b"b" * 10]
    assert outbox.held_bytes == 2 * (10 + FRAME_OVERHEAD)
    assert outbox.take(20) == [b"c" * 10, b"d" * 10]
    assert outbox.held_bytes == 10 + FRAME_OVERHEAD
    assert outbox.is_waiting
    assert outbox.take(1) == [b"e" * 10]
    assert (outbox.held_bytes, outbox.is_waiting) == (0, False)
    assert outbox.take(1) == []


def test_a_part_has_one_frame_at_least_and_no_more_than_fits() -> None:
    outbox = Outbox(10_000)
    for size in (100, 1, 99, 1):
        outbox.push(b"x" * size)
    assert [len(frame) for frame in outbox.take(50)] == [100]
    assert [len(frame) for frame in outbox.take(100)] == [1, 99]
    assert [len(frame) for frame in outbox.take(10_000)] == [1]


def test_answers_that_are_taken_make_room_for_others() -> None:
    outbox = Outbox(100)
    outbox.push_answer([b"x" * 60, b"y" * 60])
    assert outbox.is_full
    outbox.take(60)
    assert not outbox.is_full
    outbox.push_answer([b"z" * 60])
    assert outbox.is_full
    outbox.take()
    assert not outbox.is_full


def test_d7_what_was_taken_in_part_is_not_missed() -> None:
    outbox = Outbox(3 * FRAME_OVERHEAD)
    outbox.share(b"taken", [Span(5, 0, 1)])
    outbox.share(b"dropped", [Span(5, 1, 2)])
    outbox.push_answer([b"answer"])
    assert outbox.take(5) == [b"taken"]
    outbox.share(b"too much", [Span(6, 7, 8)])
    outbox.share(b"x" * FRAME_OVERHEAD, [Span(5, 2, 3)])

    assert outbox.is_stale
    assert outbox.held_bytes == 0
    assert outbox.take(1) == [b"answer"]
    assert outbox.take_missing() == {5: 1, 6: 7}


def test_all_outboxes_together_count_what_is_taken_in_parts() -> None:
    buffers = Buffers(10_000)
    outbox = Outbox(10_000, buffers=buffers)
    for text in (b"one", b"two"):
        outbox.push(text)
    outbox.push_answer([b"three"])
    for left in (3 + FRAME_OVERHEAD, 0, 0):
        outbox.take(1)
        assert buffers.bytes == outbox.held_bytes == left
