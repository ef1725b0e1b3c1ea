"""What Yjs writes comes out as the same text here: updates, concurrent edits in every order, state vectors."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from tests.vectors.golden import EMPTY, Receiver, Vector, clocks, each, ours, raw, vectors, well_formed

from coscribe.core.replica import Replica
from coscribe.core.update import scan, scan_state_vector
from coscribe.errors import UpdateRefused

UPDATES = vectors("updates")
CONCURRENT = vectors("concurrent")


def has_embed(vector: Vector) -> bool:
    return '"op": "embed"' in json.dumps(vector["steps"])


def is_refused(vector: Vector) -> bool:
    return has_embed(vector) or "other_roots" in vector or vector.get("trap") == "surrogate-split"


@each([vector for vector in UPDATES if not is_refused(vector)])
def test_each_step_of_one_client(vector: Vector) -> None:
    receiver = Receiver()
    for step in vector["steps"]:
        if step["update_b64"] is not None:
            receiver.take(ours(step["update_b64"]))
        assert receiver.text == well_formed(step["text"])
    assert receiver.replica.clocks == clocks(vector)
    assert scan_state_vector(receiver.replica.state_vector()) == clocks(vector)
    assert Receiver(ours(vector["full_update_b64"])).text == well_formed(vector["text"])


@each([vector for vector in UPDATES if is_refused(vector)])
def test_what_this_server_refuses(vector: Vector) -> None:
    receiver = Receiver()
    for update in [ours(step["update_b64"]) for step in vector["steps"] if step["update_b64"] is not None]:
        before = receiver.text, dict(receiver.replica.clocks)
        try:
            receiver.take(update)
        except UpdateRefused:
            assert (receiver.text, receiver.replica.clocks) == before
            return
    pytest.fail("nothing was refused")


def test_known_exceptions() -> None:
    assert [vector["id"] for vector in UPDATES if is_refused(vector)] == [
        "embed",
        "surrogate-split-insert",
        "surrogate-split-delete",
        "surrogate-split-format",
        "several-roots",
        *[vector["id"] for vector in UPDATES if vector["id"].startswith("random") and has_embed(vector)],
    ]


@each([vector for vector in CONCURRENT if "clients" in vector])
def test_clients_in_every_order(vector: Vector) -> None:
    base = ours(vector["base_update_b64"])
    for order in permutations(vector["clients"]):
        receiver = Receiver(base)
        for client in order:
            receiver.take(*map(ours, client["updates_b64"]))
        assert receiver.text == vector["merged"]["text"]
        assert not receiver.waiting
        assert receiver.replica.clocks == clocks(vector)
    assert Receiver(base, *map(ours, vector["shuffled_delivery_b64"])).text == vector["merged"]["text"]
    assert Receiver(ours(vector["merged_update_b64"])).text == vector["merged"]["text"]


@each([vector for vector in CONCURRENT if "shuffled_order" in vector])
def test_rounds_in_true_and_shuffled_order(vector: Vector) -> None:
    log = [ours(entry["update_b64"]) for entry in vector["log"]]
    assert Receiver(*log).text == vector["merged"]["text"]
    shuffled = Receiver()
    for at, text in zip(vector["shuffled_order"], vector.get("text_after_each", [None] * len(log)), strict=True):
        shuffled.take(log[at])
        assert text in (None, shuffled.text)
    assert (shuffled.text, shuffled.waiting) == (vector["merged"]["text"], [])
    assert shuffled.replica.clocks == clocks(vector)


@each([vector for vector in CONCURRENT if vector.get("every_order")])
def test_every_order_of_dependent_updates(vector: Vector) -> None:
    log = [ours(entry["update_b64"]) for entry in vector["log"]]
    for order in permutations(log):
        receiver = Receiver(*order)
        assert (receiver.text, receiver.waiting) == (vector["merged"]["text"], [])


@each(vectors("state-vectors"))
def test_state_vectors_and_diffs(vector: Vector) -> None:
    assert scan_state_vector(raw(vector["state_vector_b64"])) == clocks(vector)
    receiver = Receiver(ours(vector["full_update_b64"]))
    assert receiver.text == vector["text"]
    assert scan_state_vector(receiver.replica.state_vector()) == clocks(vector)
    if "diff" not in vector:
        return
    diff = vector["diff"]
    for update in (
        ours(diff["diff_update_b64"]),
        ours(diff["diff_from_update_b64"]),
        receiver.replica.diff(raw(diff["other_state_vector_b64"])),
    ):
        other = Receiver(ours(diff["other_update_b64"]))
        assert other.text == diff["other_text_before"]
        other.take(update)
        assert other.text == diff["other_text_after"]
        assert {str(client): clock for client, clock in other.replica.clocks.items()} == diff[
            "other_state_vector_after"
        ]


def test_an_empty_update_is_two_zero_bytes() -> None:
    assert scan(EMPTY)[:3] == ((), (), {})
    assert Replica(1).diff() == EMPTY
