"""What is applied and not durable: batches on their way to the recorder, and to the log."""

from __future__ import annotations

from dataclasses import dataclass

from coscribe.core.replica import Delta
from coscribe.model import Entry, NewEntry, Principal


@dataclass(frozen=True, slots=True)
class Batch:
    """What one turn put into the text. `ticket` counts the document's accepted updates up to its last entry."""

    entries: tuple[NewEntry, ...]
    authors: tuple[Principal, ...]
    client_ids: tuple[tuple[int, str], ...]
    delta: Delta
    ticket: int


class Unsaved:
    """The batches of one live document, in the order in which they were applied."""

    __slots__ = ("_in_flight", "_open_at", "_pending")

    def __init__(self) -> None:
        self._pending: list[Batch] = []
        self._in_flight: list[Batch] = []
        # Where the pieces of one large update begin among what is pending; they are committed together.
        self._open_at: int | None = None

    def put(self, batch: Batch) -> None:
        """Add what was applied last."""
        self._pending.append(batch)

    @property
    def is_taken(self) -> bool:
        """Whether the recorder has something that is not committed yet."""
        return bool(self._in_flight)

    @property
    def has_pending(self) -> bool:
        """Whether the recorder has something to take."""
        return bool(self._pending) and self._open_at != 0

    def open(self) -> None:
        """Keep back from the recorder what is applied from now on: the pieces of an update are saved all or none."""
        self._open_at = len(self._pending)

    def shut(self) -> None:
        """Give it to the recorder."""
        self._open_at = None

    def withdraw(self) -> list[Batch]:
        """Take out what was applied since `open`."""
        if self._open_at is None:
            return []
        withdrawn = self._pending[self._open_at :]
        del self._pending[self._open_at :]
        self._open_at = None
        return withdrawn

    def take(self) -> list[Batch]:
        """Hand what is pending to the recorder; the same batches again until `stored` takes them out."""
        if not self._in_flight:
            ready = len(self._pending) if self._open_at is None else self._open_at
            self._in_flight, self._pending = self._pending[:ready], self._pending[ready:]
            self._open_at = None if self._open_at is None else 0
        return self._in_flight

    def begins_with(self, entry: Entry) -> bool:
        """Whether what the recorder has begins with an entry of the log."""
        return bool(self._in_flight) and self._in_flight[0].entries[0] == entry[1:]

    def stored(self) -> list[Batch]:
        """Take out what the recorder has: it is in the log."""
        batches, self._in_flight = self._in_flight, []
        return batches

    def clear(self) -> None:
        """Drop all of it."""
        self._pending.clear()
        self._in_flight.clear()
