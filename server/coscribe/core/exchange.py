"""The heart of a room, without I/O: sessions' frames in, frames for their outboxes out.

`receive` validates and admits; `flush`, once per turn of the loop, applies all of it in one transaction and hands it
to everybody. What becomes durable, and when, is Intake's; acks follow it (rule D3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from coscribe.core.awareness import Awareness
from coscribe.core.intake import Accepted, Commit, Intake
from coscribe.core.pieces import split
from coscribe.core.protocol import (
    KEEPALIVE,
    PROTOCOL_VERSION,
    AwarenessEntry,
    encode_digest,
    encode_step1,
    encode_step2,
    encode_update,
)
from coscribe.core.replica import Verdict
from coscribe.core.session import Asked, AskedPresence, Greeted, Offered, Present, Refused, Session
from coscribe.core.splices import Splice
from coscribe.core.update import Scan, Span, encode_state_vector, scan, scan_state_vector
from coscribe.errors import InvalidInput, Malformed, PreconditionFailed, UpdateRefused
from coscribe.model import SERVER, Principal, Role

# A client that sends ahead of a gap holds at most this much; it was asked for the missing part at the first of them.
_MAX_HELD = 256
_MAX_HELD_BYTES = 2**20
_EMPTY_STATE_VECTOR = b"\x00"
# How the log names the session of a write that came over REST.
REST_SESSION = "rest"

Plan = Callable[[str], Sequence[Splice]]


class Exchange:
    """One document alive: its sessions around its intake."""

    def __init__(self, generation: int, intake: Intake) -> None:
        self.generation = generation
        self.intake = intake
        self.awareness = Awareness()
        self.sessions: dict[str, Session] = {}
        self._owed: dict[str, Session] = {}
        self._holding: dict[str, Session] = {}
        self._whole: list[bytes] | None = None

    def join(self, session: Session) -> None:
        """Begin a conversation: our step 1 (how offline edits come in) and everyone's awareness."""
        self.sessions[session.id] = session
        session.outbox.push(self._step1())
        session.outbox.push_answer(self._everyone())

    def leave(self, session: Session) -> None:
        """End a conversation; what it had accepted stays accepted."""
        for table in (self.sessions, self._owed, self._holding):
            table.pop(session.id, None)
        self.awareness.leave(session.id)

    def receive(self, session: Session, frame: bytes) -> None:
        """Take one frame. Raises Malformed and EngineFailed; the rest is answered in the session's outbox."""
        match session.receive(frame):
            case Offered() as offer:
                self._owed[session.id] = session
                self._offer(session, offer)
            case Present(entries):
                self._present(session, entries)
            case Asked(state_vector):
                self._answer(session, state_vector)
            case Refused(slot, reason, limit):
                session.refuse(slot, reason, limit)
                self._settle(session)
            case AskedPresence() if session.outbox.is_full:
                session.outbox.owe(())
            case AskedPresence():
                session.outbox.push_answer(self._everyone() or [KEEPALIVE])
            case Greeted(version, generation):
                self._greet(session, version, generation)

    def _greet(self, session: Session, version: int, generation: int) -> None:
        if version != PROTOCOL_VERSION:
            raise Malformed(f"protocol version {version} is not spoken here; reload the page")
        if generation not in (0, self.generation):
            reason = "This document was replaced since your copy was made."
            session.notify("generation", reason, generation=self.generation)
            session.outbox.close(4409, reason)

    def _present(self, session: Session, entries: tuple[AwarenessEntry, ...]) -> None:
        mine = session.principal.id
        owned = tuple(entry for entry in entries if self.intake.owner(entry.client) in (None, mine))
        self.awareness.receive(session.id, session.principal, owned)

    def _offer(self, session: Session, offer: Offered) -> None:
        try:
            self._consider(session, offer)
        except UpdateRefused as refusal:
            session.refuse(offer.slot, str(refusal), refusal.limit)
            self._settle(session)
        if offer.is_step2:
            # An answer that waits itself would be asked for again and again.
            session.has_asked = offer.slot.ticket is None

    def _consider(self, session: Session, offer: Offered) -> None:
        verdict = self.intake.replica.judge(offer.scan)
        may_write = session.role.includes(Role.EDITOR)
        news = self._has_news(offer.scan)
        if verdict is Verdict.KNOWN or (not may_write and offer.is_step2 and not news):
            # A reader's step 2 repeats the deletions it knows: nothing to refuse in that.
            offer.slot.ticket = self.intake.tickets
            self._settle(session)
        elif not may_write:
            raise UpdateRefused("You can view this document but not change it.", limit="role")
        elif verdict is Verdict.GAP:
            self._hold(session, offer)
        else:
            item = Accepted(offer.update, offer.scan, session.principal, session.id)
            self.intake.check(item, is_step2=offer.is_step2)
            self._admit(session, offer, item, news=news)

    def _has_news(self, found: Scan) -> bool:
        clocks = self.intake.replica.clocks
        return any(end > clocks.get(client, 0) for client, _, end in found.structs)

    def _admit(self, session: Session, offer: Offered, item: Accepted, *, news: bool) -> None:
        if news or not offer.is_step2:
            offer.slot.ticket = self.intake.accept(item)
            return
        # A step 2 of deletions only: it names every deletion its sender knows, and mostly we know them all.
        self.flush()
        if self.intake.apply_if_new(item):
            self._deliver([item])
        offer.slot.ticket = self.intake.tickets
        self._settle(session)

    def _settle(self, session: Session) -> None:
        session.settle(self.intake.durable, self.intake.seq)
        if not session.is_owed:
            self._owed.pop(session.id, None)

    def _hold(self, session: Session, offer: Offered) -> None:
        """Keep an update that came before its predecessor, and ask once for all that is missing (rule D4)."""
        session.held.append(offer)
        session.held_bytes += len(offer.update)
        if len(session.held) > _MAX_HELD or session.held_bytes > _MAX_HELD_BYTES:
            session.outbox.close(1013, "Too much was sent ahead of a missing change.")
            return
        self._holding[session.id] = session
        if not session.has_asked:
            session.has_asked = True
            session.outbox.push(self._step1())

    def _release_held(self) -> None:
        """Offer again what waited, until a round admits nothing more."""
        progress = True
        while progress and self._holding:
            progress = False
            for session in list(self._holding.values()):
                if self._holding.pop(session.id, None) is None:
                    continue  # a flush on the way here has offered its updates already
                held, session.held, session.held_bytes = session.held, [], 0
                for offer in held:
                    self._offer(session, offer)
                progress = progress or len(session.held) < len(held)

    @property
    def is_dirty(self) -> bool:
        """Whether a flush has something to do."""
        return self.intake.has_accepted or self.awareness.is_dirty

    def flush(self) -> None:
        """Apply and deliver what was accepted since the last flush. Raises EngineFailed: the room is over."""
        while self.intake.has_accepted:
            accepted = self.intake.apply()
            self._deliver(accepted)
            if any(item.scan.has_cr for item in accepted):
                self._normalise()
            self._release_held()
        message = self.awareness.flush()
        if message is not None:
            for session in self.sessions.values():
                session.outbox.share(message)

    def _deliver(self, accepted: Iterable[Accepted]) -> None:
        self._whole = None
        for item in accepted:
            frame = encode_update(item.update)
            for session in self.sessions.values():
                if session.id != item.session_id:
                    session.outbox.share(frame, item.scan.structs)

    def _normalise(self) -> None:
        """Turn CR LF and CR, which a stock client may bring, into LF by an edit of the server's own (rule D12)."""
        text = self.intake.replica.text
        splices = []
        at = text.find("\r")
        while at >= 0:
            splices.append(Splice(at, 1, "" if text[at + 1 : at + 2] == "\n" else "\n"))
            at = text.find("\r", at + 1)
        if splices:
            self._deliver([self.intake.write(SERVER, splices, REST_SESSION)])

    def edit(self, author: Principal, plan: Plan, *, expect_seq: int | None = None) -> Accepted | None:
        """Change the text by a plan made on it as it is now; None when the plan changes nothing.

        Raises PreconditionFailed when `expect_seq` is given and the text is another, UpdateRefused, and what `plan`
        raises.
        """
        self.flush()
        if expect_seq is not None and (expect_seq != self.intake.seq or not self.intake.is_settled):
            raise PreconditionFailed("The text has changed since the version that If-Match names.")
        splices = plan(self.intake.replica.text)
        if not splices:
            return None
        self.intake.check_write(splices)
        item = self.intake.write(author, splices, REST_SESSION)
        self._deliver([item])
        return item

    def submit(self, author: Principal, update: bytes) -> Accepted | None:
        """Take an update that came over REST, as from a step 2. Raises Malformed, UpdateRefused, InvalidInput."""
        self.flush()
        found = scan(update)
        item = Accepted(update, found, author, REST_SESSION)
        verdict = self.intake.replica.judge(found)
        if verdict is Verdict.GAP:
            raise InvalidInput("The update builds on changes that this document does not have.", field="update")
        if verdict is Verdict.KNOWN:
            return None
        self.intake.check(item, is_step2=True)
        if self._has_news(found):
            self.intake.accept(item)
            self.flush()
            return item
        if not self.intake.apply_if_new(item):
            return None
        self._deliver([item])
        return item

    def acknowledge(self, commits: Sequence[Commit]) -> None:
        """Tell every author what became durable."""
        if commits:
            for session in list(self._owed.values()):
                self._settle(session)

    def notify_all(self, kind: str, reason: str, **more: object) -> None:
        """Tell all our own clients something beside the document."""
        for session in self.sessions.values():
            session.notify(kind, reason, **more)

    def _step1(self) -> bytes:
        return encode_step1(encode_state_vector(self.intake.replica.clocks))

    def _everyone(self) -> list[bytes]:
        message = self.awareness.encode_all()
        return [message] if message is not None else []

    def _answer(self, session: Session, state_vector: bytes) -> None:
        try:
            known = scan_state_vector(state_vector)
        except UpdateRefused as refusal:
            raise Malformed(str(refusal)) from None
        self.flush()
        if session.outbox.is_full:
            # Whoever asks again and again without reading gets one answer to all of it (rule D7).
            clocks = self.intake.replica.clocks
            session.outbox.owe([Span(client, known.get(client, 0), clock) for client, clock in clocks.items()])
        elif state_vector == _EMPTY_STATE_VECTOR:
            # One encoded state for all who join while nothing changes.
            self._whole = self._whole or _answer_frames(self.intake.replica.diff())
            session.outbox.push_answer(self._whole)
        else:
            session.outbox.push_answer(_answer_frames(self.intake.replica.diff(state_vector)))

    def drained(self, session: Session) -> None:
        """Give a stale session, whose line is free again, one diff of all it missed (rule D7)."""
        self.flush()
        clocks = {**self.intake.replica.clocks, **session.outbox.take_missing()}
        session.outbox.push_answer(_answer_frames(self.intake.replica.diff(encode_state_vector(clocks))))
        session.outbox.push_answer(self._everyone())

    def ask_all(self) -> None:
        """Send step 1 to everyone, so that an update lost on the way in is found."""
        step1 = self._step1()
        for session in self.sessions.values():
            session.outbox.push(step1)

    def tell_digest(self) -> None:
        """Tell our own clients what a replica with our state vector must read as."""
        self.flush()
        replica = self.intake.replica
        digest = encode_digest(replica.state_vector(), hashlib.sha256(replica.text.encode()).digest())
        for session in self.sessions.values():
            if session.is_ours:
                session.outbox.push(digest)


def _answer_frames(update: bytes) -> list[bytes]:
    """An answer in pieces that no watchdog and no frame limit trips over: updates, and a step 2 at the end."""
    *first, last = split(update)
    return [*map(encode_update, first), encode_step2(last)]
