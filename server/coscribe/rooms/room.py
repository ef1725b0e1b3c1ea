"""A room: a document alive in this process. The exchange decides; the room gives it turns of the loop and a log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coscribe.core.exchange import Exchange
from coscribe.core.following import Commit
from coscribe.core.intake import Accepted
from coscribe.core.replica import EngineFailed
from coscribe.core.session import Session
from coscribe.core.strain import TURN_S
from coscribe.model import Activity, ActivityKind, Principal
from coscribe.rooms.asking import Asking
from coscribe.rooms.elsewhere import PeopleElsewhere
from coscribe.rooms.feed import Feed, TextChange
from coscribe.rooms.means import Means
from coscribe.rooms.phase import Life, Phase
from coscribe.rooms.presence import Presence
from coscribe.rooms.quiet import Quiet
from coscribe.rooms.saving import Saved
from coscribe.rooms.sessions import Hall, Sessions
from coscribe.rooms.snapshotting import Shown
from coscribe.rooms.standing import LogListener, Standing
from coscribe.rooms.turns import Turn
from coscribe.rooms.weighing import Host, Weighing
from coscribe.rooms.writers import Door, Writers

_NOT_SAVED = "Changes cannot be saved at the moment."
_RESTARTING = "The server is restarting."


@dataclass(frozen=True, slots=True)
class Owner:
    """What a room tells the registry that owns it."""

    failed: Callable[[Room], None]
    strayed: Callable[[Room, str], None]
    doubted: Callable[[Room], None]
    gone: Callable[[Room], None]
    paused: Callable[[Room], None]
    saved: Callable[[Room, Saved], None]
    activity: Callable[[Activity], bool]


class Room:
    """One document alive: sessions, readers and writers around one exchange."""

    def __init__(self, document_id: str, exchange: Exchange, means: Means, owner: Owner) -> None:
        self.document_id = document_id
        self.generation = exchange.generation
        self.title = ""
        self.derived_title: str | None = None
        # The seq of the text whose words are stored for searching; None where that was not asked yet.
        self.worded: int | None = None
        self._life = Life()
        # What of the log could not be read when the room was opened, as a sentence.
        self.damage: str | None = None
        self.feed: Feed
        self._exchange = exchange
        exchange.doubted = lambda: owner.doubted(self)
        self._owner = owner
        self.elsewhere = PeopleElsewhere(document_id, exchange, self._soon)
        self._presence = Presence(exchange, lambda: self.feed, self._soon, means.turns, self.elsewhere)
        self._turn = Turn(means.turns, self._take_turn)
        self._strain = exchange.intake.strain
        self._asking = Asking(exchange)
        self._quiet = Quiet(lambda: self.seq, lambda: owner.paused(self), self._rested)
        host = Host(lambda: self._life.is_open, self._changed, self.fail)
        self._weighing = Weighing(exchange, means.workshop, host)
        hall = Hall(self._soon, self._changed, self.fail, self._greet)
        self.sessions = Sessions(exchange, self._life, self._turn, self._weighing, self._presence, hall)
        told = LogListener(
            self._on_saved, self._followed, self._on_delayed, self.lost, self.replaced, self.fail, self.stray
        )
        self.standing = Standing(document_id, exchange, means, self._life, told)
        door = Door(host.is_open, self._wrote, self.fail)
        self.writers = Writers(exchange, self.standing, self._weighing, door)

    def open(self, feed: Feed) -> None:
        """Begin to live, with the feed that its readers follow."""
        self.feed = feed
        self._life.turn(Phase.LIVE)

    @property
    def phase(self) -> Phase:
        """Where the room is in its life."""
        return self._life.phase

    # What is durable

    @property
    def seq(self) -> int:
        """What the committed text stands at."""
        return self._exchange.intake.seq

    @property
    def head(self) -> int:
        """Up to where the log is known."""
        return self._exchange.intake.following.head

    @property
    def text(self) -> str:
        """The committed text at `seq`."""
        return str(self._exchange.intake.text)

    def head_text(self, points: int) -> str:
        """The first code points of the committed text."""
        return self._exchange.intake.text.head(points)

    @property
    def is_settled(self) -> bool:
        """Whether everything that was accepted is durable."""
        return self._exchange.intake.is_settled

    def shown(self) -> Shown:
        """What people read here, as far as all of it is durable."""
        return Shown(self.seq, self._exchange.intake.replica.runs if self.is_settled else None)

    def answer_anew(self) -> None:
        """Tell whoever asks for all from now on what is encoded then."""
        self._exchange.answers.forget()

    # People

    @property
    def people(self) -> list[dict[str, Any]]:
        """Who is here, as the feed tells it."""
        return self._presence.people()

    def tell_people(self) -> list[dict[str, Any]]:
        """Who is here, for a reader that will be told of changes from now on."""
        self._presence.remember()
        return self._presence.people()

    def _greet(self, session: Session) -> None:
        """Tell one of our own clients what is wrong at the moment."""
        if self.phase is Phase.DEGRADED:
            session.notify("degraded", _NOT_SAVED)
        if self.damage is not None:
            session.notify("damaged", f"Part of this document could not be read. {self.damage}")

    def rename(self, principal: Principal) -> None:
        """Show a principal's new name and colour."""
        for session in self.sessions:
            if session.principal.id == principal.id:
                session.principal = principal
        self._exchange.awareness.rename(principal)
        self.standing.authors.rename(principal)
        self._soon()

    # The document beside its text

    def announce(self, activity: Activity) -> None:
        """Tell readers of an activity, and our own clients that the document beside its text has changed."""
        self.feed.publish_activity(activity)
        if activity.kind is ActivityKind.RENAMED:
            self._renamed(activity.data.get("title", ""))
        elif activity.kind is not ActivityKind.EDITED:
            self._exchange.audience.notify("document", activity.kind.value)

    def retitle(self, title: str) -> None:
        """Note the title that the text gave the document."""
        if title != self.title:
            self._renamed(title)

    def _renamed(self, title: str) -> None:
        self.title = title
        self._exchange.audience.notify("document", "renamed")

    # Turns of the loop

    def _wrote(self, author: Principal, item: Accepted | None) -> None:
        """A script has written: who is here sees him."""
        if item is not None and (self.sessions or self.feed.readers):
            self._presence.show_writer(author, item.scan)
        self._changed()

    def _changed(self) -> None:
        """Go on with all that may be left to do."""
        if self._exchange.is_dirty:
            self._soon()
        self._weighing.start()
        self.standing.submit()
        self._asking.watch()

    def _soon(self) -> None:
        """Flush once in this turn, behind all sockets that were read in it, or at the next tick."""
        if self.phase is not Phase.CLOSED:
            # Where the engine is slow, what gathers until a tick would hold everybody up.
            self._turn.ask(at_once=self._strain.is_slow)

    def _take_turn(self) -> bool:
        """Flush for as long as a turn is; gives whether there is more."""
        self._flush(TURN_S)
        return self._exchange.intake.has_accepted and self.phase is not Phase.CLOSED

    def _flush(self, within_s: float = float("inf")) -> None:
        if self.phase is Phase.CLOSED:
            return
        if self._exchange.has_moves:
            self._presence.touch()
        try:
            self._exchange.flush(within_s)
        except EngineFailed:
            self.fail()
        self._weighing.start()
        self.standing.submit()

    # Saving

    def _on_saved(self, saved: Saved) -> None:
        """Acks, the feed and the owner follow a commit."""
        self._recovered()
        self._followed(saved.commits)
        self._exchange.ask_again()
        for activity in saved.activities:
            if self._owner.activity(activity):
                self.feed.publish_activity(activity)
        self._owner.saved(self, saved)

    def _followed(self, commits: Sequence[Commit]) -> None:
        """The log is known further than before."""
        self._exchange.offers.acknowledge()
        for commit in commits:
            self.feed.publish_text(TextChange(commit.before, commit.seq, commit.author, commit.ops))
        self._quiet.watch()
        if self._exchange.is_dirty:
            self._soon()

    def _rested(self) -> None:
        """Nothing came for a second: digests are compared."""
        if self.is_settled:
            self._exchange.intake.following.rejoin()
        if self.sessions and self.is_settled:
            try:
                self._exchange.tell_digest()
            except EngineFailed:
                self.fail()

    def _on_delayed(self, reason: str) -> None:
        """The log cannot be written: people go on typing, nothing is acked, and they are told (rule D8)."""
        if self._life.turn(Phase.DEGRADED):
            self._exchange.audience.notify("degraded", _NOT_SAVED, detail=reason)
        if self._exchange.intake.reserve.is_full:
            self._exchange.audience.notify("read-only", "Too much is waiting to be saved.")

    def _recovered(self) -> None:
        if self.phase is Phase.DEGRADED and self._life.turn(Phase.LIVE):
            self._exchange.audience.notify("degraded", "Changes are saved again.", recovered=True)

    # The end

    def replaced(self, generation: int) -> None:
        """The document has another generation (rule D6): our clients keep what is not saved as a copy."""
        if self.phase is Phase.CLOSED:
            return
        reason = "This document was replaced, from a backup for instance."
        self._exchange.audience.notify("generation", reason, generation=generation)
        self.close(4409, reason)
        self._owner.gone(self)

    def lost(self) -> None:
        """The document was removed for good."""
        self.close(4404, "This document doesn't exist any more.")
        self._owner.gone(self)

    def fail(self) -> None:
        """Give the replica up; clients come back to a room made from the log (pitfall 6)."""
        if self.phase is not Phase.CLOSED:
            self._weighing.abandon()
            self.close(1011, "The document is opened again.")
            self._owner.failed(self)

    def stray(self, reason: str) -> None:
        """What is here is not what the log leads to; clients come back to a room made from the log."""
        if self.phase is not Phase.CLOSED:
            self._weighing.abandon()
            self.close(1011, "The document is opened again.")
            self._owner.strayed(self, reason)

    def drain(self) -> None:
        """The server stops: nothing more is taken in, and what was accepted goes on to the log."""
        if self._life.turn(Phase.DRAINING):
            self._exchange.audience.notify("draining", _RESTARTING)
            self.end_sessions(1012, _RESTARTING)

    def end_sessions(self, code: int, reason: str) -> None:
        """End every session and reader; what was accepted goes on to the log."""
        if not self._weighing.close():
            self._life.turn(Phase.CLOSED)  # what is typed behind pieces that were given up must not be saved either
        self._flush()
        for session in self.sessions:
            session.outbox.close(code, reason)
        self.feed.close()

    def close(self, code: int, reason: str) -> None:
        """End the room; what was accepted stays with the recorder."""
        # In a closed room nothing is applied any more: its engine may have failed.
        self._life.turn(Phase.CLOSED)
        self._presence.stop()
        self.end_sessions(code, reason)
        self._exchange.intake.close()
        self._quiet.stop()
        self._asking.stop()
        self.standing.close(reason)
