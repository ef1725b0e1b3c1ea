"""What a joiner is told who has nothing: a long state is cut up now and then, and continued by what came since."""

from __future__ import annotations

import pytest
from pycrdt import Doc, Text
from tests.support.people import ANN, a_session, an_exchange, joined
from tests.support.wire_bytes import framed

from coscribe.core import answers
from coscribe.core.exchange import Exchange
from coscribe.core.pieces import Whole, split
from coscribe.core.protocol import SyncStep2, Update, decode
from coscribe.core.splices import Splice

_NOTHING = b"\x00"
LONG = "lorem ipsum " * 50_000


def a_long_document(text: str = LONG) -> tuple[Exchange, Doc[Text]]:
    doc: Doc[Text] = Doc(client_id=7)
    doc.get("content", type=Text).insert(0, text)
    return an_exchange(doc.get_update(), document_bytes=2**22), doc


def told(exchange: Exchange) -> list[Update | SyncStep2]:
    """What somebody is answered who asks with nothing."""
    session = joined(exchange, a_session("newcomer"))
    exchange.receive(session, framed(0, _NOTHING))
    messages = [decode(frame) for frame in session.outbox.take()]
    exchange.leave(session)
    return [message for message in messages if isinstance(message, Update | SyncStep2)]


def read(messages: list[Update | SyncStep2]) -> str:
    copy: Doc[Text] = Doc()
    text = copy.get("content", type=Text)
    for message in messages:
        copy.apply_update(message.update)
    assert [isinstance(message, SyncStep2) for message in messages] == [False] * (len(messages) - 1) + [True]
    return str(text)


def write(exchange: Exchange, at: int, delete: int, insert: str) -> None:
    exchange.edit(ANN, lambda _: [Splice(at, delete, insert)])


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long the states are that are cut up."""
    lengths: list[int] = []

    def noted(update: bytes) -> list[bytes]:
        lengths.append(len(update))
        return split(update)

    monkeypatch.setattr(answers, "split", noted)
    return lengths


def test_what_came_since_is_told_behind_a_state_that_was_cut_before(cuts: list[int]) -> None:
    exchange, _ = a_long_document()
    first = told(exchange)
    assert read(first) == LONG
    assert told(exchange) == first
    write(exchange, 5, 6, "DOLOR")
    second = told(exchange)
    assert read(second) == LONG[:5] + "DOLOR" + LONG[11:]
    assert [message.update for message in second[:-1]] == [message.update for message in first]
    assert len(second[-1].update) < 100
    assert [length > 2**18 for length in cuts] == [True, False]


@pytest.mark.parametrize(
    ("at", "delete", "insert"), [(100, 0, "x" * 200_000), (0, 400_000, "")], ids=["much more", "much less"]
)
def test_a_state_is_cut_anew_when_much_has_changed(cuts: list[int], at: int, delete: int, insert: str) -> None:
    exchange, _ = a_long_document()
    told(exchange)
    write(exchange, at, delete, insert)
    after = told(exchange)
    assert read(after) == LONG[:at] + insert + LONG[at + delete :]
    assert sum(len(message.update) for message in after) < len(LONG) + len(insert) - delete + 1000
    assert cuts[1] > 2**17


def test_a_short_document_is_told_in_one(cuts: list[int]) -> None:
    exchange, _ = a_long_document("short")
    assert [len(told(exchange)), read(told(exchange))] == [1, "short"]
    write(exchange, 0, 5, "shorter")
    assert [len(told(exchange)), read(told(exchange))] == [1, "shorter"]
    assert len(cuts) == 2


@pytest.mark.parametrize("is_all", [True, False])
def test_it_begins_with_the_state_that_was_stored(cuts: list[int], is_all: bool) -> None:
    exchange, doc = a_long_document()
    replica = exchange.intake.replica
    whole = Whole(tuple(split(doc.get_update())), dict(replica.clocks), replica.size)
    exchange.answers.begin(whole, is_all=is_all)
    messages = told(exchange)
    assert read(messages) == LONG
    assert len(messages) == len(whole.pieces) + (not is_all)
    assert all(length < 100 for length in cuts)
    write(exchange, 0, 0, "more ")
    assert read(told(exchange)) == "more " + LONG
