"""The documents of one Hocuspocus socket: which address is whose stay, from the first frame to it to the last.

To its line it is a room and a session in one: what comes is told apart and goes to the rooms, what they owe is put
behind its address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.requests import HTTPConnection

from coscribe.api.callers import caller_by_cookie, caller_by_secret
from coscribe.api.pace import Pace
from coscribe.api.problems import close_code_of
from coscribe.api.stay import Stay, come_in
from coscribe.api.trunk import Channel, Trunk
from coscribe.api.wiring import Wiring
from coscribe.core import hocuspocus
from coscribe.core.hocuspocus import HocuspocusSession
from coscribe.core.outbox import is_final
from coscribe.core.protocol import KEEPALIVE
from coscribe.core.session import Session
from coscribe.errors import CoscribeError, Malformed
from coscribe.model import new_id
from coscribe.rooms.room import Room

# Documents of one socket; a person opens a few.
_MOST_DOCUMENTS = 100
_TOKEN_WITHIN_S = 5.0
# A socket without a document: its page has left the last one, or never says which.
_EMPTY_S = 30.0
# Coming in costs some queries, as much as so many letters.
_COMING_COST = 10.0
# Of these kinds the message behind the address is one of dialect 1.
_SHARED = frozenset((hocuspocus.SYNC, hocuspocus.AWARENESS, hocuspocus.QUERY_AWARENESS))


class Switchboard:
    """A socket's documents. To its line it is a room; `outbox` and `id` are those of the session."""

    def __init__(self, wiring: Wiring, connection: HTTPConnection, pace: Pace) -> None:
        self.id = new_id()
        self._wiring = wiring
        self._connection = connection
        self._pace = pace
        self._channels: dict[bytes, Channel] = {}
        # Addresses whose conversation is over: their providers may still send, which is meant for nobody.
        self._over: set[bytes] = set()
        self.outbox = Trunk(self._channels, self._forget)
        self._empty: asyncio.TimerHandle | None = None
        self._begin_to_wait()

    def leave(self, code: int) -> None:
        """The socket is gone."""
        channels = tuple(self._channels.values())
        self._channels.clear()
        self._stop_waiting()
        for channel in channels:
            channel.leave(code)

    def _forget(self, address: bytes) -> Channel | None:
        """Give up an address."""
        channel = self._channels.pop(address, None)
        if len(self._over) >= _MOST_DOCUMENTS:
            self._over.clear()
        self._over.add(address)
        if not self._channels:
            self._begin_to_wait()
        return channel

    def _begin_to_wait(self) -> None:
        self._stop_waiting()
        self._empty = asyncio.get_running_loop().call_later(_EMPTY_S, self.outbox.close, 1013, "No document is open.")

    def _stop_waiting(self) -> None:
        if self._empty is not None:
            self._empty.cancel()
            self._empty = None

    @property
    def sign(self) -> bytes:
        """A message that changes nothing, to a document of the socket's."""
        prefix = next((channel.prefix for channel in self._channels.values()), b"")
        return prefix + KEEPALIVE

    # What a line asks of the sessions of a room

    @property
    def _rooms(self) -> list[tuple[Room, Session]]:
        stays = [channel.stay for channel in self._channels.values()]
        return [(stay.room, stay.session) for stay in stays if stay is not None]

    taken, cost = 0, 1.0

    def express(self, session: Session) -> None:
        """There is no way but the ordinary one: who is meant is to be read first."""
        del session

    def took(self, session: Session) -> None:
        """Nothing was taken in by another way."""
        del session

    def most_of_slice(self, most: int) -> int:
        """How many messages may be read before others are."""
        return min((room.sessions.most_of_slice(most) for room, _ in self._rooms), default=most)

    def weighs(self, session_id: str) -> bool:
        """Whether a large update of one of the documents is on its way."""
        del session_id
        return any(room.sessions.weighs(session.id) for room, session in self._rooms)

    async def settled(self, session: Session) -> None:
        """Wait until none is."""
        del session
        for room, own in self._rooms:
            await room.sessions.settled(own)

    @property
    def is_behind(self) -> bool:
        """Whether one of the rooms has more to apply than a turn is for."""
        return any(room.sessions.is_behind for room, _ in self._rooms)

    def hold_back(self, read: Callable[[], None]) -> None:
        """Have the line read on once the first of those rooms is not behind any more."""
        behind = next((room for room, _ in self._rooms if room.sessions.is_behind), None)
        if behind is None:
            asyncio.get_running_loop().call_soon(read)
        else:
            behind.sessions.hold_back(read)

    def gather(self, read: Callable[[], None]) -> bool:
        """Have the line read on before the next flush of a room that has no time now."""
        return any(room.sessions.gather(read) for room, _ in self._rooms)

    def drained(self, session: Session) -> None:
        """The line is free again after it fell behind."""
        del session
        for room, own in self._rooms:
            if own.outbox.is_stale and not own.outbox.is_waiting:
                room.sessions.drained(own)

    def receive(self, session: Session, frame: bytes) -> float:
        """Take one frame; gives what it costs, in ordinary messages."""
        del session
        if frame == hocuspocus.PING:
            self.outbox.answer_ping()
        if frame in (hocuspocus.PING, hocuspocus.PONG):
            return 1.0
        try:
            return self._take(hocuspocus.read_frame(frame))
        except Malformed as error:
            self.outbox.close(4400, f"Not a message of this protocol: {error}.")
            return 1.0

    # Addresses

    def _take(self, found: hocuspocus.Addressed) -> float:
        is_token = found.kind == hocuspocus.AUTH
        channel = self._channels.get(found.address)
        if channel is None and (is_token or not (found.kind == hocuspocus.CLOSE or found.address in self._over)):
            channel = self._open(found.address)
        if channel is None:
            return 1.0
        if found.kind == hocuspocus.CLOSE:
            self._forget(found.address)
            channel.leave(1000)
        elif is_token and channel.entering is None:
            self._enter(found, channel)
            return _COMING_COST
        elif is_token:
            pass  # a provider that is asked for nothing repeats its token when it comes back only
        elif channel.stay is not None:
            return self._tell(channel.stay, found)
        elif not channel.keep(found):
            self.outbox.close(1013, "Too much was sent ahead of the token.")
        return 1.0

    def _open(self, address: bytes) -> Channel | None:
        if len(self._channels) >= _MOST_DOCUMENTS:
            self.outbox.close(1013, f"One socket carries {_MOST_DOCUMENTS} documents.")
            return None
        self._stop_waiting()
        self._over.discard(address)
        channel = self._channels[address] = Channel(address)
        channel.timer = asyncio.get_running_loop().call_later(_TOKEN_WITHIN_S, self._late, address)
        return channel

    def _late(self, address: bytes) -> None:
        """No token came in time."""
        if (channel := self._forget(address)) is not None:
            self.outbox.say(channel.prefix + hocuspocus.encode_denied("The token did not come."))

    def _enter(self, found: hocuspocus.Addressed, channel: Channel) -> None:
        token = hocuspocus.read_token(found.message)
        channel.stop_waiting()
        channel.entering = self._wiring.lines.spawn(self._come_in(found.address, channel, token))

    async def _come_in(self, address: bytes, channel: Channel, token: str) -> None:
        wiring = self._wiring
        try:
            if token:
                caller = await caller_by_secret(wiring, token)
            else:
                caller = await caller_by_cookie(self._connection, wiring)
            document_id = hocuspocus.document_of(address)
            stay = await come_in(wiring, self._connection, document_id, caller, HocuspocusSession)
        except CoscribeError as error:
            self._turn_away(address, channel, error)
            return
        except Exception:
            self.outbox.close(1011, "The server failed; it has been written down.")
            raise
        self._pace.share(stay.pace)
        self.outbox.say(channel.prefix + hocuspocus.encode_authenticated(stay.session.role))
        channel.stay = stay
        stay.session.outbox.wake = self.outbox.wake
        early, channel.early = channel.early, []
        for message in early:
            if channel.stay is stay:
                self._tell(stay, message)

    def _turn_away(self, address: bytes, channel: Channel, error: CoscribeError) -> None:
        """Deny what is final; for anything else a provider comes back with its socket only."""
        self._forget(address)
        code = close_code_of(error)
        if is_final(code):
            self.outbox.say(channel.prefix + hocuspocus.encode_denied(str(error)))
        else:
            self.outbox.close(code, str(error))

    def _tell(self, stay: Stay, found: hocuspocus.Addressed) -> float:
        if found.kind not in _SHARED:
            return 1.0  # words between clients, which no feature of ours has
        session = cast(HocuspocusSession, stay.session)
        if found.message.startswith(b"\x00\x00") and session.asks():
            stay.room.sessions.ask(session)
        return stay.room.sessions.receive(session, found.message)
