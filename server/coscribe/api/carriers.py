"""The carriers of dialect 1 where a WebSocket cannot be had: frames up by POST, down by an event stream or a long poll.

They move the frames of a session and decide nothing; docs/protocol.md, P20-P26, has what they look like.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from coscribe.api.bodies import BODY_LIMIT, announced_bytes, content_type
from coscribe.api.callers import Asking, Sending, refuse_foreign_page
from coscribe.api.event_stream import EventStream, Seat
from coscribe.api.feeds import WAIT_MOST_S, WAIT_S, until_stop
from coscribe.api.frame_stream import FrameReader, Part
from coscribe.api.gates import RETRY_AFTER_S
from coscribe.api.http_session import HttpSession
from coscribe.api.stay import come_in
from coscribe.api.wiring import Wired, Wiring
from coscribe.core.lib0 import read_bytes
from coscribe.errors import InvalidInput, Malformed, NotFound, Unavailable
from coscribe.model import Carrier
from coscribe.services.access import Caller

_BYTES = "application/octet-stream"
_NO_STORE = {"Cache-Control": "no-store", "Vary": "Cookie, Authorization"}
_UNKNOWN = "There is no such session; begin a new one."
# A session's id, and the number of the last frame that was heard.
_ONE = re.compile(r"([A-Za-z0-9]{22})(?:\.(\d{1,16}))?")
# Windows of one browser with one document; others open another stream.
_MOST_TOGETHER = 32
_MOST_NUMBER = 2**53
# Frames in a request: reading so many takes 3 ms.
_MOST_FRAMES = 10_000

router = APIRouter(include_in_schema=False)

One = Annotated[str, Query(max_length=40)]
Several = Annotated[list[str], Query(max_length=_MOST_TOGETHER, alias="session")]


class Batch(BaseModel):
    """Which frames a request carries: of which session, in which request of it, and whether they are its last."""

    session: str = Field(max_length=40)
    n: int = Field(ge=1, lt=_MOST_NUMBER)
    last: bool = False


@router.post("/sessions/{document_id}", status_code=201)
async def begin(document_id: str, request: Request, caller: Asking, wiring: Wired) -> Response:
    """Begin a session; what it is told waits for its first reader."""
    wiring.http_sessions.require_place()
    stay = await come_in(wiring, request, document_id, caller)
    session = wiring.http_sessions.begin(stay, caller)
    return JSONResponse({"session": session.id}, 201, _NO_STORE)


@router.delete("/sessions/{document_id}", status_code=204)
async def end(document_id: str, session: One, caller: Sending, wiring: Wired) -> Response:
    """End a session."""
    _session(wiring, document_id, caller, session).end()
    return Response(status_code=204, headers=_NO_STORE)


@router.post("/frames/{document_id}", status_code=204, dependencies=[Depends(content_type(_BYTES))])
async def send(
    document_id: str,
    request: Request,
    asked: Annotated[Batch, Query()],
    caller: Sending,
    wiring: Wired,
) -> Response:
    """Take a session's next frames: varBytes each, one after the other. The same request again changes nothing.

    With `last` the session ends behind them: its page goes away.
    """
    found = _session(wiring, document_id, caller, asked.session)
    if found.is_over:
        raise NotFound(_UNKNOWN)
    await found.receive(asked.n, partial(_read_frames, request, wiring))
    if asked.last and not found.is_over:
        found.end()
    return Response(status_code=204, headers=_NO_STORE)


@router.get("/sse/{document_id}")
async def stream(document_id: str, request: Request, session: Several, caller: Sending, wiring: Wired) -> Response:
    """Frames as they come: events `frame` with base64; the id is the session's place in the query and a number."""
    refuse_foreign_page(request, wiring.settings)
    heard = _resumed(session, request.headers.get("last-event-id"))

    async def enter() -> Seat:
        reader = FrameReader(_parts(wiring, document_id, caller, heard), Carrier.STREAM)
        return Seat(reader, reader.leave)

    return EventStream(wiring, enter)


@router.get("/poll/{document_id}")
async def poll(
    document_id: str,
    request: Request,
    session: Several,
    caller: Sending,
    wiring: Wired,
    wait: Annotated[float, Query(ge=0, le=WAIT_MOST_S)] = WAIT_S,
) -> Response:
    """Frames that have come, after a wait for the first: of each the session's place in the query, and varBytes."""
    refuse_foreign_page(request, wiring.settings)
    parts = _parts(wiring, document_id, caller, [_read(each) for each in session])
    reader = FrameReader(parts, Carrier.POLL)
    try:
        await until_stop(wiring, reader.wait(wait))
        return Response(b"".join(sent.encoded for sent in reader.next()), 200, _NO_STORE, _BYTES)
    finally:
        reader.leave()


def _session(wiring: Wiring, document_id: str, caller: Caller, session_id: str) -> HttpSession:
    found = wiring.http_sessions.find(session_id, document_id, caller)
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def _parts(wiring: Wiring, document_id: str, caller: Caller, asked: Sequence[tuple[str, int]]) -> list[Part]:
    """The sessions that are asked for; of several those that are gone are told so in their place."""
    if len({session_id for session_id, _ in asked}) != len(asked):
        raise InvalidInput("A session can be read once at a time.", field="session")
    parts = [_part(wiring, document_id, caller, session_id, after) for session_id, after in asked]
    if all(part.session is None for part in parts):
        raise NotFound(_UNKNOWN)
    return parts


def _part(wiring: Wiring, document_id: str, caller: Caller, session_id: str, after: int) -> Part:
    """A session that goes on behind what was heard; none where that cannot be: its reader begins another."""
    session = wiring.http_sessions.find(session_id, document_id, caller)
    if session is not None and not session.confirm(after):
        session.end()
        session = None
    return Part(session, after)


def _read(session: str) -> tuple[str, int]:
    found = _ONE.fullmatch(session)
    if found is None:
        raise InvalidInput("Name a session as its id, or as its id, a dot and a number.", field="session")
    return found[1], int(found[2] or 0)


def _resumed(sessions: Sequence[str], last_event_id: str | None) -> list[tuple[str, int]]:
    """Where a stream goes on: what a browser that has come back by itself heard last is newer than its address."""
    asked = [_read(each) for each in sessions]
    part, _, number = (last_event_id or "").partition(".")
    if part.isascii() and part.isdigit() and number.isascii() and number.isdigit() and len(number) <= 16:
        place = int(part[:3])
        if place < len(asked):
            asked[place] = asked[place][0], max(asked[place][1], int(number))
    return asked


async def _read_frames(request: Request, wiring: Wiring) -> list[bytes]:
    """The frames of a request. Raises Malformed, InvalidInput and Unavailable."""
    incoming = wiring.lines.incoming
    is_chunked = "transfer-encoding" in request.headers
    announced = wiring.settings.max_frame_bytes if is_chunked else announced_bytes(request.scope)
    incoming.bytes += announced
    try:
        if incoming.is_full:
            reason = "The server has no room for more large messages; try again in a moment."
            raise Unavailable(reason, retry_after_s=RETRY_AFTER_S, limit=BODY_LIMIT)
        return _frames(await request.body())
    finally:
        incoming.bytes -= announced


def _frames(body: bytes) -> list[bytes]:
    frames, at = [], 0
    while at < len(body):
        frame, at = read_bytes(body, at)
        if not frame:
            raise Malformed("an empty frame")
        frames.append(frame)
        if len(frames) > _MOST_FRAMES:
            raise InvalidInput(f"A request carries at most {_MOST_FRAMES} frames.")
    return frames
