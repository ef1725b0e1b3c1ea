"""Makes a replica again from a stored state and stored entries, some of which may be missing or bad.

Every stored byte is scanned as if it came from outside: a row that was altered, checksum and all, must not reach the
engine. An entry that builds on a missing one waits: pycrdt would integrate it beyond the gap and lose text later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from coscribe.core.pieces import Whole, is_causal
from coscribe.core.replica import EngineFailed, Replica, Verdict
from coscribe.core.update import Scan, scan
from coscribe.errors import Malformed, UpdateRefused
from coscribe.model import Entry

# yrs joins blocks when a transaction ends: one huge transaction is quadratic (172 s for 259,778 edits), one each pays
# 2.4 us an update; 100 at a time cost 0.5 us. 80 entries of 500 letters each took 900 MB in one, 4 take 2.
_PER_TRANSACTION = 100
_THINGS_A_TRANSACTION = 2000

_Scanned = tuple[Entry, Scan]


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
    waiting: list[_Scanned] = field(default_factory=list)
    # The state that it began with.
    whole: Whole | None = None

    def state(self, pieces: Sequence[bytes], seq: int) -> None:
        """Begin with a stored state. Raises Malformed, UpdateRefused and EngineFailed: then this one is of no use.

        It comes in pieces of 256 KB: the engine holds the interpreter's lock for 200 ms over one of 5 MB.
        """
        replica = self.replica
        for piece in pieces:
            found = scan(piece)
            if replica.judge(found) is Verdict.GAP:
                raise Malformed("it builds on what it does not hold")
            replica.admit(found)
            admitted = replica.clocks
            replica.load([piece], [found])
            if replica.clocks != admitted:
                raise Malformed("its parts wait for each other")
        self.whole = Whole(tuple(pieces), replica.clocks.copy(), replica.size)
        self.seq = seq

    def entries(self, entries: Iterable[Entry]) -> None:
        """Go on with stored entries, in order. Raises EntryFailed."""
        batch: list[_Scanned] = []
        things = 0
        for entry in entries:
            found = self._scanned(entry)
            if found is None:
                continue
            things += found.things
            if self.one_by_one or len(batch) == _PER_TRANSACTION or things > _THINGS_A_TRANSACTION:
                self._apply(batch)
                batch, things = [], found.things
            if self._may_enter(entry, found):
                batch.append((entry, found))
        self._apply(batch)

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

    def _apply(self, batch: Sequence[_Scanned]) -> None:
        if not batch:
            return
        try:
            self.replica.load([entry.payload for entry, _ in batch], [found for _, found in batch])
        except EngineFailed as error:
            raise EntryFailed(batch[0][0].seq, batch[-1][0].seq, str(error)) from error

    def _scanned(self, entry: Entry) -> Scan | None:
        """What an entry holds; it is noted where it may not reach the engine."""
        self.missing(entry.seq - 1)
        self.seq = max(self.seq, entry.seq)
        if entry.seq in self.skipped:
            self.lost.append((entry.seq, entry.seq))
            return None
        try:
            return scan(entry.payload)
        except (Malformed, UpdateRefused) as error:
            self._refuse(entry.seq, str(error))
            return None

    def _may_enter(self, entry: Entry, found: Scan) -> bool:
        """Whether an entry is to be applied now, and admitted; it is noted where it must wait."""
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
