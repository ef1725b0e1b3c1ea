"""Damaged, absurd and hostile bytes: refused with an error of ours, or without effect; never anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.people import a_session, an_exchange, joined
from tests.support.wire_bytes import framed, string
from tests.vectors.golden import DATA, Vector, each, ours, raw, vectors

from coscribe.core.exchange import Exchange
from coscribe.core.protocol import SyncStep1, SyncStep2, Update, decode
from coscribe.core.session import Session
from coscribe.core.update import scan_state_vector
from coscribe.errors import Malformed

TARGET = ours(json.loads((DATA / "malformed.json").read_text())["target_update_b64"])
TEXT = "river🧪"
SERVED = [vector for vector in vectors("malformed") if vector["layer"] != "relative_position"]


def frame_of(vector: Vector) -> bytes:
    """The vector as a client would send it."""
    data = raw(vector["bytes_b64"])
    match vector["layer"]:
        case "update":
            return framed(2, ours(vector["bytes_b64"]))
        case "state_vector":
            return framed(0, data)
        case "sync":
            return b"\x00" + data
        case "awareness":
            return b"\x01" + string(data)
        case "frame":
            return data
    raise AssertionError(vector["layer"])


def in_our_root(frame: bytes) -> bytes:
    """A whole message with the root renamed; what is no message stays as it is."""
    try:
        message = decode(frame)
    except Malformed:
        return frame
    match message:
        case SyncStep2(update):
            return framed(1, update.replace(b"\x01\x04text", b"\x01\x07content"))
        case Update(update):
            return framed(2, update.replace(b"\x01\x04text", b"\x01\x07content"))
        case SyncStep1(_):
            return frame
    return frame


@contextmanager
def unchanged(exchange: Exchange) -> Iterator[None]:
    replica = exchange.intake.replica

    def everything() -> tuple[object, ...]:
        return (
            replica.text,
            dict(replica.clocks),
            scan_state_vector(replica.state_vector()),
            replica.diff(),
            exchange.awareness.states(),
            exchange.intake.tickets,
        )

    before = everything()
    yield
    assert everything() == before


def feed(exchange: Exchange, session: Session, frame: bytes) -> bool:
    """Whether the frame was taken; any other error than Malformed fails the test."""
    try:
        exchange.receive(session, frame)
    except Malformed:
        return False
    exchange.flush()
    return True


@each([vector for vector in SERVED if vector["must_reject"]])
def test_what_must_be_refused_changes_nothing(vector: Vector) -> None:
    exchange = an_exchange(TARGET)
    session = joined(exchange, a_session("s"))
    with unchanged(exchange):
        taken = feed(exchange, session, in_our_root(frame_of(vector)))
    if taken and vector["layer"] in ("update", "sync", "frame"):
        told = session.outbox.take()
        # Refused with a notice, or kept back and asked for; never acked as if it were saved without a word.
        assert any(frame[:1] == b"\x73" or frame[:2] == b"\x00\x00" for frame in told)


@each([vector for vector in SERVED if not vector["must_reject"]])
def test_noise_is_survived(vector: Vector) -> None:
    exchange = an_exchange(TARGET)
    session = joined(exchange, a_session("s"))
    feed(exchange, session, in_our_root(frame_of(vector)))
    text = exchange.intake.replica.text
    assert text in (TEXT, vector["yjs_text_after"].replace("\r", "\n"))
    assert feed(exchange, session, framed(0, b"\x00"))


def test_there_are_as_many_as_were_made() -> None:
    assert len(SERVED) == 438
    assert len(vectors("malformed")) == 462
