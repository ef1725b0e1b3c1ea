"""Updates that the CRDT does not place alike for everybody: found by their state, mended by writing the text anew."""

from __future__ import annotations

import random

import pytest
from pycrdt import Doc, Text
from tests.support.crossed import ABC, CROSSED

from coscribe.core.pieces import split
from coscribe.core.replica import Replica
from coscribe.core.rewriting import leads_to


def a_replica(*updates: bytes, client_id: int = 77) -> Replica:
    """A replica that took updates one after the other, as a room does."""
    replica = Replica(client_id)
    for update in updates:
        replica.load([update])
    return replica


def reread(replica: Replica) -> str:
    """What whoever opens the document now reads."""
    return Replica(78, replica.diff()).text


def insert(rng: random.Random, text: Text, letters: str) -> None:
    """Put letters between two characters; the engine counts bytes."""
    now = str(text)
    text.insert(len(now[: rng.randrange(len(now) + 1)].encode()), letters)


def of_two_histories(rng: random.Random) -> list[bytes]:
    """A text by client 1, and what others wrote on a text that another client 1 wrote."""
    true, other = (Doc[Text](client_id=1) for _ in range(2))
    for doc in (true, other):
        text = doc.get("content", type=Text)
        for letter in "abcdef":
            text.insert(rng.randrange(len(text) + 1), letter)
    updates = [true.get_update()]
    for client in range(2, rng.randrange(3, 6)):
        doc = Doc[Text](client_id=client)
        text = doc.get("content", type=Text)
        doc.apply_update(other.get_update())
        before = doc.get_state()
        for letter in "xyz":
            insert(rng, text, f"{letter}{client}é😀")
        updates.append(doc.get_update(before))
    return updates


def test_a_struct_between_two_that_stand_the_other_way_round_is_read_in_two_ways() -> None:
    replica = a_replica(ABC, CROSSED)

    assert (replica.text, reread(replica)) == ("aYbc", "abcY")
    assert not leads_to(split(replica.diff()), replica)


def test_what_is_read_alike_leads_to_its_text() -> None:
    replica = a_replica(ABC)

    assert leads_to(split(replica.diff()), replica)


def test_a_text_that_is_written_anew_is_read_alike_by_all() -> None:
    replica, there = a_replica(ABC, CROSSED), a_replica(ABC, CROSSED, client_id=79)
    newcomer = a_replica(replica.diff(), client_id=80)

    update = replica.write_anew(replica.runs)

    for one in (there, newcomer):
        one.load([update])
        assert (one.text, reread(one)) == ("aYbc", "aYbc")
    assert leads_to(split(replica.diff()), replica)


def test_formatting_comes_again_with_the_text() -> None:
    doc = Doc[Text](client_id=5)
    text = doc.get("content", type=Text)
    for at, letters, attributes in ((0, "plain ", None), (6, "böld 😀", {"bold": True}), (16, " end", {"bold": None})):
        text.insert(at, letters, attributes)
    replica, there = a_replica(doc.get_update()), a_replica(doc.get_update(), client_id=78)
    runs = replica.runs
    assert [attributes for _, attributes in runs] == [None, {"bold": True}, None]

    there.load([replica.write_anew(runs)])

    assert there.runs == replica.runs == runs


def test_formatting_that_is_read_otherwise_is_another_text() -> None:
    replica = a_replica(ABC)
    replica.write_anew([("a", None), ("bc", {"bold": True})])
    state = replica.diff()
    replica.write_anew([("abc", None)])

    assert not leads_to(split(state), replica)


@pytest.mark.parametrize("first", range(0, 600, 100))
def test_whatever_two_histories_leave_behind_is_one_text_afterwards(first: int) -> None:
    found = 0
    for seed in range(first, first + 100):
        rng = random.Random(seed)
        updates = of_two_histories(rng)
        replica = a_replica(*updates)
        if leads_to(split(replica.diff()), replica):
            continue
        found += 1
        # Who was there, who came between two updates, and who came at the end.
        others = [
            a_replica(a_replica(*updates[:kept]).diff(), *updates[kept:], client_id=79 + kept)
            for kept in range(len(updates) + 1)
        ]
        text = replica.text
        update = replica.write_anew(replica.runs)
        for other in others:
            other.load([update])
            assert other.text == text == reread(other)
        _go_on(rng, [replica, *others])
    assert found > 0


def _go_on(rng: random.Random, replicas: list[Replica]) -> None:
    """All of them write on, each at places of its own, and still read alike."""
    typed = []
    for number in range(12):
        author = replicas[number % len(replicas)]
        doc = author._doc
        text = doc.get("content", type=Text)
        before = doc.get_state()
        insert(rng, text, f"<{number}>")
        typed.append((author, doc.get_update(before)))
    for author, update in typed:
        for other in replicas:
            if other is not author:
                other.load([update])
    assert len({replica.text for replica in replicas} | {reread(replica) for replica in replicas}) == 1
