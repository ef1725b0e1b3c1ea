"""States as snapshots keep them, and the replica that is made of one again."""

from __future__ import annotations

import random

import pytest
from tests.contracts.values import an_entry
from tests.core.test_pieces import random_docs
from tests.support.wire_bytes import deletes, one, string, structs, typed, update

from coscribe.core import replica as replicas
from coscribe.core.pieces import ANSWER
from coscribe.core.replica import Replica
from coscribe.core.restoring import Restoring
from coscribe.core.states import pieces_of, stored
from coscribe.core.update import EMPTY_UPDATE, Scan, scan
from coscribe.errors import Malformed, UpdateRefused
from coscribe.model import Entry


def begun(codec: str, state: bytes) -> Restoring:
    made = Restoring(Replica(1))
    made.state(pieces_of(codec, state), 7)
    return made


def a_large_state() -> bytes:
    text = "".join(random.Random(1).choices("abcdé😀\n", k=300_000))
    return one(5, 0, typed(text))


@pytest.mark.parametrize("seed", range(4))
def test_a_state_comes_back_as_it_was(seed: int) -> None:
    doc = random_docs(seed, 150)
    state = doc.get_update()
    made = begun(*stored(state))
    assert (made.replica.text, made.replica.diff(), made.seq) == (str(doc["content"]), state, 7)


@pytest.mark.parametrize("state", [EMPTY_UPDATE, one(5, 0, typed("hi"))])
def test_a_short_state_is_one_update(state: bytes) -> None:
    assert stored(state) == ("yjs-v1", state)
    assert begun("yjs-v1", state).replica.text == ("hi" if len(state) > 2 else "")


def test_a_long_state_is_cut_once_and_not_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    codec, raw = stored(a_large_state())
    monkeypatch.setattr("coscribe.core.states.split", None)
    made = begun(codec, raw)
    assert codec == "yjs-v1-pieces"
    assert made.whole is not None
    assert len(made.whole.pieces) > 1
    assert max(map(len, made.whole.pieces)) < ANSWER.size + 100
    assert (made.whole.clocks, made.whole.size) == (made.replica.clocks, made.replica.size)


def test_a_long_state_of_before_is_cut_when_it_is_read() -> None:
    state = a_large_state()
    made = begun("yjs-v1", state)
    assert made.replica.text == begun(*stored(state)).replica.text
    assert made.whole is not None
    assert len(made.whole.pieces) > 1


@pytest.mark.parametrize(
    ("codec", "raw", "says"),
    [
        ("yjs-v2", EMPTY_UPDATE, "codec 'yjs-v2' is unknown"),
        ("yjs-v1", EMPTY_UPDATE + b"\0", "behind the update"),
        ("yjs-v1-pieces", b"\x05\0\0", "5 bytes are announced"),
        ("yjs-v1-pieces", string(b"\0\0\0"), "behind the update"),
        ("yjs-v1-pieces", string(one(5, 3, typed("a", after=(5, 0)))), "what it does not hold"),
        ("yjs-v1-pieces", string(update([], [deletes(5, (0, 1))])), "what it does not hold"),
        (
            "yjs-v1",
            update([structs(5, 0, typed("a", after=(6, 0))), structs(6, 0, typed("b", after=(5, 0)))]),
            "wait for each other",
        ),
    ],
)
def test_what_is_no_state_is_told(codec: str, raw: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        begun(codec, raw)


@pytest.mark.parametrize("pack", [lambda raw: ("yjs-v1", raw), lambda raw: ("yjs-v1-pieces", string(raw))])
def test_what_may_not_reach_the_engine_does_not(pack: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replica, "load", None)
    assert callable(pack)
    with pytest.raises(UpdateRefused, match="Any"):
        begun(*pack(one(5, 0, b"\x08\x01\x07content\x01" + b"\x75\x01" * 20_000 + b"\x7e")))


def test_letters_one_by_one_are_joined_before_the_engine_joins_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # 30,000 of them in one update took 550 MB in the engine.
    raw = one(5, 0, typed("a"), *(typed("b", after=(5, at)) for at in range(9_999)))
    sizes = []
    join = replicas.joined

    def joined(update: bytes) -> bytes:
        sizes.append((len(update), len(join(update))))
        return join(update)

    monkeypatch.setattr(replicas, "joined", joined)
    assert begun("yjs-v1-pieces", string(raw)).replica.text == "a" + "b" * 9_999
    assert sizes == [(len(raw), len(one(5, 0, typed("a" + "b" * 9_999))))]


def test_a_transaction_holds_no_more_than_the_engine_joins_with_ease(monkeypatch: pytest.MonkeyPatch) -> None:
    # 80 entries of 500 letters each took 900 MB in one transaction.
    entries = []
    for at in range(0, 20_000, 500):
        letters = [typed("a", after=(5, clock - 1) if clock else None) for clock in range(at, at + 500)]
        new = an_entry(one(5, at, *letters))
        entries.append(Entry(at // 500 + 1, new.principal_id, new.session_id, new.at, new.payload))
    loads: list[int] = []
    load = Replica.load

    def noted(self: Replica, updates: list[bytes], scans: list[Scan]) -> None:
        loads.append(sum(found.things for found in scans))
        load(self, updates, scans)

    monkeypatch.setattr(Replica, "load", noted)
    made = Restoring(Replica(1))
    made.entries(entries)
    assert (made.replica.text, made.lost, made.waiting) == ("a" * 20_000, [], [])
    assert (max(loads), sum(loads)) == (2000, 20_000)


def test_scans_spare_a_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = one(5, 0, typed("a😀"))
    found = scan(raw)
    monkeypatch.setattr(replicas, "scan", None)
    replica = Replica(1)
    replica.load([raw], [found])
    assert (replica.text, replica.clocks, (5, 1) in replica.pairs) == ("a😀", {5: 3}, True)
