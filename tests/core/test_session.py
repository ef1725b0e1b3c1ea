"""The ledger of a session: which frames are settled, and what is said of those that were refused (rules D3, D4)."""

from __future__ import annotations

import pytest
from tests.support.people import a_session
from tests.support.wire_bytes import framed, item, one, string, typed

from coscribe.core.protocol import QueryAwareness, decode
from coscribe.core.session import Asked, Greeted, Offered, Present, Refused, Session
from coscribe.errors import Malformed

EMPTY = framed(2, b"\x00\x00")


def offered(session: Session, count: int = 1) -> list[Offered]:
    effects = [session.receive(EMPTY) for _ in range(count)]
    offers = [effect for effect in effects if isinstance(effect, Offered)]
    assert len(offers) == count
    return offers


def test_each_message_has_its_effect() -> None:
    session = a_session("s", ours=False)
    text = one(5, 0, typed("a"))

    assert session.receive(b"\x00\x00\x01\x00") == Asked(b"\x00")
    assert session.receive(b"\x01\x01\x00") == Present(())
    assert session.receive(b"\x03") == QueryAwareness()
    assert isinstance(decode(b"\x03"), QueryAwareness)
    assert not session.is_ours
    assert session.receive(b"\x70\x01\x07\x00") == Greeted(1, 7)
    assert session.is_ours
    step2, live = session.receive(framed(1, text)), session.receive(framed(2, text))
    assert isinstance(step2, Offered)
    assert isinstance(live, Offered)
    assert (step2.update, step2.is_step2, step2.slot.number) == (text, True, 1)
    assert (live.is_step2, live.slot.number) == (False, 2)


def test_every_update_frame_counts_also_empty_and_refused_ones() -> None:
    session = a_session("s")
    session.receive(EMPTY)
    session.receive(b"\x01\x01\x00")
    refused = session.receive(framed(2, one(5, 0, item(5, string("1")))))
    assert isinstance(refused, Refused)
    assert (refused.slot.number, refused.limit) == (2, "content")


def test_bytes_that_are_no_update_end_the_conversation() -> None:
    with pytest.raises(Malformed):
        a_session("s").receive(framed(2, b"\x01"))


def test_d3_an_ack_follows_the_durable_ticket() -> None:
    session = a_session("s")
    first, second = offered(session, 2)
    first.slot.ticket, second.slot.ticket = 7, 9

    session.settle(6, 1)
    assert session.outbox.take() == []
    session.settle(8, 2)
    assert session.outbox.take() == [b"\x71\x01\x02"]
    session.settle(8, 2)
    assert session.outbox.take() == []
    session.settle(9, 3)
    assert session.outbox.take() == [b"\x71\x02\x03"]
    assert not session.is_owed


def test_d4_a_waiting_frame_holds_up_the_ack_of_those_behind_it() -> None:
    session = a_session("s")
    waiting, ready = offered(session, 2)
    ready.slot.ticket = 1

    session.settle(5, 1)
    assert session.outbox.take() == []
    assert session.is_owed
    waiting.slot.ticket = 2
    session.settle(5, 1)
    assert session.outbox.take() == [b"\x71\x02\x01"]


def test_a_refused_frame_is_settled_after_its_notice() -> None:
    session = a_session("s")
    [offer] = offered(session)

    session.refuse(offer.slot, "No.", "role")
    session.settle(0, 4)

    notice, ack = session.outbox.take()
    assert notice[0] == 0x73
    assert b'"frame": 1' in notice
    assert ack == b"\x71\x01\x04"


def test_stock_clients_get_no_acks_and_no_notices() -> None:
    session = a_session("s", ours=False)
    first, second = offered(session, 2)
    first.slot.ticket = 1
    session.refuse(second.slot, "No.", "role")
    session.settle(1, 1)
    session.notify("role", "You are a viewer now.")

    assert session.outbox.take() == [b"\x02\x00\x03No."]
    assert not session.is_owed


def test_d7_a_flood_behind_a_frame_that_is_not_settled_has_an_end() -> None:
    session = a_session("s")
    offered(session, 100_000)
    assert session.outbox.closing is None
    offered(session)
    assert session.outbox.closing is not None
    assert session.outbox.closing.code == 1013


# Frames that share a slot


def test_frames_of_one_turn_are_settled_together() -> None:
    session = a_session("s")
    for ticket in (1, 2, 3):
        session.accepted(ticket, sealed=0)
    assert session.is_owed
    session.settle(2, 7)
    assert session.outbox.take() == []
    session.settle(3, 8)
    assert session.outbox.take() == [b"\x71\x03\x08"]
    assert not session.is_owed


def test_d3_frames_of_an_earlier_turn_do_not_wait_for_those_that_keep_coming() -> None:
    session = a_session("s")
    session.accepted(1, sealed=0)
    session.accepted(2, sealed=0)
    session.accepted(3, sealed=2)
    session.accepted(4, sealed=2)
    session.settle(2, 5)
    assert session.outbox.take() == [b"\x71\x02\x05"]
    session.accepted(5, sealed=4)
    session.settle(4, 6)
    assert session.outbox.take() == [b"\x71\x04\x06"]
    session.settle(5, 7)
    assert session.outbox.take() == [b"\x71\x05\x07"]


def test_d4_a_frame_behind_one_that_waits_or_was_refused_has_a_slot_of_its_own() -> None:
    session = a_session("s")
    [waiting] = offered(session)
    session.accepted(1, sealed=0)
    session.settle(1, 1)
    assert session.outbox.take() == []
    [refused] = offered(session)
    session.refuse(refused.slot, "No.", "role")
    session.accepted(2, sealed=1)
    session.outbox.take()
    waiting.slot.ticket = 1
    session.settle(1, 2)
    assert session.outbox.take() == [b"\x71\x03\x02"]
    session.settle(2, 3)
    assert session.outbox.take() == [b"\x71\x04\x03"]


def test_an_idle_session_has_no_ledger() -> None:
    session = a_session("s")
    assert session._ledger is None
    session.accepted(1, sealed=0)
    session.settle(1, 1)
    assert session._ledger is None
    session.settle(1, 1)
    [offer] = offered(session)
    offer.slot.ticket = 1
    session.settle(1, 1)
    assert session._ledger is None


def test_d7_a_flood_by_the_short_way_has_an_end_too() -> None:
    session = a_session("s")
    for ticket in range(100_000):
        session.accepted(ticket + 1, sealed=0)
    assert session.outbox.closing is None
    session.accepted(100_001, sealed=0)
    assert session.outbox.closing is not None
    assert session.outbox.closing.code == 1013
