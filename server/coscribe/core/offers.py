"""What sessions offer: each update is known, admitted, held for what it builds on, left to an examination, or refused.

An offer has a slot in its session's ledger, which is settled once its fate is durable (rule D3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coscribe.core.answers import Answers
from coscribe.core.bounds import TURNED_AWAY
from coscribe.core.intake import Accepted, Intake
from coscribe.core.recall import Recall
from coscribe.core.replica import Verdict
from coscribe.core.session import Heavy, Offered, Session, Slot
from coscribe.core.shelf import needed
from coscribe.core.update import TooManyThings
from coscribe.errors import UpdateRefused
from coscribe.model import Principal, Role


@dataclass(frozen=True, slots=True)
class Load:
    """An update that is to be examined elsewhere; `session` and `slot` are None for one that came over REST."""

    update: bytes
    author: Principal
    session_id: str
    is_live: bool
    session: Session | None = None
    slot: Slot | None = None


class Offers:
    """The offers of one document. `flush` applies what is accepted, `deliver` gives what was applied alone to all."""

    def __init__(
        self, intake: Intake, answers: Answers, flush: Callable[[], None], deliver: Callable[[Accepted], None]
    ) -> None:
        self._intake = intake
        self._answers = answers
        self._flush = flush
        self._deliver = deliver
        self.recall = Recall(intake, flush)
        self.loads: list[Load] = []  # an empty deque takes 760 bytes of each room
        # Whose frames are not all settled, and of whom something is held.
        self.owed: dict[str, Session] = {}
        self.holding: dict[str, Session] = {}
        self._is_releasing = False
        # Whether an update was refused since more waits for the disk than the room may keep.
        self.turned_away = False

    def forget(self, session_id: str) -> None:
        """The session has ended."""
        self.owed.pop(session_id, None)
        self.holding.pop(session_id, None)

    def take(self, session: Session, offer: Offered) -> None:
        """Decide on an update; what comes of it is in the session's ledger and outbox. Raises EngineFailed."""
        self.owed[session.id] = session
        try:
            self._consider(session, offer)
        except UpdateRefused as refusal:
            self.refuse(session, offer.slot, refusal)
        except TooManyThings:
            self.weigh(session, offer)
        if offer.is_step2:
            # An answer that waits itself would be asked for again and again.
            session.has_asked = offer.slot.ticket is None

    def refuse(self, session: Session, slot: Slot, refusal: UpdateRefused) -> None:
        """Settle a frame as refused; whoever forked takes another client id and begins anew (rule D10)."""
        session.refused(refusal.limit)
        self.turned_away |= refusal.limit == TURNED_AWAY
        if refusal.limit == "fork" or (refusal.limit == "client_id" and session.is_ours):
            session.fork(slot, str(refusal))
        else:
            session.refuse(slot, str(refusal), refusal.limit)
        self.settle(session)

    def _consider(self, session: Session, offer: Offered) -> None:
        found, intake = offer.scan, self._intake
        verdict = intake.replica.judge(found)
        if verdict is Verdict.NEW and intake.is_heavy(found):
            self.weigh(session, offer)
            return
        if verdict is not Verdict.GAP and not self.recall.compare(session, offer):
            return
        if verdict is Verdict.KNOWN or (verdict is Verdict.NEW and self._is_repetition(session, offer)):
            offer.slot.ticket = intake.tickets
            self.settle(session)
        elif not session.role.includes(Role.EDITOR):
            raise UpdateRefused("You can view this document but not change it.", limit="role")
        elif verdict is Verdict.GAP:
            self._hold(session, offer)
        else:
            item = Accepted(offer.update, found, session.principal, session.id, not offer.is_step2)
            intake.check(item)
            self._admit(session, offer, item)

    def _is_repetition(self, session: Session, offer: Offered) -> bool:
        return offer.is_step2 and self.recall.is_repetition(session, offer.scan)

    def weigh(self, session: Session, offer: Offered | Heavy) -> None:
        """Leave an update to an examination; only a step 2 of a reader's may turn out to be nothing new."""
        self.owed[session.id] = session
        if offer.is_step2 and self.recall.is_told(offer.update):
            offer.slot.ticket = self._intake.tickets
            self.settle(session)
            return
        try:
            self._intake.bounds.check_size(offer.update)
            _require_editor(session, is_step2=offer.is_step2)
        except UpdateRefused as refusal:
            self.refuse(session, offer.slot, refusal)
            return
        self._flush()
        load = Load(offer.update, session.principal, session.id, not offer.is_step2, session, offer.slot)
        self.loads.append(load)

    def _admit(self, session: Session, offer: Offered, item: Accepted) -> None:
        if item.is_live or self._intake.replica.news(item.scan):
            offer.slot.ticket = self._intake.accept(item)
            return
        # A step 2 of deletions only: it names every deletion its sender knows, and mostly we know them all.
        self._flush()
        if self._intake.apply_if_new(item):
            self._deliver(item)
        offer.slot.ticket = self._intake.tickets
        self.settle(session)

    def settle(self, session: Session) -> None:
        """Ack what of a session's frames is settled."""
        session.settle(self._intake.durable, self._intake.following.head)
        if not session.is_owed:
            self.owed.pop(session.id, None)

    def acknowledge(self) -> None:
        """Tell every author what became durable."""
        for session in list(self.owed.values()):
            self.settle(session)

    def _hold(self, session: Session, offer: Offered) -> None:
        """Keep an update that came before its predecessor, and ask once for all that is missing (rule D4)."""
        if not session.hold(offer, needed(offer.scan, self._intake.replica.clocks)):
            session.outbox.close(1013, "Too much was sent ahead of a missing change.")
            return
        self.holding[session.id] = session
        if not session.has_asked:
            session.has_asked = True
            session.outbox.push(self._answers.step1())

    def release_held(self) -> None:
        """Offer again what waited, as long as something has come that it waits for."""
        if self._is_releasing:
            return  # a flush on the way: the round that it is in goes on with what came by it
        self._is_releasing = True
        try:
            while due := [held for held in self.holding.values() if held.may_release(self._intake.replica.clocks)]:
                for session in due:
                    del self.holding[session.id]
                    for offer in session.release():
                        if session.outbox.closing is None:
                            self.take(session, offer)
        finally:
            self._is_releasing = False


def _require_editor(session: Session, *, is_step2: bool) -> None:
    if not is_step2 and not session.role.includes(Role.EDITOR):
        raise UpdateRefused("You can view this document but not change it.", limit="role")
