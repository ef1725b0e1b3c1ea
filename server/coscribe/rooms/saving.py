"""How a room stands with the log: what the recorder takes from it, and who waits for what to be durable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coscribe.core.following import Commit
from coscribe.core.intake import Intake
from coscribe.core.unsaved import Batch
from coscribe.errors import Unavailable
from coscribe.model import Activity, ActivityKind, Append, Appended, Entry, NewActivity, Principal

# A new "edited" in the activity list after so long without one of the same author.
_EDITED_EVERY = timedelta(minutes=10)
# How long a writer over REST waits for the disk before it is told to come back.
_DURABLE_WITHIN_S = 25.0
# How long others wait while this room takes in what they have stored.
_MET_WITHIN_S = 0.25


@dataclass(frozen=True, slots=True)
class Saved:
    """What one commit stored from the seq `first` on, what became readable, and how long its first entry waited."""

    first: int
    batches: Sequence[Batch]
    commits: list[Commit]
    activities: tuple[Activity, ...]
    payload_bytes: int
    waited_s: float

    @property
    def count(self) -> int:
        """How many entries."""
        return sum(len(batch.entries) for batch in self.batches)

    def entries(self) -> list[Entry]:
        """The entries as they stand in the log."""
        new = [entry for batch in self.batches for entry in batch.entries]
        return [Entry(seq, *entry) for seq, entry in enumerate(new, self.first)]


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom the state of saving concerns."""

    saved: Callable[[Saved], None]
    overtaken: Callable[[int, Sequence[Entry]], None]
    moved: Callable[[], Awaitable[None]]
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
        # Where the log has come to by others; nothing is appended before that is known here.
        self._upto = 0
        # Whether the recorder has an append of ours that it was not answered yet.
        self.is_under_way = False
        # Whether what is to be committed came too late before.
        self._is_late = False
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
        """The room ends: tell those who wait.

        What was overtaken stays with its clients, who were never told that it is saved: nobody is left to read what it
        would have to stand behind.
        """
        if self.has_more and not self.is_ready:
            self._intake.abandon()
        for _, done in self._waiters:
            if not done.done():
                done.set_exception(Unavailable(reason))
        self._waiters.clear()

    @property
    def has_more(self) -> bool:
        """Whether there is something that is not committed."""
        return self._intake.is_taken or self._intake.has_pending

    @property
    def is_ready(self) -> bool:
        """Whether there is something to be committed, and all of the log is known that it is to stand behind."""
        return self.has_more and self._intake.following.head >= self._upto

    def take_append(self) -> Append | None:
        """What is to be committed; the same entries until `committed` or `lost`. None while it cannot be."""
        if not self.is_ready:
            return None
        batches = self._intake.take()
        self.is_under_way = True
        return Append(
            self.document_id,
            self._generation,
            tuple(entry for batch in batches for entry in batch.entries),
            tuple(pair for batch in batches for pair in batch.client_ids),
            tuple(self._edited(author) for author in self._due_authors(batches)),
            after=self._intake.following.head,
            is_late=self._is_late,
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
        self.is_under_way = False
        for activity in appended.activities:
            self._edited_at[activity.principal_id] = activity.at
        self._follow(appended.activities)

    def found(self) -> None:
        """The append stands in the log, though the answer to its commit was lost."""
        for author in self._due_authors(self._intake.take()):
            self._edited_at[author.id] = datetime.now(UTC)
        self._follow(())

    def _follow(self, activities: tuple[Activity, ...]) -> None:
        intake = self._intake
        unsaved, waited_s = intake.reserve.payload_bytes, self._waited_s()
        self._is_late = False
        first, batches = intake.following.head + 1, intake.take()
        commits = intake.committed()
        payload_bytes = unsaved - intake.reserve.payload_bytes
        self._listener.saved(Saved(first, batches, commits, activities, payload_bytes, waited_s))
        self.wake()

    def overtaken(self, seq: int, entries: Sequence[Entry] = ()) -> None:
        """Others have stored something, `entries` as far as it is known: this is to stand behind it."""
        self.is_under_way = False
        self._is_late = True
        self._upto = seq
        self._listener.overtaken(seq, entries)

    async def meet(self, seq: int, entries: Sequence[Entry]) -> Append | None:
        """Take in what others have stored, and give what is to stand behind it, while nobody else can store.

        None where that would take long, or nothing is left to store: the recorder still has the append before.
        """
        if not self._intake.following.wants_mirror:
            self.overtaken(seq, entries)
            with suppress(TimeoutError):
                async with asyncio.timeout(_MET_WITHIN_S):
                    while self.has_more and not self.is_ready:
                        await self._listener.moved()
        append = self.take_append() if self.is_ready else None
        self.is_under_way = True
        return append

    def _waited_s(self) -> float:
        """Since the first entry of the append came; 0 where the clock was set back meanwhile."""
        batches = self._intake.take()
        return max(0.0, (datetime.now(UTC) - batches[0].entries[0].at).total_seconds()) if batches else 0.0

    def wake(self) -> None:
        """Let those go whose writing can be read now."""
        for ticket, done in self._waiters:
            if ticket <= self._intake.following.ticket and not done.done():
                done.set_result(self._intake.seq)
        self._waiters = [waiter for waiter in self._waiters if not waiter[1].done()]

    def delayed(self, reason: str) -> None:
        """The log cannot be written now."""
        self._listener.delayed(reason)

    def unstored(self, reason: str) -> None:
        """The append alone could not be stored: nothing of it is in the log."""
        self.is_under_way = False
        self._listener.delayed(reason)

    def lost(self) -> None:
        """The document is gone from storage: nothing of this can be saved."""
        self.is_under_way = False
        self._intake.abandon()
        self._listener.lost()

    def replaced(self, generation: int) -> None:
        """The document was replaced: nothing of this may be mixed into the other generation."""
        self.is_under_way = False
        self._intake.abandon()
        self._listener.replaced(generation)

    def spoiled(self) -> None:
        """What was committed could not be followed; what was not is still with the clients, unacked."""
        self.is_under_way = False
        self._intake.abandon()
        self._listener.spoiled()
