"""People and sessions for tests of the core."""

from __future__ import annotations

from datetime import UTC, datetime

from coscribe.core.admission import Admission, foreign_to
from coscribe.core.bounds import Limits
from coscribe.core.examination import Examined, examine
from coscribe.core.exchange import Exchange
from coscribe.core.intake import Intake
from coscribe.core.offers import Load
from coscribe.core.outbox import Outbox
from coscribe.core.replica import Replica
from coscribe.core.session import Session
from coscribe.errors import UpdateRefused
from coscribe.model import Principal, PrincipalKind, Role

ANN = Principal("ann", PrincipalKind.GUEST, "Ann", 0)
BEN = Principal("ben", PrincipalKind.GUEST, "Ben", 1)
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
HELLO = b"\x70\x01\x00\x00"
ROOM = 2**20


def an_intake(*updates: bytes, document_bytes: int = ROOM, unsaved_bytes: int = ROOM, seq: int = 0) -> Intake:
    """An intake of a document that holds these updates; its own replica is client 1."""
    replica = Replica(1)
    if updates:
        replica.load(updates)
    return Intake(replica, seq=seq, owners={}, limits=Limits(document_bytes, unsaved_bytes), now=lambda: NOW)


def an_exchange(*updates: bytes, **limits: int) -> Exchange:
    """An exchange of generation 1 around such an intake."""
    return Exchange(1, an_intake(*updates, **limits))


def a_session(
    name: str, principal: Principal = ANN, role: Role = Role.EDITOR, *, ours: bool = True, limit: int = ROOM
) -> Session:
    """A session that nobody has joined yet; our own client's unless told."""
    return Session(name, principal, role, Outbox(limit, lambda: None), is_ours=ours)


def joined(exchange: Exchange, session: Session) -> Session:
    """The session, in the room and with what it was greeted with read."""
    exchange.join(session)
    session.outbox.take()
    return session


def _examined(exchange: Exchange, load: Load) -> Examined:
    return examine(exchange.intake.replica.diff(), load.update, foreign_to(load, exchange.intake))


def weigh(exchange: Exchange) -> None:
    """Examine what is too much for one turn here and now, and take all of it in, as a room does with an examiner."""
    while exchange.offers.loads:
        load = exchange.offers.loads.pop(0)
        session, slot = load.session, load.slot
        assert session is not None
        assert slot is not None
        try:
            admission = Admission(exchange, load, _examined(exchange, load))
            admission.begin()
        except UpdateRefused as refusal:
            exchange.offers.refuse(session, slot, refusal)
            continue
        while admission.step():
            pass
        admission.end()


def commit(exchange: Exchange) -> int:
    """Make durable all that is accepted; gives how many entries that were."""
    exchange.flush()
    entries = sum(len(batch.entries) for batch in exchange.intake.take())
    exchange.intake.committed()
    exchange.offers.acknowledge()
    return entries
