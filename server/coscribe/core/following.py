"""The committed text of a document, as it follows the log: own batches, and others' entries between them.

Where this server alone writes the document, the log has its batches in the order in which they were applied, and the
text follows by their deltas. With several writers it does not: what others stored a moment ago stands before what was
typed here earlier and is not stored yet. From then on a second replica goes through the log in its order, until
nothing here is unsaved and both orders lead to the same text again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from coscribe.core.committed import CommittedText, Op
from coscribe.core.replica import Delta, EngineFailed, Replica
from coscribe.core.unsaved import Batch
from coscribe.model import Entry, NewEntry, Principal


@dataclass(frozen=True, slots=True)
class Commit:
    """What became readable in one step: from `before` up to `seq`, by whom, and as operations on the committed text."""

    before: int
    seq: int
    authors: tuple[Principal, ...]
    ops: list[Op]

    @property
    def author(self) -> Principal | None:
        """Who it is by, None when they were several."""
        return self.authors[0] if len(self.authors) == 1 else None


class Stretch(NamedTuple):
    """Entries that stand side by side in the log up to the seq `last`. `ticket` is None for those of others."""

    last: int
    entries: Sequence[NewEntry | Entry]
    authors: tuple[Principal, ...]
    delta: Delta
    ticket: int | None = None


class Following:
    """One document's committed text at `seq`, and what the log is known to have behind that."""

    __slots__ = ("_is_apart", "_mirror", "_untold", "durable", "seq", "text", "ticket")

    def __init__(self, text: str, seq: int) -> None:
        self.text = CommittedText(text)
        self.seq = seq
        # The last own ticket that is in the log, and the last one that is in the text.
        self.durable = self.ticket = 0
        # What of the log is known and not in the text yet.
        self._untold: deque[Stretch] = deque()
        # Whether the two orders differ, and the replica that goes by the log's.
        self._is_apart = False
        self._mirror: Replica | None = None

    @property
    def head(self) -> int:
        """Up to where the log is known."""
        return self._untold[-1].last if self._untold else self.seq

    @property
    def is_behind(self) -> bool:
        """Whether the log is known to have what the text has not."""
        return bool(self._untold)

    @property
    def wants_mirror(self) -> bool:
        """Whether the text waits for a replica of the document at `seq`."""
        return self._is_apart and self._mirror is None

    def own(self, batches: Sequence[Batch]) -> list[Commit]:
        """Note own batches right behind `head`; gives what became readable. Raises EngineFailed."""
        last = self.head
        for batch in batches:
            last += len(batch.entries)
            self.durable = batch.ticket
            self._untold.append(Stretch(last, batch.entries, batch.authors, batch.delta, batch.ticket))
        return self._tell()

    def others(self, stretch: Stretch, *, is_apart: bool) -> list[Commit]:
        """Note what others stored right behind `head`; gives what became readable. Raises EngineFailed.

        `is_apart` says that something own was unsaved: the stretch's delta is none of the committed text.
        """
        self._is_apart = self._is_apart or is_apart
        self._untold.append(stretch)
        return self._tell()

    def mirror(self, replica: Replica) -> list[Commit]:
        """Go on by a replica of the document at `seq`. Raises EngineFailed, also where it reads otherwise."""
        if replica.text != str(self.text):
            raise EngineFailed("the log leads to another text than was told")
        self._mirror = replica
        return self._tell()

    def rejoin(self) -> None:
        """Go by the live replica again: nothing own is unsaved, and nothing untold."""
        self._is_apart, self._mirror = False, None

    def _tell(self) -> list[Commit]:
        if self.wants_mirror:
            return []
        told, self._untold = self._untold, deque()
        return [self._follow(stretch) for stretch in told]

    def _follow(self, stretch: Stretch) -> Commit:
        delta = stretch.delta
        if self._mirror is not None:
            delta = self._mirror.apply([entry.payload for entry in stretch.entries])
        before, self.seq = self.seq, stretch.last
        if stretch.ticket is not None:
            self.ticket = stretch.ticket
        return Commit(before, stretch.last, stretch.authors, self.text.apply(delta))
