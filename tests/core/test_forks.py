"""D10: two histories under one client id are told by their content, and what is the same is never taken for a fork."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from pycrdt import Doc, Text
from tests.support.people import ANN, BEN, NOW, a_session, an_exchange, commit, joined, weigh
from tests.support.wire_bytes import deletes, framed, item, one, place, string, structs, typed, uint, update

from coscribe.core.exchange import Exchange
from coscribe.core.forks import Allowance, check_same, repeated, stored_since
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.core.update import TooManyThings, scan
from coscribe.errors import UpdateRefused
from coscribe.model import Role

HI = one(5, 0, typed("hi"))
HO = one(5, 0, typed("ho"))


def told(session: Session) -> list[int]:
    return [frame[0] for frame in session.outbox.take()]


def compare(replica: Replica, offered: bytes) -> None:
    first = repeated(scan(offered), replica.clocks)
    assert first
    check_same(offered, first, stored_since(replica, first))


def a_replica(*updates: bytes) -> Replica:
    replica = Replica(1)
    replica.load(updates)
    return replica


# What a session hears of it


@pytest.mark.parametrize("kind", [1, 2])
def test_other_content_for_stored_clocks_is_a_fork(kind: int) -> None:
    exchange = an_exchange()
    ann, other = joined(exchange, a_session("ann")), joined(exchange, a_session("other tab"))
    exchange.receive(ann, framed(2, HI))

    exchange.receive(other, framed(kind, HO))
    exchange.flush()

    assert exchange.intake.replica.text == "hi"
    assert told(other)[-2:] == [0x73, 0x71]
    assert other.outbox.closing is not None
    assert other.outbox.closing.code == 4409
    assert commit(exchange) == 1
    assert ann.outbox.closing is None


def test_an_authors_later_words_are_not_lost_to_what_others_forged_in_his_name() -> None:
    exchange = an_exchange()
    ann, mallory = joined(exchange, a_session("ann")), joined(exchange, a_session("mallory", BEN))
    exchange.receive(mallory, framed(1, HO))  # in a step 2, before Ann's own words came
    commit(exchange)
    ann.outbox.take()

    exchange.receive(ann, framed(2, HI))

    assert told(ann) == [0x73, 0x71]
    assert ann.outbox.closing is not None
    fresh = joined(exchange, a_session("ann again"))
    exchange.receive(fresh, framed(2, one(6, 0, typed("hi", before=(5, 0)))))
    commit(exchange)
    assert exchange.intake.replica.text == "hiho"
    assert fresh.outbox.take()[-1][0] == 0x71


@pytest.mark.parametrize("is_ours", [True, False])
def test_who_has_half_of_a_character_has_another_history(is_ours: bool) -> None:
    exchange = an_exchange(one(5, 0, typed("a😀b")))
    session = joined(exchange, a_session("copied", ours=is_ours))

    exchange.receive(session, framed(0, uint(1) + place(5, 2)))

    assert told(session) == ([0x73] if is_ours else [])
    assert session.outbox.closing is not None
    assert session.outbox.closing.code == 4409


@pytest.mark.parametrize("clock", [0, 1, 3, 4, 5])
def test_who_has_whole_characters_is_told_the_rest(clock: int) -> None:
    exchange = an_exchange(one(5, 0, typed("a😀b")))
    session = joined(exchange, a_session("ann"))

    exchange.receive(session, framed(0, uint(1) + place(5, clock)))

    assert session.outbox.closing is None
    assert told(session) == [0x00]


def test_clocks_that_others_burned_are_no_saved_words() -> None:
    exchange = an_exchange()
    ann, mallory = joined(exchange, a_session("ann")), joined(exchange, a_session("mallory", BEN))
    exchange.receive(ann, framed(2, HI))
    commit(exchange)
    exchange.receive(mallory, framed(1, one(5, 2, b"\x00\x64")))  # a hundred of Ann's next clocks, empty
    commit(exchange)
    ann.outbox.take()

    exchange.receive(ann, framed(2, one(5, 2, typed("!", after=(5, 1)))))

    assert told(ann) == [0x73, 0x71]
    assert ann.outbox.closing is not None
    assert ann.outbox.closing.code == 4409


def test_clocks_that_others_burned_are_no_saved_words_of_a_large_update_either() -> None:
    exchange = an_exchange(HI)
    ann, mallory = joined(exchange, a_session("ann")), joined(exchange, a_session("mallory", BEN))
    exchange.receive(mallory, framed(1, one(5, 2, b"\x00\xf0\xa2\x04")))  # 70,000 of Ann's next clocks, empty
    commit(exchange)
    ann.outbox.take()

    exchange.receive(ann, framed(1, one(5, 2, typed("!" * 70_000, after=(5, 1)))))
    weigh(exchange)

    assert told(ann) == [0x73, 0x71]
    assert ann.outbox.closing is not None
    assert ann.outbox.closing.code == 4409


def test_a_fork_reaches_into_a_longer_update() -> None:
    exchange = an_exchange(HI)
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, one(5, 0, typed("hello"))))
    exchange.flush()
    assert exchange.intake.replica.text == "hi"
    assert ann.outbox.closing is not None


def test_a_stock_client_that_forked_is_let_go_for_good() -> None:
    exchange = an_exchange(HI)
    stock = joined(exchange, a_session("stock", ours=False))
    exchange.receive(stock, framed(2, HO))
    assert stock.outbox.closing is not None
    assert stock.outbox.closing.code == 4409
    assert told(stock) == []


def test_what_a_script_submits_is_compared_too() -> None:
    exchange = an_exchange(HI)
    assert exchange.submit(ANN, HI) is None
    with pytest.raises(UpdateRefused) as refused:
        exchange.submit(ANN, HO)
    assert refused.value.limit == "fork"


def test_what_is_sent_again_is_no_fork() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, HI))
    exchange.receive(ann, framed(2, HI))
    exchange.receive(ann, framed(1, one(5, 0, typed("hi!"))))
    commit(exchange)
    assert exchange.intake.replica.text == "hi!"
    assert ann.outbox.closing is None


# What is compared


@pytest.mark.parametrize(
    ("stored", "offered"),
    [
        (one(5, 0, typed("ab")), one(5, 0, typed("a"), typed("b", after=(5, 0)))),
        (one(5, 0, typed("a"), typed("b", after=(5, 0))), one(5, 1, typed("b", after=(5, 0)))),
        (one(5, 0, typed("a😀b")), one(5, 1, typed("😀b", after=(5, 0)))),
        (one(5, 0, typed("a😀b")), one(5, 3, typed("b", after=(5, 2)))),
        (update([structs(5, 0, typed("abc"))], [deletes(5, (1, 1))]), one(5, 0, typed("axc"))),
        (one(5, 0, typed("abc")), one(5, 0, b"\x00\x03")),
        (one(5, 0, typed("abc")), one(5, 0, typed("a"), item(1, b"\x02", after=(5, 0)))),
        (one(5, 0, item(6, string("bold") + string("true"))), one(5, 0, item(6, string("bold") + string("true")))),
        (one(5, 0, item(6, string("bold") + string("1.0"))), one(5, 0, item(6, string("bold") + string("1")))),
    ],
)
def test_the_same_in_other_words(stored: bytes, offered: bytes) -> None:
    compare(a_replica(stored), offered)


@pytest.mark.parametrize(
    ("stored", "offered"),
    [
        (one(5, 0, typed("ab")), one(5, 0, typed("ac"))),
        (one(5, 0, typed("ab")), one(5, 1, typed("c", after=(5, 0)))),
        (one(5, 0, typed("ab")), one(5, 0, item(6, string("bold") + string("true")))),
        (one(5, 0, item(6, string("bold") + string("true"))), one(5, 0, item(6, string("link") + string("true")))),
        (one(5, 0, typed("é")), one(5, 0, typed("e"))),
        (one(5, 0, typed("a😀b")), one(5, 1, typed("😁b", after=(5, 0)))),
        (update([structs(5, 0, typed("abc"))], [deletes(5, (1, 1))]), one(5, 0, typed("xbc"))),
        (one(5, 0, typed("abc")), one(5, 0, b"\x00\x02", typed("x", after=(5, 1)))),
        # The same letters in another place.
        (
            one(5, 0, typed("a"), typed("b", after=(5, 0)), typed("c", after=(5, 0))),
            one(5, 2, typed("c", after=(5, 1))),
        ),
    ],
)
def test_other_words_or_another_place(stored: bytes, offered: bytes) -> None:
    with pytest.raises(UpdateRefused) as refused:
        compare(a_replica(stored), offered)
    assert refused.value.limit == "fork"


@pytest.mark.parametrize("seed", range(30))
def test_no_part_of_a_real_history_is_a_fork_of_it(seed: int) -> None:
    """Whatever several people typed and deleted, any diff of any of their copies says the same as the server's."""
    rng = random.Random(seed)
    docs = [Doc({"content": Text()}, client_id=client) for client in (7, 3, 2**31)]
    kept: list[bytes] = []
    for _ in range(60):
        doc = rng.choice(docs)
        text = str(doc["content"])
        at = rng.randrange(len(text) + 1)
        before = doc.get_state()
        if text and rng.random() < 0.3:
            end = min(len(text), at + rng.randrange(4))
            del doc["content"][len(text[:at].encode()) : len(text[:end].encode())]
        else:
            doc["content"].insert(len(text[:at].encode()), rng.choice(["a", "é", "😀", "word ", "👩‍🚀"]))
        kept.append(doc.get_update(before))
        if rng.random() < 0.4:
            other = rng.choice(docs)
            other.apply_update(doc.get_update(other.get_state()))
    for doc in docs[1:]:
        docs[0].apply_update(doc.get_update())
    replica = a_replica(docs[0].get_update())
    for offered in [*kept, *(doc.get_update() for doc in docs)]:
        first = repeated(scan(offered), replica.clocks)
        check_same(offered, first, stored_since(replica, first))


def test_a_forked_copy_of_a_real_history_is_told() -> None:
    mine = Doc({"content": Text()}, client_id=7)
    mine["content"].insert(0, "one ")
    twin = Doc({"content": Text()}, client_id=7)
    twin.apply_update(mine.get_update())
    mine["content"].insert(4, "two")
    twin["content"].insert(4, "2nd")
    replica = a_replica(mine.get_update())
    with pytest.raises(UpdateRefused):
        compare(replica, twin.get_update())


# What it may cost


def test_who_makes_the_engine_work_too_much_is_sent_away_for_a_while() -> None:
    exchange: Exchange = an_exchange(one(5, 0, typed("a" * 900_000)), document_bytes=2**20)
    ann = joined(exchange, a_session("ann"))
    for _ in range(60):
        exchange.receive(ann, framed(2, one(5, 0, typed("a"))))
    assert ann.outbox.closing is not None
    assert ann.outbox.closing.code == 1013


def test_an_allowance_grows_again_with_time() -> None:
    now = NOW
    allowance = Allowance(lambda: now)
    assert allowance.spend(30 * 2**20)
    assert not allowance.spend(30 * 2**20)
    now += timedelta(seconds=20)
    assert allowance.spend(30 * 2**20)
    now -= timedelta(days=1)
    assert not allowance.spend(30 * 2**20)


def test_what_is_much_to_read_is_left_to_an_examiner() -> None:
    letters = [typed("a", before=(6, 0)) for _ in range(6000)]
    exchange = an_exchange(one(6, 0, typed("z")), one(5, 0, *letters))
    ann = joined(exchange, a_session("ann"))
    exchange.receive(ann, framed(2, one(5, 0, typed("a", before=(6, 0)))))
    assert len(exchange.offers.loads) == 1
    with pytest.raises(TooManyThings):
        exchange.submit(ANN, one(5, 0, typed("a", before=(6, 0))))


# Deletions in a reader's step 2 (rule P12)


@pytest.mark.parametrize(
    ("ranges", "is_known"), [([(0, 1)], True), ([(1, 1)], False), ([(0, 2)], False), ([(0, 3)], False)]
)
def test_a_readers_step_2_passes_when_its_deletions_are_known(ranges: list[tuple[int, int]], is_known: bool) -> None:
    exchange = an_exchange(one(5, 0, typed("hey")), update(removed=[deletes(5, (0, 1))]))
    ann = joined(exchange, a_session("ann", role=Role.VIEWER))
    exchange.receive(ann, framed(1, update(removed=[deletes(5, *ranges)])))
    exchange.flush()
    assert exchange.intake.replica.text == "ey"
    assert told(ann) == ([0x71] if is_known else [0x73, 0x71])
