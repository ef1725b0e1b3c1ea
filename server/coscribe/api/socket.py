"""The WebSocket carrier of dialect 1, at `/ws/{document_id}`: who may come in, and what is given back at the end.

From then on the connection is a Line's. Close codes: api/problems.py. Stock clients take 4400-4499 as final and come
back after everything else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.types import Scope

from coscribe.api.access_log import tell_socket
from coscribe.api.callers import allowed_origin, bearer_of, caller_by_cookie, caller_by_secret
from coscribe.api.gates import Place
from coscribe.api.handshake import KEY, Handshake
from coscribe.api.line import Line
from coscribe.api.pace import Pace
from coscribe.api.problems import close_code_of
from coscribe.api.wiring import Wiring, wired
from coscribe.core.outbox import Outbox
from coscribe.core.session import Session
from coscribe.errors import CoscribeError
from coscribe.model import new_id
from coscribe.rooms.registry import Held
from coscribe.services.access import Caller

_TOKEN_PROTOCOL = "coscribe.token."  # noqa: S105 - the prefix of a subprotocol
_PATH = re.compile(r"/ws/([^/]+)")


async def socket(scope: Scope) -> None:
    """Take a socket, let it in where the caller may see the document, and hand it over to its line."""
    handshake: Handshake = scope["state"][KEY]
    connection = HTTPConnection(scope)
    wiring = wired(connection)
    place = _PATH.fullmatch(scope["path"])
    if place is None:
        handshake.reject(HTTPStatus.NOT_FOUND)
    elif not allowed_origin(connection.headers, connection.headers.get("host", ""), wiring.settings):
        handshake.reject(HTTPStatus.FORBIDDEN)  # before it is accepted: no foreign page gets a socket
    else:
        protocol = next((p for p in scope["subprotocols"] if p.startswith(_TOKEN_PROTOCOL)), None)
        handshake.accept(protocol)
        try:
            caller = await _caller(connection, wiring, protocol)
            await _enter(handshake, connection, wiring, place[1], caller)
        except CoscribeError as error:
            handshake.refuse(close_code_of(error), str(error))


async def _enter(
    handshake: Handshake, connection: HTTPConnection, wiring: Wiring, document_id: str, caller: Caller
) -> None:
    """Find the caller's seat in the document's room and hand the socket over to it."""
    seat = _Seat(wiring, wiring.gates.socket(connection, caller), connection)
    try:
        changes = wiring.access.changes
        # What may not be entered does not exist (docs/protocol.md: 4403 is for access that was lost).
        document, role = await wiring.access.enter(document_id, caller)
        seat.held = await wiring.registry.acquire(document)
        room = seat.held.room
        wiring.gates.require_place(len(room.sessions))
        outbox = Outbox(wiring.settings.max_outbox_bytes, buffers=wiring.buffers)
        link_id = caller.link.id if caller.link is not None else None
        session = seat.session = Session(new_id(), caller.actor, role, outbox, link_id, refused=wiring.count_refusal)
        room.join(session)
        # What was taken away meanwhile met no session: ask again now that there is one.
        if wiring.access.changes != changes:
            _, role = await wiring.access.enter(document_id, caller)
            room.set_role(session, role)
    except BaseException:
        seat.leave()
        raise
    pace = Pace(wiring.rates, wiring.gates.messages(connection, caller), wiring.watch)
    line = Line(wiring.lines, room, pace, wiring.settings.max_frame_bytes, seat.ended)
    seat.left = handshake.left
    if not handshake.hand_over(line, session):
        seat.leave()


async def _caller(connection: HTTPConnection, wiring: Wiring, protocol: str | None) -> Caller:
    """Who opens the socket: a token in the query, the subprotocol or the header, else the browser's cookie."""
    secret = connection.query_params.get("token") or (protocol or "").removeprefix(_TOKEN_PROTOCOL)
    secret = secret or bearer_of(connection.headers) or ""
    if secret:
        return await caller_by_secret(wiring, secret)
    return await caller_by_cookie(connection, wiring)


class _Seat:
    """What a socket holds until it ends: its place, its room, its session."""

    __slots__ = ("_began_at", "_client", "_place", "_wiring", "held", "left", "session")

    def __init__(self, wiring: Wiring, place: Place, connection: HTTPConnection) -> None:
        self._wiring = wiring
        self._place = place
        self._client = connection.client.host if connection.client else None
        self._began_at = time.monotonic()
        self.held: Held | None = None
        self.session: Session | None = None
        self.left: Callable[[], None] = lambda: None

    def ended(self, code: int) -> None:
        """The line is gone."""
        try:
            self.leave()
        finally:
            self.left()
        if self.held is not None:
            tell_socket(f"/ws/{self.held.room.document_id}", code, self._began_at, self._client)

    def leave(self) -> None:
        """Give everything back."""
        self._place.leave()
        if self.held is not None:
            self._wiring.registry.release(self.held)
        if self.held is not None and self.session is not None:
            self.session.outbox.end()
            self.held.room.leave(self.session)
