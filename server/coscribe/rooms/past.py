"""What of a document can be read as it is durable: now, and as it stood at any past position."""

from __future__ import annotations

from coscribe.core.intake import Intake
from coscribe.core.replica import Replica
from coscribe.model import Place
from coscribe.ports import UpdateLog
from coscribe.rooms.history import replica_at, restore


class Past:
    """One room's document as its log has it."""

    def __init__(self, log: UpdateLog, place: Place, intake: Intake) -> None:
        self._log = log
        self._place = place
        self._intake = intake

    async def state(self) -> tuple[int, bytes]:
        """Everything committed as one Yjs v1 update, and its seq. Raises EngineFailed."""
        seq = self._intake.seq
        if self._intake.is_settled:
            return seq, self._intake.replica.diff()
        return seq, (await restore(self._log, self._place, seq)).replica.diff()

    async def text_at(self, seq: int) -> str:
        """The text as it stood at a past position. Raises PositionGone where it cannot be told exactly any more."""
        if seq == self._intake.seq:
            return str(self._intake.text)
        return (await replica_at(self._log, self._place.document_id, self._place.generation, seq)).text

    async def replica_at(self, seq: int) -> Replica:
        """A copy of the document at a past position, to be edited."""
        return (await restore(self._log, self._place, seq)).replica
