"""D12: whatever line ends come in, LF alone stays."""

from __future__ import annotations

import random

import pytest
from tests.support.people import BEN, a_session, an_exchange, commit, joined, weigh
from tests.support.wire_bytes import framed, one, typed

from coscribe.core.exchange import Exchange
from coscribe.core.line_ends import line_ends
from coscribe.core.splices import apply


def mended(text: str) -> tuple[str, int]:
    """The text, and how many calls it took."""
    calls = 0
    while splices := line_ends(text):
        text = apply(text, splices)
        calls += 1
    return text, calls


@pytest.mark.parametrize("seed", range(20))
def test_every_line_end_becomes_one_lf(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choice(["\r", "\n", "\r\n", "word", "é" * 300]) for _ in range(rng.randrange(2000)))
    assert mended(text)[0] == text.replace("\r\n", "\n").replace("\r", "\n")


def test_a_few_are_mended_in_their_places_alone() -> None:
    splices = line_ends("a\r\nb\rc")
    assert [(splice.at, splice.delete, splice.insert) for splice in splices] == [(1, 1, ""), (4, 1, "\n")]
    assert line_ends("a\nb") == []


def test_many_take_several_turns() -> None:
    text, calls = mended("a line of a file\r\n" * 50_000)
    assert text == "a line of a file\n" * 50_000
    assert 2 < calls < 10
    assert mended(("x" * 500 + "\r") * 1000)[0] == ("x" * 500 + "\n") * 1000


def test_a_large_paste_from_windows_reads_as_lines() -> None:
    exchange = an_exchange()
    ann = joined(exchange, a_session("ann", ours=False))
    ben = joined(exchange, a_session("ben", limit=2**22))
    exchange.receive(ann, framed(2, one(5, 0, typed("a line of a file\r\n" * 40_000))))
    weigh(exchange)
    commit(exchange)
    assert str(exchange.intake.text) == "a line of a file\n" * 40_000
    assert max(map(len, ben.outbox.take())) < 300_000


def test_a_cr_among_more_than_one_transaction_takes_in_waits_for_all_of_them() -> None:
    """D3: an edit of the server's own between them took the place of an update that waits, and acked it unsaved."""
    exchange = an_exchange()
    ann, ben = joined(exchange, a_session("ann", ours=False)), joined(exchange, a_session("ben", BEN))
    exchange.receive(ann, framed(2, one(5, 0, typed("a\r\n"))))
    for clock in range(150):
        exchange.receive(ben, framed(2, one(6, clock, typed("é", after=(6, clock - 1) if clock else None))))
    exchange.flush(0.0)  # as a turn that is used up by the first hundred
    commit_applied(exchange)
    assert all(frame[0] != 0x71 for frame in ben.outbox.take())  # the last of them waits
    assert exchange.is_dirty
    exchange.receive(ben, framed(2, one(6, 150, typed("!", after=(6, 149)))))
    exchange.receive(ben, framed(2, one(6, 151, typed("?", after=(6, 150)))))
    commit(exchange)
    text = exchange.intake.replica.text
    assert "\r" not in text
    assert text.endswith("é!?") or text.endswith("a\n")
    assert str(exchange.intake.text) == text
    assert exchange.intake.replica.clocks == exchange.intake.replica.engine_clocks()
    assert ben.outbox.take()[-1][:3] == b"\x71\x98\x01"


def commit_applied(exchange: Exchange) -> None:
    """Make durable what is applied, and apply nothing more."""
    exchange.intake.take()
    exchange.intake.committed()
    exchange.offers.acknowledge()
