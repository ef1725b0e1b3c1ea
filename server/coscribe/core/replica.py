"""Our copy of one document: the causal gate in front of the CRDT engine, and the engine behind one guarded door.

pycrdt integrates a block beyond a clock gap at once and later loses the gap (y-crdt#632), so an update waits until
everything it builds on is here. Text indexes of the engine are UTF-8 bytes; this is where they are converted.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from types import TracebackType
from typing import Any

from pycrdt import Doc, Subscription, Text, TransactionEvent, merge_updates

from coscribe.core.joining import MOST_JOINING, joined
from coscribe.core.pairs import Pairs
from coscribe.core.splices import Splice, coarsen
from coscribe.core.units import utf8_length
from coscribe.core.update import EMPTY_UPDATE, ROOT, Scan, scan, scan_state_vector
from coscribe.errors import CoscribeError

# The engine's time for many places in one edit grows with their square: 1.6 s for 20,000, 5 ms for 1,000.
_MOST_PLACES = 1000

# A part of a text delta as the engine tells it: {"retain": n}, {"delete": n} (UTF-8 bytes) or {"insert": text}.
Delta = list[dict[str, Any]]
# A text in pieces that are formatted alike.
Runs = list[tuple[Any, dict[str, Any] | None]]


class EngineFailed(CoscribeError):
    """The CRDT engine raised or panicked; this replica must not be used again."""


class Verdict(Enum):
    """What the gate says of a scanned update."""

    NEW = auto()
    KNOWN = auto()
    GAP = auto()


class Replica:
    """A CRDT copy with a known state vector.

    `clocks` runs ahead of the engine between `admit` and `apply`: state advances when an update is accepted, the
    engine works once per turn on all of them.
    """

    def __init__(self, client_id: int, state: bytes | None = None) -> None:
        self._doc: Doc[Text] = Doc(client_id=client_id)
        self._text: Text = self._doc.get(ROOT, type=Text)
        self._deltas: list[Delta] = []
        # Observers only append: reading or unobserving inside one deadlocks the engine.
        # pycrdt's own event makes a text and a transaction each time, which takes 20 us: this is the engine's.
        text_seen: Subscription = self._text.integrated.observe(_noting(self._deltas))
        # The engine's closures hold the Doc and the Doc holds them, where no garbage collector sees it: without this
        # every replica of a text of 1 MB left 2 MB behind.
        weakref.finalize(self, text_seen.drop).atexit = False
        self.client_id = client_id
        self.clocks: dict[int, int] = {}
        # Bytes of the updates it was made from.
        self.loaded_bytes = 0
        self.pairs = Pairs()
        self._size: int | None = None
        # The text is no longer than it was when it was measured, and all bytes that came since.
        self._most = 0
        if state is not None:
            self.load([state])

    def load(self, updates: Sequence[bytes], scans: Iterable[Scan] = ()) -> None:
        """Apply stored updates, which the gate has passed before, and take the clocks from the engine.

        `scans` are what the scanner found in them, where it has looked already.
        """
        found = tuple(scans) or tuple(map(scan, updates))
        self._begin(sum(map(len, updates)))
        with _GUARDED, self._doc.transaction():
            for update, one in zip(updates, found, strict=True):
                self._doc.apply_update(joined(update) if one.joining_bytes > MOST_JOINING else update)
        self._deltas.clear()
        self.clocks = self.engine_clocks()
        for update, one in zip(updates, found, strict=True):
            self.loaded_bytes += len(update)
            self.pairs.note(one)

    def engine_clocks(self) -> dict[int, int]:
        """How far the engine has come with each client."""
        return scan_state_vector(self._doc.get_state())

    def judge(self, scan: Scan) -> Verdict:
        """Whether an update can be applied now, adds nothing, or needs what is not here (pitfall 2)."""
        clocks = self.clocks
        ends: dict[int, int] = {}
        fresh = False
        for client, start, end in scan.structs:
            known = clocks.get(client, 0)
            if start > known:
                return Verdict.GAP
            fresh = fresh or end > known
            ends[client] = end
        if not self._holds(scan, ends):
            return Verdict.GAP
        return Verdict.NEW if fresh or scan.deletes else Verdict.KNOWN

    def _holds(self, scan: Scan, ends: dict[int, int]) -> bool:
        clocks = self.clocks
        for client, clock in scan.needs.items():
            if clock >= max(clocks.get(client, 0), ends.get(client, 0)):
                return False
        return all(end <= max(clocks.get(client, 0), ends.get(client, 0)) for client, _, end in scan.deletes)

    def news(self, scan: Scan) -> list[int]:
        """The clients of whom an update has structs that are not here."""
        clocks = self.clocks
        return [client for client, _, end in scan.structs if end > clocks.get(client, 0)]

    def admit(self, scan: Scan) -> None:
        """Advance the clocks by an update that was judged NEW; `apply` must follow."""
        clocks = self.clocks
        for client, _, end in scan.structs:
            if end > clocks.get(client, 0):
                clocks[client] = end

    def apply(self, updates: Sequence[bytes]) -> Delta:
        """Apply updates in one transaction; gives the text's delta. Raises EngineFailed."""
        self._begin(sum(map(len, updates)))
        with _GUARDED, self._doc.transaction():
            for update in updates:
                self._doc.apply_update(joined(update))
        return self._taken_delta()

    def apply_if_new(self, update: bytes) -> Delta | None:
        """Apply an update; gives the text's delta, None where all of it was known. Raises EngineFailed."""
        with self._overheard() as transactions:
            delta = self.apply([update])
        return delta if transactions else None

    @contextmanager
    def _overheard(self) -> Iterator[list[TransactionEvent]]:
        """Hear of the transactions that change something.

        Not of all of them: what the engine tells of one is cut out of its strings, from the first character on, which
        takes a millisecond where five people have written half a million characters each.
        """
        transactions: list[TransactionEvent] = []
        seen = self._doc.observe(transactions.append)
        try:
            yield transactions
        finally:
            self._doc.unobserve(seen)

    def _begin(self, more_bytes: int) -> None:
        """A transaction follows, in which the text grows by so many bytes at most."""
        self._deltas.clear()
        self._size = None
        self._most += more_bytes

    def _taken_delta(self) -> Delta:
        delta = self._deltas[0] if self._deltas else []
        self._deltas.clear()
        return delta

    def edit(self, splices: Sequence[Splice]) -> tuple[bytes, Delta]:
        """Change the text as this replica's own client; gives the update and the delta. Clocks advance.

        Raises EngineFailed.
        """
        text = self.text
        splices = coarsen(text, splices, _MOST_PLACES)
        offsets = _byte_offsets(text, splices)
        self._begin(sum(utf8_length(splice.insert) for splice in splices))
        with self._overheard() as transactions, _GUARDED, self._doc.transaction():
            # From the end backwards, so that earlier offsets stay true.
            for splice, (start, end) in zip(reversed(splices), reversed(offsets), strict=True):
                if end > start:
                    del self._text[start:end]
                if splice.insert:
                    self._text.insert(start, splice.insert)
        self.clocks.update(self.engine_clocks())
        return transactions[0].update if transactions else EMPTY_UPDATE, self._taken_delta()

    def write_anew(self, runs: Runs) -> bytes:
        """Delete all of the text and insert runs instead; gives the update. Clocks advance. Raises EngineFailed."""
        # Without a word on its formatting a run takes that of the one before it.
        plain = {key: None for _, attributes in runs for key in attributes or ()}
        self._begin(sum(utf8_length(letters) for letters, _ in runs))
        with self._overheard() as transactions, _GUARDED, self._doc.transaction():
            self._text.clear()
            for letters, attributes in runs:
                self._text.insert(len(self._text), letters, {**plain, **(attributes or {})} or None)
        self.clocks.update(self.engine_clocks())
        self._deltas.clear()
        return transactions[0].update if transactions else EMPTY_UPDATE

    @property
    def runs(self) -> Runs:
        """The text as it stands with its formatting, which other editors than ours show."""
        return self._text.diff()

    @property
    def text(self) -> str:
        """The text as it stands."""
        return str(self._text)

    @property
    def size(self) -> int:
        """The text's length in UTF-8 bytes."""
        if self._size is None:
            self._size = self._most = len(self._text)
        return self._size

    def fits(self, most_bytes: int) -> bool:
        """Whether the text has no more UTF-8 bytes; every keystroke asks, and the engine takes 20 us to measure it."""
        return self._most <= most_bytes or self.size <= most_bytes

    def state_vector(self) -> bytes:
        """The encoded state vector of what was applied."""
        return self._doc.get_state()

    def diff(self, state_vector: bytes | None = None) -> bytes:
        """The update that brings a replica with this state vector up to ours; without one, the whole state.

        Raises EngineFailed.
        """
        with _GUARDED:
            return self._doc.get_update(state_vector)


def _noting(deltas: list[Delta]) -> Callable[[Any], None]:
    """An observer that knows the list and not the replica, which could never be freed otherwise."""

    def note(event: Any) -> None:
        deltas.append(event.delta)

    return note


def _byte_offsets(text: str, splices: Sequence[Splice]) -> list[tuple[int, int]]:
    if text.isascii():
        return [(splice.at, splice.at + splice.delete) for splice in splices]
    offsets = []
    points = size = 0
    for splice in splices:
        start = size + len(text[points : splice.at].encode())
        points = splice.at + splice.delete
        size = start + len(text[splice.at : points].encode())
        offsets.append((start, size))
    return offsets


class _Guarded:
    """The one door to the engine: whatever it raises comes out as EngineFailed."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, Exception):
            raise EngineFailed(f"the CRDT engine refused: {error}") from error
        # pyo3's PanicException derives from BaseException; anything else of that rank is not ours to keep.
        if type(error).__name__ == "PanicException":
            raise EngineFailed(f"the CRDT engine panicked: {error}") from error


# One for all, and no generator: each keystroke passes here.
_GUARDED = _Guarded()


def merged(updates: Sequence[bytes]) -> bytes:
    """Updates that passed the gate one after the other, as one. Raises EngineFailed."""
    with _GUARDED:
        return merge_updates(*updates)
