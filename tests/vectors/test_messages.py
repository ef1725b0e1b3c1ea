"""Sync and awareness messages as y-protocols writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.people import ANN, a_session, an_exchange, joined
from tests.support.wire_bytes import framed
from tests.vectors.golden import Vector, each, ours, raw, vectors

from coscribe.core.awareness import Awareness
from coscribe.core.exchange import Exchange
from coscribe.core.protocol import (
    AwarenessEntry,
    AwarenessUpdate,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Update,
    decode,
    decode_awareness,
    encode_awareness,
    encode_denied,
)
from coscribe.core.session import Session
from coscribe.core.update import scan
from coscribe.errors import Malformed

SYNC = vectors("sync")
AWARENESS = vectors("awareness")
# y-protocols takes the clock of an unknown client for 0 and passes over a state at clock 0; the server tells it.
CLOCK_ZERO = 13562


def receiver(update: bytes) -> tuple[Exchange, Session]:
    exchange = an_exchange(*([update] if update != b"\x00\x00" else []))
    return exchange, joined(exchange, a_session("s", ours=False))


def replies(session: Session) -> list[bytes]:
    return [frame for frame in session.outbox.take() if frame[:1] == b"\x00"]


def content(update: bytes) -> tuple[list[Any], list[Any]]:
    found = scan(update)
    return sorted(found.structs), sorted(found.deletes)


@each([vector for vector in SYNC if "payload_b64" in vector])
def test_a_sync_message(vector: Vector) -> None:
    kind = {0: SyncStep1, 1: SyncStep2, 2: Update}[vector["type"]]
    assert decode(raw(vector["frame_b64"])) == kind(raw(vector["payload_b64"]))

    exchange, session = receiver(ours(vector["receiver_before_b64"]))
    assert exchange.intake.replica.text == vector["receiver_text_before"]
    exchange.receive(session, framed(vector["type"], ours(vector["payload_b64"])))
    exchange.flush()

    assert exchange.intake.replica.text == vector["receiver_text_after"]
    after = {str(client): clock for client, clock in exchange.intake.replica.clocks.items() if client != 1}
    assert after == vector["receiver_state_vector_after"]
    told = replies(session)
    if vector["reply_b64"] is None:
        assert all(frame[1] != 1 for frame in told)
        return
    [reply], wanted = told, decode(raw(vector["reply_frame_b64"]))
    answer = decode(reply)
    assert isinstance(answer, SyncStep2)
    assert isinstance(wanted, SyncStep2)
    wanted_update = wanted.update.replace(b"\x01\x04text", b"\x01\x07content")
    assert content(answer.update) == content(wanted_update)


@each([vector for vector in SYNC if "handshake" in vector])
def test_a_handshake(vector: Vector) -> None:
    told = vector["handshake"]
    sides = [receiver(ours(told["a_before_b64"])), receiver(ours(told["b_before_b64"]))]
    for (exchange, session), step1 in zip(sides, (told["b_step1_b64"], told["a_step1_b64"]), strict=True):
        exchange.receive(session, b"\x00" + raw(step1))
    answers = [replies(session) for _, session in sides]
    for (exchange, session), frames in zip(sides, reversed(answers), strict=True):
        for frame in frames:
            exchange.receive(session, frame)
        exchange.flush()
        assert exchange.intake.replica.text == vector["receiver_text_after"]


def test_permission_denied_is_said_and_not_heard() -> None:
    [vector] = [vector for vector in SYNC if vector.get("outer_type") == 2]
    assert encode_denied(vector["auth"]["reason"]) == raw(vector["frame_b64"])
    with pytest.raises(Malformed):
        decode(raw(vector["frame_b64"]))


def test_query_awareness() -> None:
    [vector] = [vector for vector in SYNC if vector.get("outer_type") == 3]
    assert decode(raw(vector["frame_b64"])) == QueryAwareness()


def entries(vector: Vector) -> tuple[AwarenessEntry, ...]:
    return tuple(AwarenessEntry(*entry.values()) for entry in vector["entries"])


@each([vector for vector in AWARENESS if "entries" in vector])
def test_an_awareness_message(vector: Vector) -> None:
    assert decode(raw(vector["frame_b64"])) == AwarenessUpdate(entries(vector))
    assert decode_awareness(raw(vector["update_b64"])) == entries(vector)
    assert encode_awareness(list(entries(vector))) == raw(vector["frame_b64"])

    awareness = Awareness()
    for entry in entries(vector):
        awareness.receive(str(entry.client), ANN, (entry,))

    present = {client: state for client, state in vector["states"].items() if state is not None}
    if vector["id"] == "lone-surrogate-escaped":
        present = {}  # rule D12: half a pair is no text, also in a state
    assert {str(client): state[2] for client, state in awareness.states().items()} == present


@each([vector for vector in AWARENESS if vector["id"] in ("clock-rules", "equality-kinds")])
def test_the_clock_rules(vector: Vector) -> None:
    awareness = Awareness()
    own = str(vector["receiver_client_id"])
    for step in vector["script"]:
        for entry in decode_awareness(raw(step["apply_b64"])):
            if (entry.client, entry.clock) != (CLOCK_ZERO, 0):
                awareness.receive(str(entry.client), ANN, (entry,))
        states = {str(client): state[2] for client, state in awareness.states().items()}
        assert states | {own: {}} == step["states"], step["what"]


def test_a_state_at_clock_zero_is_told() -> None:
    awareness = Awareness()
    awareness.receive("s", ANN, (AwarenessEntry(CLOCK_ZERO, 0, '{"n":0}'),))
    message = decode(awareness.flush() or b"")
    assert isinstance(message, AwarenessUpdate)
    assert json.loads(message.entries[0].state)["n"] == 0
