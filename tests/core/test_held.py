"""Updates that came before their predecessors: released by whatever brings these, and at a price that is bounded."""

from __future__ import annotations

from tests.support.people import BEN, a_session, an_exchange, commit, joined, weigh
from tests.support.wire_bytes import deletes, framed, one, structs, typed, update

from coscribe.core.admission import Admission
from coscribe.core.examination import examine
from coscribe.core.exchange import REST_SESSION
from coscribe.core.offers import Load
from coscribe.model import Role

HI = one(5, 0, typed("hi"))
# More structs than one turn takes: letters before letters, which do not join.
MANY = one(6, 0, *[typed("a", after=(5, 0), before=(5, 1)) for _ in range(1001)])
BEHIND_MANY = one(6, 1001, typed("b", after=(5, 1)))


def test_what_waits_for_a_large_answer_is_released_and_acked_with_it() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, BEHIND_MANY))
    exchange.receive(ann, framed(1, MANY))
    assert ann.held

    weigh(exchange)
    assert exchange.is_dirty
    exchange.flush()

    assert not ann.held
    assert exchange.intake.replica.text.endswith("b")
    commit(exchange)
    assert ann.outbox.take()[-1][:2] == b"\x71\x02"


def test_what_waits_for_an_update_over_rest_is_released_by_it() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, one(6, 1, typed("2", after=(6, 0)))))

    exchange.submit(BEN, one(6, 0, typed("1", after=(5, 1))))
    assert exchange.is_dirty
    exchange.flush()

    assert exchange.intake.replica.text == "hi12"


def test_a_gap_behind_a_large_answer_is_asked_about_again() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, BEHIND_MANY))
    exchange.receive(ann, framed(1, MANY))
    weigh(exchange)
    exchange.flush()
    ann.outbox.take()

    exchange.receive(ann, framed(2, one(6, 1003, typed("d", after=(6, 1002)))))

    assert [frame[:2] for frame in ann.outbox.take()] == [b"\x00\x00"]


def test_held_updates_are_not_looked_at_before_what_they_wait_for_has_come() -> None:
    """Ten sessions that held 256 updates of 1,000 deleted ranges made every keystroke in the room take 0.9 s."""
    exchange = an_exchange(HI)
    ann, ben = joined(exchange, a_session("ann")), joined(exchange, a_session("ben", BEN))
    exchange.receive(ben, framed(2, update([structs(7, 0, typed("x"))], [deletes(5, (0, 1), (9, 1))])))
    held = ben.held

    exchange.receive(ann, framed(2, one(5, 2, typed("!", after=(5, 1)))))
    exchange.flush()

    assert ben.held is held
    exchange.receive(ann, framed(2, one(5, 3, typed("1234567", after=(5, 2)))))
    exchange.flush()
    assert not ben.held


def test_who_holds_many_ranges_is_let_go() -> None:
    exchange = an_exchange(HI)
    ben = joined(exchange, a_session("ben", BEN))
    for _ in range(3):
        assert ben.outbox.closing is None
        exchange.receive(ben, framed(2, update([], [deletes(5, *[(0, 1)] * 998, (9, 1))])))
    assert ben.outbox.closing is not None
    assert ben.outbox.closing.code == 1013


def test_updates_that_release_each_other_take_no_stack() -> None:
    """Each `x` lets the next one in, each `y` asks the engine and so flushes: 500 of them are 2,500 calls deep."""
    exchange = an_exchange(HI)
    sessions = [joined(exchange, a_session(f"ben {at}", BEN)) for at in range(4)]
    count = 500
    for at in reversed(range(count)):
        x = one(1000 + at, 0, typed("x", after=(999 + at, 0) if at else (5, 1)))
        # Says the `h` again, which is compared, and brings a letter that needs this `x`.
        y = update([structs(5, 0, typed("hi")), structs(5000 + at, 0, typed("y", after=(1000 + at, 0)))])
        if at:
            session = sessions[at * 4 // count]
            exchange.receive(session, framed(1, x))
            exchange.receive(session, framed(1, y))
    exchange.receive(sessions[0], framed(2, one(1000, 0, typed("x", after=(5, 1)))))
    exchange.flush()

    assert not any(session.held for session in sessions)
    text = exchange.intake.replica.text
    assert (text.count("x"), text.count("y")) == (count, count - 1)


def test_a_large_answer_with_nothing_new_is_examined_once_for_all_who_send_it() -> None:
    exchange = an_exchange(HI, one(6, 0, typed("x" * 5000, after=(5, 1))))
    gone = update([], [deletes(6, *[(3 * at, 1) for at in range(1200)])])
    ann = joined(exchange, a_session("ann"))
    cat = joined(exchange, a_session("cat", BEN, Role.VIEWER))
    for session, loads in ((ann, 1), (ann, 1), (ann, 0), (cat, 0)):
        exchange.receive(session, framed(1, gone))
        assert len(exchange.offers.loads) == loads
        weigh(exchange)
        commit(exchange)
    assert [session.outbox.take()[-1][:2] for session in (ann, cat)] == [b"\x71\x03", b"\x71\x01"]

    # As an update it is a viewer's attempt to write, whatever it holds.
    exchange.receive(cat, framed(2, gone))
    assert [frame[0] for frame in cat.outbox.take()] == [0x73, 0x71]


def test_what_came_over_rest_vouches_for_no_answer() -> None:
    """There a word whose clocks others burned is not told to be saved; in an answer it would be acked."""
    exchange = an_exchange(HI)
    mallory = joined(exchange, a_session("mallory", BEN))
    exchange.receive(mallory, framed(1, one(5, 2, b"\x00\xf0\xa2\x04")))
    commit(exchange)
    words = one(5, 2, typed("!" * 70_000, after=(5, 1)))
    admission = Admission(
        exchange,
        Load(words, BEN, REST_SESSION, is_live=False),
        examine(exchange.intake.replica.diff(), words),
    )
    admission.begin()
    assert not admission.step()
    admission.end()

    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(1, words))
    weigh(exchange)
    assert ann.outbox.closing is not None
    assert ann.outbox.closing.code == 4409
