"""What several wrote in one turn reaches a reader as one update (rule P17), and reads as it does here."""

from __future__ import annotations

import random

import pytest
from pycrdt import Doc, Text, TransactionEvent
from tests.support.people import ANN, BEN, a_session

from coscribe.core.audience import Audience
from coscribe.core.intake import Accepted
from coscribe.core.lib0 import read_bytes
from coscribe.core.replica import Replica, Verdict
from coscribe.core.update import scan

_TURNS = 120
_LETTERS = "ab\n é😀"


class Author:
    """Somebody with a copy of his own, who hears of others now and then."""

    def __init__(self, client: int) -> None:
        self.doc: Doc[Text] = Doc(client_id=client)
        self.text = self.doc.get("content", type=Text)
        self.wrote: list[bytes] = []
        self._seen = self.doc.observe(self._note)
        self.is_typing = False

    def _note(self, event: TransactionEvent) -> None:
        if self.is_typing:
            self.wrote.append(event.update)

    def write(self, rng: random.Random) -> None:
        """Write, go on, put letters in front of each other, delete, or say everything again."""
        self.is_typing = True
        length = len(self.text)
        at = rng.choice([0, length])
        kind = rng.randrange(6)
        if kind < 2:
            for letter in rng.choices(_LETTERS, k=rng.randint(1, 6)):
                self.text.insert(len(self.text), letter)
        elif kind == 2:
            for letter in rng.choices("xy", k=rng.randint(1, 6)):
                self.text.insert(0, letter)
        elif kind == 3 and length:
            first = str(self.text)[0]
            del self.text[0 : len(first.encode())]
        elif kind == 4:
            self.text.insert(at, rng.choice(["word ", "in Worten\n"]))
        else:
            self.wrote.append(self.doc.get_update())
        self.is_typing = False


@pytest.mark.parametrize("seed", range(12))
def test_a_reader_of_merged_turns_has_the_same_text(seed: int) -> None:
    rng = random.Random(20261129 + seed)
    authors = [Author(client) for client in (5, 6, 2**31)]
    sessions = [a_session(str(number), (ANN, BEN)[number % 2]) for number in range(3)]
    here, there = Replica(1), Replica(2)
    audience = Audience()
    reader = a_session("reader")
    audience.sessions["reader"] = reader
    for _ in range(_TURNS):
        accepted = []
        for author, session in zip(authors, sessions, strict=True):
            for _ in range(rng.randrange(3)):
                author.write(rng)
            for update in author.wrote:
                found = scan(update)
                assert here.judge(found) is not Verdict.GAP
                here.admit(found)
                accepted.append(Accepted(update, found, session.principal, session.id))
            author.wrote.clear()
        if not accepted:
            continue
        here.apply([item.update for item in accepted])
        audience.deliver_together(accepted)
        [frame] = reader.outbox.take()
        told = read_bytes(frame, 2)[0]
        assert there.judge(scan(told)) is not Verdict.GAP
        there.admit(scan(told))
        there.apply([told])
        assert there.text == here.text
        assert there.engine_clocks() == here.engine_clocks() == there.clocks
        for author in rng.sample(authors, 2):
            author.doc.apply_update(told)
    assert len(here.text) > _TURNS
