"""How a room stands with the log: what the recorder takes from it, and who waits for what to be durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coscribe.core.intake import Batch, Commit, Intake
from coscribe.errors import Unavailable
from coscribe.model import Activity, ActivityKind, Append, Appended, NewActivity, Principal

# A new "edited" in the activity list after so long without one of the same author.
_EDITED_EVERY = timedelta(minutes=10)
# How long a writer over REST waits for the disk before it is told to come back.
_DURABLE_WITHIN_S = 25.0


@dataclass(frozen=True, slots=True)
class Saved:
    """What one commit made durable: from `before`, how many bytes of updates, how long the first of them waited."""

    before: int
    commits: list[Commit]
    activities: tuple[Activity, ...]
    payload_bytes: int
    waited_s: float


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom the state of saving concerns."""

    saved: Callable[[Saved], None]
    delayed: Callable[[str], None]
    lost: Callable[[], None]
    replaced: Callable[[int], None]
    spoiled: Callable[[], None]


class Saving:
    """One room's side of the recorder (Recordable)."""

    def __init__(self, document_id: str, generation: int, intake: Intake, listener: Listener) -> None:
        self.document_id = document_id
        self._generation = generation
        self._intake = intake
        self._listener = listener
        self._edited_at: dict[str, datetime] = {}
        self._waiters: list[tuple[int, asyncio.Future[int]]] = []

    async def durable(self) -> int:
        """Wait until all that is accepted now is durable; gives the seq. Raises Unavailable."""
        if self._intake.is_settled:
            return self._intake.seq
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._intake.tickets, done))
        try:
            async with asyncio.timeout(_DURABLE_WITHIN_S):
                return await done
        except TimeoutError:
            raise Unavailable("The change is accepted but not saved yet; the database does not answer.") from None

    def give_up(self, reason: str) -> None:
        """Tell those who wait that the room ended before."""
        for _, done in self._waiters:
            if not done.done():
                done.set_exception(Unavailable(reason))
        self._waiters.clear()

    @property
    def has_more(self) -> bool:
        """Whether there is something to be committed."""
        return self._intake.is_taken or self._intake.has_pending

    def take_append(self) -> Append | None:
        """What is to be committed; the same entries until `committed` or `lost`."""
        batches = self._intake.take()
        if not batches:
            return None
        return Append(
            self.document_id,
            self._generation,
            tuple(entry for batch in batches for entry in batch.entries),
            tuple(pair for batch in batches for pair in batch.client_ids),
            tuple(self._edited(author) for author in self._due_authors(batches)),
        )

    def _due_authors(self, batches: list[Batch]) -> list[Principal]:
        now = datetime.now(UTC)
        authors = {author.id: author for batch in batches for author in batch.authors}
        never = datetime.min.replace(tzinfo=UTC)
        return [author for author in authors.values() if now - self._edited_at.get(author.id, never) > _EDITED_EVERY]

    def _edited(self, author: Principal) -> NewActivity:
        return NewActivity(ActivityKind.EDITED, author.id, author.name, datetime.now(UTC))

    def committed(self, appended: Appended) -> None:
        """The append is durable: move seq and text, then tell."""
        # Not the seq of the last commit where that one's answer was lost: the log then holds these entries twice.
        before, unsaved = appended.first_seq - 1, self._intake.unsaved_bytes
        waited_s = self._waited_s()
        commits = self._intake.committed(appended.first_seq)
        for activity in appended.activities:
            self._edited_at[activity.principal_id] = activity.at
        payload_bytes = unsaved - self._intake.unsaved_bytes
        self._listener.saved(Saved(before, commits, appended.activities, payload_bytes, waited_s))
        self._wake()

    def _waited_s(self) -> float:
        """Since the first entry of the append came; 0 where the clock was set back meanwhile."""
        batches = self._intake.take()
        return max(0.0, (datetime.now(UTC) - batches[0].entries[0].at).total_seconds()) if batches else 0.0

    def _wake(self) -> None:
        for ticket, done in self._waiters:
            if ticket <= self._intake.durable and not done.done():
                done.set_result(self._intake.seq)
        self._waiters = [waiter for waiter in self._waiters if not waiter[1].done()]

    def delayed(self, reason: str) -> None:
        """The log cannot be written now."""
        self._listener.delayed(reason)

    def lost(self) -> None:
        """The document is gone from storage: nothing of this can be saved."""
        self._intake.abandon()
        self._listener.lost()

    def replaced(self, generation: int) -> None:
        """The document was replaced: nothing of this may be mixed into the other generation."""
        self._intake.abandon()
        self._listener.replaced(generation)

    def spoiled(self) -> None:
        """What was committed could not be followed; what was not is still with the clients, unacked."""
        self._intake.abandon()
        self._listener.spoiled()
