"""D7: a client that asks and asks and reads nothing is owed one answer, not one for each question."""

from __future__ import annotations

from pycrdt import Doc, Text
from tests.support.people import BEN, a_session, an_exchange, joined, weigh

from coscribe.core.lib0 import write_bytes
from coscribe.core.protocol import SyncStep2, Update, decode
from coscribe.core.update import encode_state_vector

_LIMIT = 2**16
_QUESTIONS = 500
_EVERYBODY = b"\x03"


def _document(text: str) -> Doc[Text]:
    doc: Doc[Text] = Doc(client_id=7)
    doc.get("content", type=Text).insert(0, text)
    return doc


def _step1(state_vector: bytes) -> bytes:
    return b"\x00\x00" + write_bytes(state_vector)


def test_d7_questions_without_reading_are_answered_once() -> None:
    doc = _document("x" * 100_000)
    exchange = an_exchange(doc.get_update())
    silent = joined(exchange, a_session("silent", BEN, limit=_LIMIT))

    for _ in range(_QUESTIONS):
        # Each answer to this one is made anew: a copy of all but the first 100 characters.
        exchange.receive(silent, _step1(encode_state_vector({7: 100})))
        exchange.receive(silent, _EVERYBODY)

    assert sum(map(len, silent.outbox.take())) < 2 * 100_000
    assert silent.outbox.closing is None


def test_d7_the_one_answer_holds_all_that_was_asked_for() -> None:
    doc = _document("x" * 100_000)
    exchange = an_exchange(doc.get_update())
    slow = joined(exchange, a_session("slow", BEN, limit=_LIMIT))
    exchange.receive(slow, _step1(doc.get_state()))
    exchange.receive(slow, _step1(b"\x00"))
    exchange.receive(slow, _step1(encode_state_vector({7: 50_000})))
    exchange.receive(slow, _step1(encode_state_vector({7: 20_000})))
    slow.outbox.take()
    assert slow.outbox.is_stale

    exchange.drained(slow)

    copy: Doc[Text] = Doc()
    text = copy.get("content", type=Text)
    copy.apply_update(_document("x" * 20_000).get_update())
    messages = [decode(frame) for frame in slow.outbox.take()]
    for message in messages:
        if isinstance(message, SyncStep2 | Update):
            copy.apply_update(message.update)
    assert isinstance(messages[-1], SyncStep2)
    assert str(text) == "x" * 100_000


def test_d7_a_slow_reader_of_a_large_answer_is_no_client_that_reads_nothing() -> None:
    doc = _document("x" * 500_000)
    exchange = an_exchange(doc.get_update())
    slow, fast = (joined(exchange, a_session(name, BEN, limit=_LIMIT)) for name in ("slow", "fast"))
    exchange.receive(slow, _step1(b"\x00"))

    before = doc.get_state()
    doc.get("content", type=Text).insert(0, "y" * 2 * _LIMIT)
    exchange.receive(fast, b"\x00\x02" + write_bytes(doc.get_update(before)))
    weigh(exchange)
    assert slow.outbox.is_stale
    slow.notify("document", "renamed")

    assert slow.outbox.closing is None
