"""A session whose frames come and go by HTTP requests, where a WebSocket cannot be had (docs/protocol.md, P20-P26).

It outlives its requests: what was sent last is kept for who did not hear it, what has come is not taken twice, and
without a reader it ends after a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from coscribe.api.gates import RETRY_AFTER_S
from coscribe.api.sent import Sent
from coscribe.api.stay import Stay
from coscribe.api.telling import MOST_FRAMES, tell
from coscribe.api.writing import WRITE_BYTES
from coscribe.core.outbox import Closing, Outbox
from coscribe.core.protocol import encode_closing
from coscribe.core.session import Session
from coscribe.errors import InvalidInput, Unavailable
from coscribe.model import Carrier, new_id
from coscribe.services.access import Caller

# Without a reader a session ends: a page that is away for longer comes back as from a cold start.
IDLE_S = 60.0
# A request that came before the one that was sent before it waits for it so long.
_OVERTAKEN_S = 1.0
# The close code of a session that nobody reads any more; its client comes back.
_GONE = 1001


class Reader(Protocol):
    """Whoever reads a session's frames at the moment."""

    carrier: Carrier

    def woken(self) -> None:
        """There is something to take."""
        ...

    def displaced(self, session: HttpSession) -> None:
        """Somebody else reads this one from now on."""
        ...


class HttpSession:
    """One session. `ended` is called once, when everything was given back."""

    __slots__ = (
        "_closed", "_ended", "_has_left", "_idle", "_owner", "_reader", "_sent", "_stay", "_taken", "_turn",
        "carrier", "id",
    )  # fmt: skip

    def __init__(self, stay: Stay, caller: Caller, ended: Callable[[HttpSession], None]) -> None:
        self.id = new_id()
        self._stay = stay
        self._owner = _owner(caller)
        self._ended = ended
        self._sent = Sent()
        # The number of the last request whose frames were taken in; one is taken in at a time.
        self._taken = 0
        self._turn = asyncio.Condition()
        self._reader: Reader | None = None
        # By what it was read last; a page begins with polls (ADR 18).
        self.carrier = Carrier.POLL
        # Why it is over, once its last frame was taken.
        self._closed: Closing | None = None
        self._has_left = False
        self._outbox.wake = self._unread
        self._idle = self._begin_to_idle()

    def belongs_to(self, document_id: str, caller: Caller) -> bool:
        """Whether a request's caller is whose session it is."""
        return self._stay.room.document_id == document_id and self._owner == _owner(caller)

    @property
    def session_id(self) -> str:
        """What its room knows it by."""
        return self._session.id

    @property
    def _session(self) -> Session:
        return self._stay.session

    @property
    def _outbox(self) -> Outbox:
        return self._stay.session.outbox

    # Down

    def attach(self, reader: Reader) -> None:
        """Read from now on, in the place of whoever has read before."""
        if self._reader is not None:
            self._reader.displaced(self)
        self._reader, self.carrier = reader, reader.carrier
        self._idle.cancel()
        self._outbox.wake = reader.woken

    def detach(self, reader: Reader) -> None:
        """Stop reading; the session waits a while for the next reader."""
        if self._reader is not reader:
            return
        self._reader = None
        self._outbox.wake = self._unread
        if self.is_over:
            self.end()
        else:
            self._idle = self._begin_to_idle()

    def confirm(self, after: int) -> bool:
        """Forget what was heard: every frame up to the number `after`; False where a later one is not kept any more."""
        return self._is_cut or self._sent.confirm(after)

    def again(self) -> list[tuple[int, bytes]]:
        """What was sent and is kept, with its numbers; nothing of it where access was lost."""
        if self._is_cut and not self.is_over:
            self._sent.forget()
        return self._sent.numbered()

    @property
    def _is_cut(self) -> bool:
        """Whether nothing but its end is told any more."""
        closing = self._closed or self._outbox.closing
        return closing is not None and closing.is_at_once

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        outbox = self._outbox
        return not self.is_over and (outbox.is_waiting or outbox.is_stale or outbox.closing is not None)

    @property
    def is_over(self) -> bool:
        """Whether its last frame was taken."""
        return self._closed is not None

    def take(self, most_bytes: int | None = WRITE_BYTES) -> list[tuple[int, bytes]]:
        """The next frames, with their numbers; each is kept until it is confirmed, or is one too many."""
        outbox = self._outbox
        if self.is_over:
            return []
        if self._is_cut:
            outbox.take()
            self._sent.forget()
        if outbox.is_stale and not outbox.is_waiting and outbox.closing is None:
            self._stay.room.sessions.drained(self._session)
        taken = [self._sent.keep(frame) for frame in outbox.take(most_bytes)]
        if outbox.closing is not None and not outbox.is_waiting:
            self._closed = outbox.closing
            taken.append(self._sent.keep(encode_closing(outbox.closing.code, outbox.closing.reason)))
        self._sent.trim()
        return taken

    # Up

    async def receive(self, number: int, read: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        """Take the frames of the request with this number; those of one that was taken before are passed over.

        They are read once it is their turn, so that what comes sooner waits at its sender's. Returns once all are
        taken: whoever sends too much is answered late. Raises InvalidInput for a number that skips one.
        """
        async with self._turn:
            if number > self._taken + 1:
                await self._predecessor_of(number)
            if number <= self._taken:
                return
            if number > self._taken + 1:
                raise InvalidInput(f"The request {self._taken + 1} of this session did not come.", field="n")
            messages = await read()
            self._taken = number  # first: what fails on the way must not come a second time
            self._turn.notify_all()
            await self._tell(messages)

    async def _predecessor_of(self, number: int) -> None:
        """Wait a moment: a page that goes away sends its last two requests at once, and either may be here first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_OVERTAKEN_S):
                await self._turn.wait_for(lambda: number <= self._taken + 1)

    async def _tell(self, messages: Sequence[bytes]) -> None:
        sessions, session, at = self._stay.room.sessions, self._session, 0
        while at < len(messages) and session.outbox.closing is None and not self.is_over:
            slice_ = messages[at : at + sessions.most_of_slice(MOST_FRAMES)]
            taken, extra = tell(sessions, session, slice_)
            at += taken
            wait_s = self._stay.pace.spend(sum(map(len, slice_[:taken])), taken + extra)
            if self._stay.pace.is_flooded:
                session.outbox.close(1013, "You have been sending too much for too long.")
            if sessions.weighs(session.id):
                await sessions.settled(session)
            elif sessions.is_behind:
                await self._caught_up()
            await asyncio.sleep(wait_s)

    async def _caught_up(self) -> None:
        """Wait until the room is behind no more."""
        done = asyncio.Event()
        self._stay.room.sessions.hold_back(done.set)
        await done.wait()

    # The end

    def _begin_to_idle(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(IDLE_S, self.end)

    def _unread(self) -> None:
        """Something has come while nobody reads: its end is not to wait for a reader."""
        if self._outbox.closing is not None and not self.is_over:
            asyncio.get_running_loop().call_soon(self._close_unread)  # it may be told in the middle of the room's work

    def _close_unread(self) -> None:
        if self._reader is None and not self.is_over:
            self.take(None)
            self._leave()

    def _leave(self) -> None:
        if not self._has_left:
            self._has_left = True
            self._stay.leave()

    def end(self) -> None:
        """Give everything back; whoever reads finds it over."""
        self._idle.cancel()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.displaced(self)
        closing = self._closed or self._outbox.closing
        self._closed = closing or Closing(_GONE, "The session has ended.")
        self._leave()
        self._stay.tell_end("sessions", self._closed.code)
        self._ended(self)


def _owner(caller: Caller) -> tuple[str, str | None]:
    return caller.actor.id, caller.link.id if caller.link is not None else None


class HttpSessions:
    """All of a server, by id; `most` of them, since a session needs no connection to stay for a minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sessions: dict[str, HttpSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def carriers(self) -> Mapping[str, Carrier]:
        """What carries each, by the session's id in its room."""
        return {session.session_id: session.carrier for session in self._sessions.values()}

    def require_place(self) -> None:
        """Raises Unavailable where there are as many as may be."""
        if len(self) >= self._most:
            raise Unavailable("Too many connections are open.", retry_after_s=RETRY_AFTER_S, limit="max_connections")

    def begin(self, stay: Stay, caller: Caller) -> HttpSession:
        """A session for somebody who has come in."""
        session = HttpSession(stay, caller, self._forget)
        self._sessions[session.id] = session
        return session

    def find(self, session_id: str, document_id: str, caller: Caller) -> HttpSession | None:
        """A caller's session in a document; one of somebody else's is none."""
        found = self._sessions.get(session_id)
        return found if found is not None and found.belongs_to(document_id, caller) else None

    def _forget(self, session: HttpSession) -> None:
        del self._sessions[session.id]

    def close(self) -> None:
        """End all of them: the server stops."""
        for session in tuple(self._sessions.values()):
            session.end()
