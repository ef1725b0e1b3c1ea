"""What a session says again of what is stored: looked up in the engine, at a price that is bounded for each session."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from coscribe.core.deletions import are_known
from coscribe.core.forks import Allowance, check_same, repeated, stored_since
from coscribe.core.intake import Intake
from coscribe.core.pieces import MOST_THINGS
from coscribe.core.session import Offered, Session
from coscribe.core.update import Scan
from coscribe.model import Role

# Stored structs that are read for one comparison at a turn of the loop: some 10 ms.
_MOST_STORED = 5 * MOST_THINGS
# Large answers that are known; one of 3,000 deleted ranges took the examiner 44 ms, for each session and each minute.
_MOST_TOLD = 16


class Recall:
    """Comparisons of updates with one live document. `flush` applies what is accepted: the engine is asked."""

    def __init__(self, intake: Intake, flush: Callable[[], None]) -> None:
        self._intake = intake
        self._flush = flush
        self._told: dict[bytes, None] = {}

    def compare(self, session: Session, offer: Offered) -> bool:
        """Look at what an update says again of stored clocks (rule D10); False when its session is let go for that.

        Raises UpdateRefused where it says something else, TooManyThings where that is much to read.
        """
        first = repeated(offer.scan, self._intake.replica.clocks)
        if not first:
            return True
        self._flush()
        first = repeated(offer.scan, self._intake.replica.clocks)  # more, where that let in what others held
        stored = stored_since(self._intake.replica, first)
        if not self._spend(session, len(stored)):
            return False
        check_same(offer.update, first, stored, foreign=self._intake.ownership.foreign, most=_MOST_STORED)
        return True

    def note_told(self, update: bytes) -> None:
        """Note an answer that an examination found nothing new in: a document only grows, so that it stays so."""
        self._told[sha256(update).digest()] = None
        if len(self._told) > _MOST_TOLD:
            del self._told[next(iter(self._told))]

    def is_told(self, update: bytes) -> bool:
        """Whether this answer was examined before: all who are up to date send the same, at the same minute."""
        return sha256(update).digest() in self._told

    def compare_sent(self, found: Scan, update: bytes) -> None:
        """`compare` for an update that came over REST."""
        first = repeated(found, self._intake.replica.clocks)
        if first:
            stored = stored_since(self._intake.replica, first)
            check_same(update, first, stored, most=_MOST_STORED)

    def is_repetition(self, session: Session, found: Scan) -> bool:
        """Whether a step 2 tells only deletions that are here: there is nothing to refuse in that (rule P12).

        It is looked at where it would be refused: of a reader, and of anybody while the room is full. Raises
        TooManyThings where there is too much to read.
        """
        may_change = session.role.includes(Role.EDITOR) and not self._intake.reserve.is_full
        if may_change or self._intake.replica.news(found):
            return False
        self._flush()
        stored = stored_since(self._intake.replica, {})
        return self._spend(session, len(stored)) and are_known(found.deletes, stored, most=_MOST_STORED)

    def _spend(self, session: Session, size: int) -> bool:
        session.compared = session.compared or Allowance(self._intake.now)
        if session.compared.spend(size):
            return True
        session.outbox.close(1013, "Too much was sent again that is here already.")
        return False
