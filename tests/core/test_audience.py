"""What everybody in a room is told: together, or alone."""

from __future__ import annotations

import json

import pytest
from pycrdt import Doc, Text
from tests.support.people import ANN, BEN, a_session
from tests.support.wire_bytes import framed, item, one, string, typed

from coscribe.core.audience import Audience
from coscribe.core.intake import Accepted
from coscribe.core.lib0 import read_bytes
from coscribe.core.outbox import FRAME_OVERHEAD
from coscribe.core.plain import FORMAT
from coscribe.core.session import Session
from coscribe.core.update import scan
from coscribe.model import Principal

A = one(5, 0, typed("a"))
MORE = one(5, 1, typed("b", after=(5, 0)))
B = one(6, 0, typed("c"))
AB = one(5, 0, typed("ab"))


def reads_as(frames: list[bytes]) -> str:
    """The text of somebody who was told one update."""
    [frame] = frames
    doc: Doc[Text] = Doc({"content": Text()})
    doc.apply_update(read_bytes(frame, 2)[0])
    return str(doc["content"])


def written(update: bytes, author: Principal, session: Session) -> Accepted:
    return Accepted(update, scan(update), author, session.id)


@pytest.fixture
def three() -> tuple[Audience, Session, Session, Session]:
    audience = Audience()
    sessions = a_session("ann"), a_session("ben", BEN), a_session("reader", BEN, limit=0)
    audience.sessions.update({session.id: session for session in sessions})
    return audience, *sessions


Three = tuple[Audience, Session, Session, Session]


def test_an_author_alone_hears_nothing_of_his_own(three: Three) -> None:
    audience, ann, ben, _ = three
    audience.deliver(written(A, ANN, ann))
    audience.deliver_together([written(A, ANN, ann)])
    assert ann.outbox.take() == []
    assert ben.outbox.take() == [framed(2, A)] * 2


def test_who_wrote_several_times_alone_hears_nothing_of_it(three: Three) -> None:
    audience, ann, ben, _ = three
    audience.deliver_together([written(A, ANN, ann), written(MORE, ANN, ann)])
    assert ann.outbox.take() == []
    assert ben.outbox.take() == [framed(2, AB)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_authors_hear_their_own_where_they_were_several(three: Three, order: tuple[int, int]) -> None:
    audience, ann, ben, _ = three
    items = [written(A, ANN, ann), written(B, BEN, ben)]
    audience.deliver_together([items[at] for at in order])
    told = ann.outbox.take()
    assert told == ben.outbox.take()
    assert reads_as(told) == "ac"


def test_formatting_that_the_engine_spells_longer_is_told_all_the_same(three: Three) -> None:
    audience, ann, ben, _ = three
    value = json.dumps([1e9] * 500).replace("1000000000.0", "1e9")
    marked = one(5, 1, item(FORMAT, string("b") + string(value), after=(5, 0)))
    more = one(5, 2, typed("b", after=(5, 1)))
    audience.deliver_together([written(update, ANN, ann) for update in (A, marked, more)])
    assert reads_as(ben.outbox.take()) == "ab"


def test_two_sessions_of_one_person_are_several(three: Three) -> None:
    audience, ann, _, _ = three
    tab = a_session("tab")
    audience.sessions["tab"] = tab
    audience.deliver_together([written(A, ANN, ann), written(B, ANN, tab)])
    told = ann.outbox.take()
    assert told == tab.outbox.take()
    assert reads_as(told) == "ac"


def test_who_is_stale_misses_the_first_clock_of_each(three: Three) -> None:
    audience, ann, ben, reader = three
    audience.deliver_together([written(MORE, ANN, ann), written(B, BEN, ben), written(A, ANN, ann)])
    assert reader.outbox.is_stale
    assert reader.outbox.take() == []
    audience.deliver(written(one(7, 4, typed("d")), BEN, ben))
    assert reader.outbox.take_missing() == {5: 0, 6: 0, 7: 4}
    assert len(ann.outbox.take()) == 2


def test_what_is_told_to_all_may_be_dropped_and_what_is_pushed_not(three: Three) -> None:
    audience, ann, _, reader = three
    stock = a_session("stock", BEN, ours=False, limit=FRAME_OVERHEAD * 4)
    audience.sessions["stock"] = stock
    audience.share(b"shared")
    audience.push(b"")
    audience.push(b"ours", ours_only=True)
    assert ann.outbox.take() == [b"shared", b"", b"ours"]
    assert stock.outbox.take() == [b"shared", b""]
    assert reader.outbox.take() == [b"", b"ours"]
