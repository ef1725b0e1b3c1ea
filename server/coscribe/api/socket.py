"""The WebSocket carrier of dialect 1, at `/ws/{document_id}`: moves frames between a socket and a room, no more.

Close codes: api/problems.py. Stock clients take 4400-4499 as final and come back after everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from coscribe.api.callers import allowed_origin, bearer_of, caller_by_cookie, caller_by_secret
from coscribe.api.http_connection import cut
from coscribe.api.pace import Pace
from coscribe.api.problems import close_code_of
from coscribe.api.wiring import Wiring, wired
from coscribe.core.outbox import Outbox
from coscribe.core.protocol import KEEPALIVE, encode_denied
from coscribe.core.session import Session
from coscribe.errors import CoscribeError
from coscribe.model import new_id
from coscribe.rooms.room import Room
from coscribe.services.access import Caller

router = APIRouter()

_TOKEN_PROTOCOL = "coscribe.token."  # noqa: S105 - the prefix of a subprotocol
# A client that takes nothing for so long is gone; its frames are at most 256 KB each.
_SEND_WITHIN_S = 30.0
# RFC 6455, 5.5: a close frame's reason has at most 123 bytes.
_MAX_REASON_BYTES = 123


@router.websocket("/ws/{document_id}")
async def socket(websocket: WebSocket, document_id: str) -> None:
    """Take a socket, let it in where the caller may see the document, and talk until one side ends it."""
    wiring = wired(websocket)
    headers = websocket.headers
    if not allowed_origin(headers, headers.get("host", ""), wiring.settings):
        await websocket.close(4403)  # before accept: the server answers 403 and no foreign page gets a socket
        return
    protocol = next((p for p in websocket.scope["subprotocols"] if p.startswith(_TOKEN_PROTOCOL)), None)
    await websocket.accept(subprotocol=protocol)
    try:
        caller = await _caller(websocket, wiring, protocol)
        with wiring.gates.socket(websocket, caller):
            await _converse(websocket, wiring, document_id, caller)
    except CoscribeError as error:
        await _close(websocket, close_code_of(error), str(error))
    except WebSocketDisconnect:
        return


async def _converse(websocket: WebSocket, wiring: Wiring, document_id: str, caller: Caller) -> None:
    # What may not be entered does not exist (wire.md: 4403 is for access that was lost).
    document, role = await wiring.access.enter(document_id, caller)
    async with wiring.registry.hold(document) as room:
        wiring.gates.require_place(len(room.sessions))
        wake = asyncio.Event()
        outbox = Outbox(wiring.settings.max_outbox_bytes, wake.set, wiring.buffers)
        link_id = caller.link.id if caller.link is not None else None
        session = Session(new_id(), caller.actor, role, outbox, link_id, refused=wiring.count_refusal)
        pace = Pace(wiring.settings, wiring.gates.messages(websocket, caller), wiring.watch)
        conversation = _Conversation(websocket, room, session, wake, pace)
        with _joined(room, session):
            # What was taken away while the room was loading met no session: ask again now that there is one.
            _, role = await wiring.access.enter(document_id, caller)
            room.set_role(session, role)
            await conversation.run(wiring.settings.keepalive_s)


async def _caller(websocket: WebSocket, wiring: Wiring, protocol: str | None) -> Caller:
    """Who opens the socket: a token in the query, the subprotocol or the header, else the browser's cookie."""
    secret = websocket.query_params.get("token") or (protocol or "").removeprefix(_TOKEN_PROTOCOL)
    secret = secret or bearer_of(websocket.headers) or ""
    if secret:
        return await caller_by_secret(wiring, secret)
    return await caller_by_cookie(websocket, wiring)


@contextmanager
def _joined(room: Room, session: Session) -> Iterator[None]:
    room.join(session)
    try:
        yield
    finally:
        room.leave(session)
        session.outbox.end()


class _Conversation:
    """One socket in one room: a task that reads, and the writing done by whoever called."""

    def __init__(self, websocket: WebSocket, room: Room, session: Session, wake: asyncio.Event, pace: Pace) -> None:
        self._websocket = websocket
        self._room = room
        self._session = session
        self._wake = wake
        self._pace = pace

    async def run(self, keepalive_s: float) -> None:
        """Talk until one side ends it."""
        reading = asyncio.create_task(self._read(), name=f"read {self._session.id}")
        writing = asyncio.create_task(self._write(keepalive_s), name=f"write {self._session.id}")
        try:
            done, _ = await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            frame = message.get("bytes")
            if frame is None:
                self._session.outbox.close(4400, "Only binary messages are understood.")
            else:
                cost = self._room.receive(self._session, frame)
                await self._room.settled(self._session)
                await self._hold_back(len(frame), cost)

    async def _hold_back(self, size: int, cost: float) -> None:
        """Read on after a while where too much is sent; uvicorn takes nothing from the line meanwhile."""
        wait_s = self._pace.spend(size, cost)
        if self._pace.is_flooded:
            self._session.outbox.close(1013, "You have been sending too much for too long.")
        elif self._pace.ends_turn(cost) or wait_s:
            await asyncio.sleep(wait_s)

    async def _write(self, keepalive_s: float) -> None:
        outbox = self._session.outbox
        while True:
            self._wake.clear()
            frames = outbox.take()
            for frame in frames:
                await self._send(frame)
            if frames:
                continue
            if outbox.closing is not None:
                await _close(self._websocket, outbox.closing.code, outbox.closing.reason)
                return
            if outbox.is_stale:
                self._room.drained(self._session)
                continue
            await self._wait(keepalive_s)

    async def _wait(self, keepalive_s: float) -> None:
        try:
            async with asyncio.timeout(keepalive_s):
                await self._wake.wait()
        except TimeoutError:
            await self._send(KEEPALIVE)

    async def _send(self, frame: bytes) -> None:
        try:
            async with asyncio.timeout(_SEND_WITHIN_S):
                await self._websocket.send_bytes(frame)
        except TimeoutError:
            cut(self._websocket.scope)
            raise WebSocketDisconnect(1006, "nothing is read") from None
        except RuntimeError:  # uvicorn has closed it already, and its end comes to the reader in a moment
            raise WebSocketDisconnect(1006, "no ping was answered") from None


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    """End a socket; a final code is preceded by permission denied, the only reason that stock clients show."""
    try:
        async with asyncio.timeout(_SEND_WITHIN_S):
            if 4400 <= code <= 4499:
                await websocket.send_bytes(encode_denied(reason))
            await websocket.close(code, reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore"))
    except TimeoutError:
        cut(websocket.scope)
    except (WebSocketDisconnect, RuntimeError):
        return  # it was closed from the other side meanwhile
