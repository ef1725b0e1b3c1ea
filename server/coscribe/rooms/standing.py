"""How a room stands with its log: what it has stored, what others have, and what stood there in the past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coscribe.core.exchange import Exchange
from coscribe.core.following import Commit
from coscribe.core.replica import EngineFailed
from coscribe.errors import Unavailable
from coscribe.model import Entry, Place
from coscribe.rooms.authors import Authors
from coscribe.rooms.follower import Follower, Host, Source
from coscribe.rooms.means import Means
from coscribe.rooms.past import Past
from coscribe.rooms.phase import Life, Phase
from coscribe.rooms.saving import Listener, Saved, Saving


@dataclass(frozen=True, slots=True)
class LogListener:
    """What the room is told of its log: `followed` where others stored something, `strayed` where it cannot follow."""

    saved: Callable[[Saved], None]
    followed: Callable[[Sequence[Commit]], None]
    delayed: Callable[[str], None]
    lost: Callable[[], None]
    replaced: Callable[[int], None]
    failed: Callable[[], None]
    strayed: Callable[[str], None]


class Standing:
    """One room's side of the log."""

    def __init__(self, document_id: str, exchange: Exchange, means: Means, life: Life, told: LogListener) -> None:
        place = Place(document_id, exchange.generation)
        self._exchange = exchange
        self._recorder = means.recorder
        self._life = life
        self._told = told
        self.past = Past(means.log, place, exchange.intake)
        listener = Listener(
            self._saved, self._overtaken, self._next_move, self._delayed, told.lost, told.replaced, told.failed
        )
        self.saving = Saving(document_id, exchange.generation, exchange.intake, listener)
        self.authors = Authors(means.principals)
        source = Source(place, means.log, self.authors)
        host = Host(lambda: life.phase is not Phase.CLOSED, self._found, self._followed, told.strayed)
        self.follower = Follower(exchange, self.saving, source, host)

    def heard(self, seq: int, entries: Sequence[Entry] = ()) -> None:
        """The log has come to this seq at least; `entries` are its last ones, where they are known."""
        self.follower.heard(seq, entries)

    async def caught_up(self, seq: int) -> None:
        """Wait until the committed text has come to a seq that is in the log. Raises Unavailable."""
        if self._exchange.intake.seq < seq:
            await self.follower.caught_up(seq)

    async def state(self) -> tuple[int, bytes]:
        """Everything committed as one Yjs v1 update, and its seq. Raises Unavailable."""
        try:
            await self.saving.durable()
            return await self.past.state()
        except EngineFailed as error:
            self._told.failed()
            raise Unavailable("The document is opened again.") from error

    async def text_at(self, seq: int) -> str:
        """The text as it stood at a past position. Raises PositionGone where it cannot be told exactly any more."""
        return await self.past.text_at(seq)

    def submit(self) -> None:
        """Hand what waits to be stored to the recorder."""
        if self.saving.is_ready:
            self._recorder.submit(self.saving)

    def _saved(self, saved: Saved) -> None:
        self._told.saved(saved)
        self.follower.moved()

    def _delayed(self, reason: str) -> None:
        self._told.delayed(reason)
        self.follower.moved()

    def _followed(self, commits: Sequence[Commit]) -> None:
        """What others stored is here, and what stands behind it may be stored."""
        self._told.followed(commits)
        self.saving.wake()
        self.submit()
        self.follower.moved()

    def _found(self) -> None:
        """What was taken for unsaved is in the log."""
        self.saving.found()
        self._recorder.look()

    async def _next_move(self) -> None:
        await self.follower.next_move()

    def _overtaken(self, seq: int, entries: Sequence[Entry]) -> None:
        """Others have stored something behind which what waits here is to stand."""
        self.follower.moved()
        if self._life.phase is Phase.CLOSED:
            self._exchange.intake.abandon()  # it was never acked: its clients bring it to the next room
        elif seq < self._exchange.intake.following.head:
            self._told.strayed("the log stands before what was read of it")
        else:
            self.follower.heard(seq, entries)
            self.submit()

    def close(self, reason: str) -> None:
        """The room is over; what it has accepted stays with the recorder."""
        self.submit()
        self.follower.stop()
        self.saving.give_up(reason)
        self._recorder.look()
