"""The admission of what was examined elsewhere: one piece a turn of the loop, saved all or none.

Between the pieces others type; what they bring can only add to what the pieces build on. The recorder gets nothing of
the document meanwhile, so that no crash leaves a half of it in the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from coscribe.core.examination import Examined
from coscribe.core.exchange import AHEAD, Exchange
from coscribe.core.forks import check_same, repeated, stored_since
from coscribe.core.intake import Accepted, Intake
from coscribe.core.offers import Load
from coscribe.core.replica import EngineFailed, Verdict
from coscribe.core.update import Span, scan
from coscribe.errors import InvalidInput, UpdateRefused
from coscribe.model import Role


def foreign_to(load: Load, intake: Intake) -> Mapping[int, Span]:
    """Where it is not enough that a load's clocks are stored; over REST nobody is told that his words are saved."""
    return intake.ownership.foreign if load.session is not None else {}


class Admission:
    """One load on its way in. `last` is the piece that was taken in last, None while nothing of it was new."""

    def __init__(self, exchange: Exchange, load: Load, examined: Examined) -> None:
        self._exchange = exchange
        self._load = load
        self._examined = examined
        self._pieces = deque(examined.pieces)
        self._has_cr = False
        self.last: Accepted | None = None

    def begin(self) -> None:
        """Check what may have changed since the examination. Raises UpdateRefused, and InvalidInput for a gap."""
        intake, load, examined = self._exchange.intake, self._load, self._examined
        intake.fragments = examined.fragments
        if examined.verdict is Verdict.GAP:
            raise InvalidInput(AHEAD, field="update")
        if examined.verdict is Verdict.KNOWN:
            return
        if load.session is not None and not load.session.role.includes(Role.EDITOR):
            raise UpdateRefused("You can view this document but not change it.", limit="role")
        intake.bounds.check_room(examined.growth)
        intake.bounds.check_clients(load.author, examined.clients, is_live=load.is_live)
        self._exchange.flush()
        intake.open()

    def step(self) -> bool:
        """Take in the next piece, then mend line ends; False when all is done. Raises EngineFailed, UpdateRefused."""
        if not (self._pieces or self._has_cr):
            return False
        exchange, load = self._exchange, self._load
        exchange.flush()
        if not self._pieces:
            return exchange.normalise()
        piece = self._pieces.popleft()
        replica = exchange.intake.replica
        item = Accepted(piece, scan(piece), load.author, load.session_id, load.is_live)
        first = repeated(item.scan, replica.clocks)
        if first:
            check_same(piece, first, stored_since(replica, first), foreign=foreign_to(load, exchange.intake))
        if replica.judge(item.scan) is Verdict.GAP:
            raise EngineFailed("a piece of an examined update does not fit")
        self._has_cr = self._has_cr or item.scan.has_cr
        if exchange.intake.apply_if_new(item):
            exchange.deliver(item)
            self.last = item
        return True

    def end(self) -> None:
        """Hand all of it to the recorder; its frame is settled once that is durable."""
        intake, load = self._exchange.intake, self._load
        intake.shut()
        if self.last is None and load.session is not None and not load.is_live:
            self._exchange.offers.recall.note_told(load.update)
        if load.slot is not None and load.session is not None:
            load.slot.ticket = intake.tickets
            load.session.has_asked = False  # where it was an answer: the next gap is asked about again
            self._exchange.offers.settle(load.session)
