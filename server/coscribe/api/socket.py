"""The WebSocket carrier of dialect 1, at `/ws/{document_id}`: who may come in, and what is given back at the end.

From then on the connection is a Line's. Close codes: api/problems.py. Stock clients take 4400-4499 as final and come
back after everything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.types import Scope

from coscribe.api.callers import allowed_origin, bearer_of, caller_by_cookie, caller_by_secret
from coscribe.api.handshake import KEY, Handshake
from coscribe.api.hocuspocus import PATHS, take_socket
from coscribe.api.line import Line
from coscribe.api.problems import close_code_of
from coscribe.api.stay import Stay, come_in
from coscribe.api.wiring import Wiring, wired
from coscribe.errors import CoscribeError
from coscribe.services.access import Caller

_TOKEN_PROTOCOL = "coscribe.token."  # noqa: S105 - the prefix of a subprotocol
_PATH = re.compile(r"/ws/([^/]+)")


async def socket(scope: Scope) -> None:
    """Take a socket, let it in where the caller may see the document, and hand it over to its line."""
    handshake: Handshake = scope["state"][KEY]
    connection = HTTPConnection(scope)
    wiring = wired(connection)
    place = _PATH.fullmatch(scope["path"])
    if place is None and scope["path"] not in PATHS:
        handshake.reject(HTTPStatus.NOT_FOUND)
    elif not allowed_origin(connection.headers, connection.headers.get("host", ""), wiring.settings):
        handshake.reject(HTTPStatus.FORBIDDEN)  # before it is accepted: no foreign page gets a socket
    else:
        protocol = next((p for p in scope["subprotocols"] if p.startswith(_TOKEN_PROTOCOL)), None)
        handshake.accept(protocol if place is not None else None)
        try:
            if place is None:
                take_socket(handshake, connection, wiring)
            else:
                caller = await _caller(connection, wiring, protocol)
                await _enter(handshake, connection, wiring, place[1], caller)
        except CoscribeError as error:
            handshake.refuse(close_code_of(error), str(error))


async def _enter(
    handshake: Handshake, connection: HTTPConnection, wiring: Wiring, document_id: str, caller: Caller
) -> None:
    """Bring the caller into the document's room and hand the socket over to his line."""
    stay = await come_in(wiring, connection, document_id, caller)
    if connection.query_params.get("echo") == "1":
        stay.room.sessions.echo(stay.session)
    ended = partial(_ended, stay, handshake.left)
    line = Line(wiring.lines, stay.room.sessions, stay.pace, wiring.settings.max_frame_bytes, ended)
    if not handshake.hand_over(line, stay.session):
        stay.leave()


def _ended(stay: Stay, left: Callable[[], None], code: int) -> None:
    """The line is gone."""
    try:
        stay.leave()
    finally:
        left()
    stay.tell_end("ws", code)


async def _caller(connection: HTTPConnection, wiring: Wiring, protocol: str | None) -> Caller:
    """Who opens the socket: a token in the query, the subprotocol or the header, else the browser's cookie."""
    secret = connection.query_params.get("token") or (protocol or "").removeprefix(_TOKEN_PROTOCOL)
    secret = secret or bearer_of(connection.headers) or ""
    if secret:
        return await caller_by_secret(wiring, secret)
    return await caller_by_cookie(connection, wiring)
