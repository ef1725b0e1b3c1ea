"""The heart of a room, without I/O: sessions' frames in, frames for their outboxes out.

`receive` validates and admits; `flush`, once per turn of the loop, applies all of it in one transaction and hands it
to everybody. What is too much for one turn waits in `loads` for an examination and its Admission. What becomes
durable, and when, is Intake's; acks follow it (rule D3).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from coscribe.core.answers import Answers
from coscribe.core.audience import Audience, Deliveries
from coscribe.core.awareness import Awareness
from coscribe.core.express import Express
from coscribe.core.following import Commit
from coscribe.core.intake import Accepted, Intake
from coscribe.core.line_ends import line_ends
from coscribe.core.offers import Offers
from coscribe.core.others import Told, follow
from coscribe.core.pieces import MOST_AT_ONCE, MOST_THINGS
from coscribe.core.protocol import PROTOCOL_VERSION, AwarenessEntry, Doubt, QueryAwareness, caret_of
from coscribe.core.replica import Verdict
from coscribe.core.session import (
    Asked,
    Greeted,
    Heavy,
    Offered,
    Present,
    Refused,
    Session,
)
from coscribe.core.splices import Splice
from coscribe.core.update import TooManyThings, scan
from coscribe.errors import InvalidInput, Malformed, PreconditionFailed, UpdateRefused
from coscribe.model import SERVER, Principal

# How the log names the session of a write that came over REST.
REST_SESSION = "rest"
AHEAD = "The update builds on changes that this document does not have."

Plan = Callable[[str], Sequence[Splice]]


class Exchange:
    """One document alive: its sessions around its intake. What they are given is counted in `deliveries`."""

    def __init__(self, generation: int, intake: Intake, deliveries: Deliveries | None = None) -> None:
        self.generation = generation
        self.intake = intake
        self.awareness = Awareness()
        self.audience = Audience(deliveries)
        self.sessions = self.audience.sessions
        # Whoever has a clock may let states wait after he was told that some went out: only the newest of each counts.
        self.presence_waits = False
        self.presence_told: Callable[[], None] = lambda: None
        # Called when somebody reads another text than he was told, though he has all that there is.
        self.doubted: Callable[[], None] = lambda: None
        # Whether something was applied that others' updates may have waited for.
        self._has_news = False
        # Whether a CR was applied that is still to be made LF.
        self._has_cr = False
        self.answers = Answers(intake, self.awareness)
        self.offers = Offers(intake, self.answers, self.flush, self.deliver)
        self.express = Express(intake)

    def join(self, session: Session) -> None:
        """Begin a conversation: our step 1 (how offline edits come in) and everyone's awareness."""
        self.sessions[session.id] = session
        session.outbox.push(self.answers.step1())
        session.outbox.push_answer(self.answers.everyone())

    def echo(self, session: Session) -> None:
        """Send a session its own updates back from now on, once they are saved."""
        if session.echoes is None:
            session.is_read_closely = True  # letters that go on would come back as one
            session.echoes = deque()
            self.audience.echoing += 1

    def leave(self, session: Session) -> None:
        """End a conversation; what it had accepted stays accepted."""
        self.audience.echoing -= session.id in self.sessions and session.echoes is not None
        self.sessions.pop(session.id, None)
        self.offers.forget(session.id)
        self.awareness.leave(session.id)
        self.express.forget(session.id)

    def receive(self, session: Session, frame: bytes) -> bool:
        """Take one frame; True where nothing but a flush can be left to do, as for nearly all of them.

        Raises Malformed and EngineFailed; the rest is answered in the session's outbox.
        """
        if self.express.take(session, frame):
            self.took(session)
            return True
        self._receive(session, frame)
        return False

    def took(self, session: Session) -> None:
        """Note that the express way has taken something in for a session."""
        if session.is_owed:
            self.offers.owed[session.id] = session

    def _receive(self, session: Session, frame: bytes) -> None:
        match session.receive(frame):
            case Offered() as offer:
                self.express.interrupt(session.id)
                self.offers.take(session, offer)
            case Present(entries):
                self._present(session, entries)
            case Heavy() as heavy:
                self.offers.weigh(session, heavy)
            case (Asked() | QueryAwareness() | Doubt()) as question:
                self._answer(session, question)
            case Refused(slot, reason, limit):
                self.offers.refuse(session, slot, UpdateRefused(reason, limit=limit))
            case Greeted(version, generation):
                self._greet(session, version, generation)

    def _answer(self, session: Session, question: Asked | QueryAwareness | Doubt) -> None:
        match question:
            case Asked(state_vector):
                self.flush()
                self._tell_missing(session, state_vector)
            case QueryAwareness():
                self.answers.presence(session.outbox)
            case Doubt():
                if session.is_ours:  # nobody else was told what to read
                    self.doubted()

    def _tell_missing(self, session: Session, state_vector: bytes) -> None:
        try:
            self.answers.missing(session.outbox, state_vector)
        except UpdateRefused as refusal:
            session.notify("fork", str(refusal))
            session.outbox.close(4409, str(refusal))

    def _greet(self, session: Session, version: int, generation: int) -> None:
        if version != PROTOCOL_VERSION:
            raise Malformed(f"protocol version {version} is not spoken here; reload the page")
        if generation not in (0, self.generation):
            reason = "This document was replaced since your copy was made."
            session.notify("generation", reason, generation=self.generation)
            session.outbox.close(4409, reason)

    def _present(self, session: Session, entries: tuple[AwarenessEntry, ...]) -> None:
        mine = session.principal.id
        owned = tuple([entry for entry in entries if self.intake.ownership.of(entry.client) in (None, mine)])
        self.awareness.receive(session.id, session.principal, owned)

    @property
    def is_dirty(self) -> bool:
        """Whether a flush has something to do."""
        if self._has_news or self.intake.has_accepted:
            return True
        return self.has_moves and not self.presence_waits

    def flush(self, within_s: float = float("inf")) -> None:
        """Apply and deliver what was accepted since the last flush; what takes longer is left for the next.

        Raises EngineFailed: the room is over.
        """
        while self.intake.has_accepted or self._has_news:
            began = time.thread_time()
            accepted = self.intake.apply()
            if accepted:
                self.audience.deliver_together(accepted)
                if self.audience.echoing:
                    self.audience.keep_echoes(accepted, self.intake.sealed)
            self._has_cr |= any(item.scan.has_cr for item in accepted)
            if not self.intake.has_accepted:
                while self._has_cr and self.normalise():
                    pass
                self._has_cr = False
            self._has_news = False
            self.offers.release_held()
            self.intake.release()
            within_s -= time.thread_time() - began
            if within_s < 0:
                break
        if not self.presence_waits:
            self._tell_presence()

    def _tell_presence(self) -> None:
        self._look_at_carets()
        message = self.awareness.flush()
        if message is not None:
            self.audience.share(message)
            self.presence_told()

    def _look_at_carets(self) -> None:
        """Take in the newest caret of each session; one that is none ends its session and no other."""
        carets, self.express.carets = self.express.carets, {}
        for session, frame in carets.values():
            try:
                self._present(session, caret_of(frame))
            except Malformed as error:
                session.break_off(error)

    @property
    def has_moves(self) -> bool:
        """Whether somebody's presence has changed since it was told."""
        return self.awareness.is_dirty or bool(self.express.carets)

    def deliver(self, item: Accepted) -> None:
        """Give what was applied alone to everybody but its author."""
        self._has_news = True
        self.audience.deliver(item)
        if self.audience.echoing:
            self.audience.keep_echoes([item], self.intake.tickets)

    def normalise(self) -> bool:
        """Turn CR LF and CR, which a stock client may bring, into LF by an edit of the server's own (rule D12).

        False when there is none. What is too much for one turn is left for the next call.
        """
        splices = line_ends(self.intake.replica.text)
        if splices:
            self.deliver(self.intake.write(SERVER, splices, REST_SESSION))
        return bool(splices)

    def edit(self, author: Principal, plan: Plan, *, expect_seq: int | None = None) -> Accepted | None:
        """Change the text by a plan made on it as it is now; None when the plan changes nothing.

        Raises PreconditionFailed when `expect_seq` is given and the text is another, UpdateRefused, and what `plan`
        raises.
        """
        self.flush()
        self.expect(expect_seq)
        splices = plan(self.intake.replica.text)
        if not splices:
            return None
        self.intake.check_write(splices)
        item = self.intake.write(author, splices, REST_SESSION)
        self.deliver(item)
        return item

    def expect(self, seq: int | None) -> None:
        """Raises PreconditionFailed when a seq is given and the text is another."""
        if seq is not None and (seq != self.intake.seq or not self.intake.is_settled):
            raise PreconditionFailed("The text has changed since the version that If-Match names.")

    def submit(self, author: Principal, update: bytes) -> Accepted | None:
        """Take an update that came over REST, as from a step 2; None for one that is known.

        Raises Malformed, UpdateRefused, InvalidInput, and TooManyThings when it is to be examined elsewhere.
        """
        self.flush()
        self.intake.bounds.check_size(update)
        if len(update) > MOST_AT_ONCE:
            raise TooManyThings("This is too long for one turn.")
        found = scan(update, most=MOST_THINGS)
        item = Accepted(update, found, author, REST_SESSION, is_live=False)
        verdict = self.intake.replica.judge(found)
        if verdict is Verdict.GAP:
            raise InvalidInput(AHEAD, field="update")
        self.offers.recall.compare_sent(found, update)
        if verdict is Verdict.KNOWN:
            return None
        if self.intake.is_heavy(found):
            raise TooManyThings("This is too much for one turn.")
        self.intake.check(item)
        if not self.intake.apply_if_new(item):
            return None
        self.deliver(item)
        while found.has_cr and self.normalise():
            pass
        return item

    def follow(self, told: Sequence[Told]) -> list[Commit]:
        """Take in what others have stored right behind the head; gives what became readable.

        Raises EngineFailed where the replica cannot follow the log.
        """
        self.flush()
        new, commits = follow(told, self.intake)
        if new:
            self._has_news = True
            self.audience.deliver_together(new)
        return commits

    def drained(self, session: Session) -> None:
        """Give a stale session, whose line is free again, one diff of all it missed (rule D7)."""
        self.flush()
        self.answers.drained(session.outbox)

    def ask(self, session: Session) -> None:
        """Send step 1 to one."""
        session.outbox.push(self.answers.step1())

    def ask_all(self) -> None:
        """Send step 1 to everyone, so that an update lost on the way in is found."""
        self.audience.push(self.answers.step1())

    def ask_again(self) -> bool:
        """Ask for what was turned away, once there is room: sooner it would be turned away again.

        False while there is something left to ask for.
        """
        if self.offers.turned_away and not self.intake.reserve.is_full:
            self.offers.turned_away = False
            self.ask_all()
        return not self.offers.turned_away

    def tell_digest(self) -> None:
        """Tell our own clients what a replica with our state vector must read as."""
        self.flush()
        self.audience.push(self.answers.digest(), ours_only=True)
