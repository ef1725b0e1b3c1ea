"""Takes snapshots from the log, so that opening a document and reading its past stay quick.

The log keeps every entry: a snapshot is a cache (rule D2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from coscribe.model import Snapshot
from coscribe.ports import UpdateLog
from coscribe.rooms.history import replica_at

CODEC = "yjs-v1"
# A thousand entries are replayed in about 3 ms; and a snapshot should not cost more room than the log it shortens.
_MIN_ENTRIES = 1000
_MAX_ENTRIES = 20_000


@dataclass(slots=True)
class Tail:
    """What stands in the log behind the newest snapshot."""

    snapshot_bytes: int
    entries: int
    entry_bytes: int

    def add(self, entries: int, entry_bytes: int) -> None:
        """Count a commit."""
        self.entries += entries
        self.entry_bytes += entry_bytes

    @property
    def is_due(self) -> bool:
        """Whether a snapshot is worth its room: the log behind it outweighs half of the last one."""
        long_enough = self.entries >= _MIN_ENTRIES and self.entry_bytes * 2 >= self.snapshot_bytes
        return long_enough or self.entries >= _MAX_ENTRIES


class Compactor:
    """One task that takes snapshots, one document after the other."""

    def __init__(self, log: UpdateLog, failed: Callable[[str, Exception], None]) -> None:
        self._log = log
        self._failed = failed
        self._due: dict[tuple[str, int], tuple[int, Tail]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="compactor")

    async def close(self) -> None:
        """Stop; a snapshot that is not taken is taken another time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def consider(self, document_id: str, generation: int, seq: int, tail: Tail) -> None:
        """Take a snapshot at a committed seq when the tail is long enough."""
        if tail.is_due:
            self._due[document_id, generation] = (seq, tail)
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                (document_id, generation), (seq, tail) = self._due.popitem()
                if not tail.is_due:
                    continue  # it was asked for again while the last one was being taken
                try:
                    await self._snapshot(document_id, generation, seq, tail)
                except Exception as error:  # noqa: BLE001 - a snapshot is a cache; the next document gets its own
                    self._failed(document_id, error)

    async def _snapshot(self, document_id: str, generation: int, seq: int, tail: Tail) -> None:
        entries, entry_bytes = tail.entries, tail.entry_bytes
        state = (await replica_at(self._log, document_id, generation, seq)).diff()
        engine = f"pycrdt {version('pycrdt')}"
        await self._log.store_snapshot(Snapshot(document_id, generation, seq, CODEC, engine, state))
        # What was committed meanwhile stays in the tail.
        tail.add(-entries, -entry_bytes)
        tail.snapshot_bytes = len(state)
