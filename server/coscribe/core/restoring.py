"""Makes a replica again from a stored state and stored entries, some of which may be missing or bad.

Every stored byte is scanned as if it came from outside: a row that was altered, checksum and all, must not reach the
engine. An entry that builds on a missing one waits: pycrdt would integrate it beyond the gap and lose text later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from coscribe.core.pieces import is_causal, split
from coscribe.core.replica import EngineFailed, Replica, Verdict
from coscribe.core.update import Scan, scan
from coscribe.errors import Malformed, UpdateRefused
from coscribe.model import Entry

# yrs joins blocks when a transaction ends: one huge transaction is quadratic (172 s for 259,778 edits), one each pays
# 2.4 us an update; 100 at a time cost 0.5 us.
_PER_TRANSACTION = 100


class EntryFailed(EngineFailed):
    """The engine failed at these entries; one by one they tell which it was."""

    def __init__(self, first: int, last: int, reason: str) -> None:
        super().__init__(reason)
        self.first = first
        self.last = last


@dataclass(slots=True)
class Restoring:
    """A replica on its way from `seq` 0 to a position. It blocks for long documents: run it in a thread.

    `skipped` are entries that are known to be bad. `lost` tells the ranges of seqs that are missing, `refused` the
    entries that may not reach the engine and why, `waiting` those that build on what is missing.
    """

    replica: Replica
    skipped: frozenset[int] = frozenset()
    one_by_one: bool = False
    seq: int = 0
    lost: list[tuple[int, int]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    waiting: list[tuple[Entry, Scan]] = field(default_factory=list)

    def state(self, state: bytes, seq: int) -> None:
        """Begin with a stored state. Raises Malformed, UpdateRefused and EngineFailed: then this one is of no use.

        It goes in by pieces of 256 KB: the engine holds the interpreter's lock for 200 ms over one of 5 MB.
        """
        scan(state)
        for piece in split(state):
            self.replica.load([piece])
        self.seq = seq

    def entries(self, entries: Sequence[Entry]) -> None:
        """Go on with stored entries, in order. Raises EntryFailed."""
        step = 1 if self.one_by_one else _PER_TRANSACTION
        for at in range(0, len(entries), step):
            self._apply(entries[at : at + step])

    def missing(self, upto: int) -> None:
        """Note that nothing up to here can be read."""
        if upto > self.seq:
            self.lost.append((self.seq + 1, upto))
            self.seq = upto

    def finish(self, upto: int) -> None:
        """Note what is missing at the end, and take in what waited and need not."""
        self.missing(upto)
        progress = bool(self.lost)
        while progress and self.waiting:
            waiting, self.waiting = self.waiting, []
            self.entries([entry for entry, _ in waiting])
            progress = len(self.waiting) < len(waiting)

    def _apply(self, entries: Sequence[Entry]) -> None:
        ready = [entry.payload for entry in entries if self._admits(entry)]
        if not ready:
            return
        try:
            self.replica.load(ready)
        except EngineFailed as error:
            raise EntryFailed(entries[0].seq, entries[-1].seq, str(error)) from error

    def _admits(self, entry: Entry) -> bool:
        """Whether an entry is to be applied now; it is noted where it is not."""
        self.missing(entry.seq - 1)
        self.seq = max(self.seq, entry.seq)
        if entry.seq in self.skipped:
            self.lost.append((entry.seq, entry.seq))
            return False
        try:
            found = scan(entry.payload)
        except (Malformed, UpdateRefused) as error:
            self._refuse(entry.seq, str(error))
            return False
        return self._may_enter(entry, found)

    def _may_enter(self, entry: Entry, found: Scan) -> bool:
        match self.replica.judge(found):
            case Verdict.GAP:
                self.waiting.append((entry, found))
                return False
            case Verdict.KNOWN:
                return False
        if not is_causal(entry.payload, found, self.replica.clocks):
            self._refuse(entry.seq, "its parts wait for each other")
            return False
        self.replica.admit(found)
        return True

    def _refuse(self, seq: int, reason: str) -> None:
        self.refused.append((seq, reason))
        self.lost.append((seq, seq))
