"""Text events of the past, made again from the log for a reader that was away too long for the feed's memory."""

from __future__ import annotations

from itertools import groupby

from coscribe.core.committed import CommittedText
from coscribe.errors import PositionGone
from coscribe.model import Entry
from coscribe.ports import Principals, UpdateLog
from coscribe.rooms.feed import TextChange
from coscribe.rooms.history import replica_at

# Behind this a snapshot is quicker for both sides (rule D5).
_MAX_REPLAYED = 5000


class Replayer:
    """Replays one document's entries as text changes, one per run of the same author."""

    def __init__(self, log: UpdateLog, principals: Principals, document_id: str, generation: int) -> None:
        self._log = log
        self._principals = principals
        self._document_id = document_id
        self._generation = generation

    async def changes(self, after: int, upto: int) -> list[TextChange] | None:
        """What happened between two positions; None when it is too much, or cannot be told exactly any more."""
        if upto - after > _MAX_REPLAYED:
            return None
        try:
            entries = await self._log.read(
                self._document_id, self._generation, after=after, upto=upto, limit=_MAX_REPLAYED
            )
            if len(entries) < upto - after:
                return None
            replica = await replica_at(self._log, self._document_id, self._generation, after)
        except PositionGone:
            return None
        text = CommittedText(replica.text)
        names = await self._principals.many(sorted({entry.principal_id for entry in entries}))
        changes = []
        for principal_id, run in groupby(entries, key=_author):
            group = list(run)
            ops = text.apply(replica.apply([entry.payload for entry in group]))
            changes.append(TextChange(group[0].seq - 1, group[-1].seq, names.get(principal_id), ops))
        return changes


def _author(entry: Entry) -> str:
    return entry.principal_id
