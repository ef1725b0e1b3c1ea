"""The sessions of a room: what they say and what they may, and when more is read of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from coscribe.core.exchange import Exchange
from coscribe.core.replica import EngineFailed
from coscribe.core.session import Session
from coscribe.errors import Malformed
from coscribe.model import Role
from coscribe.rooms.phase import Life
from coscribe.rooms.presence import Presence
from coscribe.rooms.turns import Turn
from coscribe.rooms.weighing import Weighing


@dataclass(frozen=True, slots=True)
class Hall:
    """What sessions ask of their room: a flush, all that may follow a frame, its end, a word to one that has come."""

    soon: Callable[[], None]
    changed: Callable[[], None]
    failed: Callable[[], None]
    greet: Callable[[Session], None]


class Sessions(Collection[Session]):
    """Who is connected to one document."""

    __slots__ = (
        "_changed", "_exchange", "_failed", "_greet", "_life", "_presence", "_soon", "_strain", "_turn", "_weighing",
        "careful",
    )  # fmt: skip

    def __init__(
        self, exchange: Exchange, life: Life, turn: Turn, weighing: Weighing, presence: Presence, hall: Hall
    ) -> None:
        self._exchange = exchange
        self._life = life
        self._turn = turn
        self._weighing = weighing
        self._presence = presence
        self._soon = hall.soon
        self._changed = hall.changed
        self._failed = hall.failed
        self._greet = hall.greet
        self._strain = exchange.intake.strain
        # Whether updates are applied one by one, since the engine failed at one that is not known.
        self.careful = False

    def __len__(self) -> int:
        return len(self._exchange.sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._exchange.sessions.values())

    def __contains__(self, session: object) -> bool:
        return session in self._exchange.sessions.values()

    def join(self, session: Session) -> None:
        """Take a session in."""
        self._exchange.join(session)
        self._presence.start()

    def leave(self, session: Session) -> None:
        """Let a session go."""
        self._exchange.leave(session)
        self._soon()

    def set_role(self, session: Session, role: Role | None) -> None:
        """Change what a session may do; None ends it (4403)."""
        if role is None:
            session.outbox.close(4403, "Your access to this document was removed.")
        elif role is not session.role:
            session.role = role
            session.notify("role", f"You are now {role.value} of this document.", role=role.value)
            self._presence.touch()

    # What they say

    def express(self, session: Session) -> Callable[[Session, bytes], bool] | None:
        """The express way for a session's frames, None where it is closed now; `took` is to follow what it takes in."""
        if not self._life.is_open or self.careful or self._strain.is_slow or session.outbox.closing is not None:
            return None
        return self._exchange.express.take

    def took(self, session: Session) -> None:
        """The express way has taken something in."""
        self._exchange.took(session)
        if self._exchange.is_dirty:
            self._soon()

    @property
    def taken(self) -> int:
        """How many updates were accepted."""
        return self._exchange.intake.taken

    @property
    def cost(self) -> float:
        """What an update of this room counts as, in ordinary messages."""
        return self._strain.cost

    def receive(self, session: Session, frame: bytes) -> float:
        """Take one frame; every answer, also the end, comes by the session's outbox.

        Gives what it costs, in ordinary messages.
        """
        if not self._life.is_open or session.outbox.closing is not None:
            return 1.0
        was_ours, taken = session.is_ours, self.taken
        if self._take(session, frame):
            if self._exchange.is_dirty:
                self._soon()
        else:
            if session.is_ours and not was_ours:
                self._greet(session)
            self._changed()
        return self._strain.cost if self.taken > taken else 1.0

    def _take(self, session: Session, frame: bytes) -> bool:
        """Let the exchange take a frame; True where a flush is all that is left to do."""
        try:
            is_all = self._exchange.receive(session, frame)
            if self.careful:
                self._exchange.flush()
        except Malformed as error:
            session.break_off(error)
        except EngineFailed:
            if self.careful:  # else the one that failed may be somebody else's, taken in with this one
                session.outbox.close(4400, "This change could not be applied.")
            self._failed()
        else:
            return is_all and not self.careful
        return False

    # When more is read of them

    def most_of_slice(self, most: int) -> int:
        """How many messages may be read of one line before others are."""
        return self._strain.most_of_slice(most)

    def weighs(self, session_id: str) -> bool:
        """Whether a large update of a session is on its way."""
        return self._weighing.is_at(session_id)

    async def settled(self, session: Session) -> None:
        """Wait until no large update of a session is on its way: its next frame may build on it."""
        await self._weighing.settled(session.id)

    @property
    def is_behind(self) -> bool:
        """Whether the room has more to apply than a turn is for; nothing more is read for it meanwhile."""
        return self._turn.is_behind

    def hold_back(self, read: Callable[[], None]) -> None:
        """Have a line read on once the room is not behind any more."""
        self._turn.before(read)

    def gather(self, read: Callable[[], None]) -> bool:
        """Have a line that is held back read on before the next flush; False where the server has time to read now."""
        if (self._turn.turns.is_busy or self.is_behind) and self._life.is_open:
            self._turn.before(read)
            return True
        return False

    # What they are sent

    def drained(self, session: Session) -> None:
        """A session's line is free again after it fell behind."""
        try:
            self._exchange.drained(session)
        except EngineFailed:
            self._failed()

    def echo(self, session: Session) -> None:
        """Send a session its own updates back once they are saved."""
        self._exchange.echo(session)

    def ask(self, session: Session) -> None:
        """Ask a session for what is not here."""
        self._exchange.ask(session)
