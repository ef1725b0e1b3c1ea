"""Requests that belong to a session go to the worker that has it: the one of their document.

Workers share an address, so a request may come to any of them, while the session of somebody whose network lets no
WebSocket through lives in one. Each document has a worker by its id, as it has a server at a proxy that hashes; to that
one such requests are handed on, over the worker's own address on this machine.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from coscribe.api.bodies import in_time
from coscribe.api.problems import on_http_error, problem_of
from coscribe.errors import Unavailable

_OF_SESSION = re.compile(r"/(?:sessions|frames|sse|poll)/([^/]+)")
# In the scope of a request that another worker hands on. The header: a secret of theirs, scheme, host and port of who
# asked.
HANDED_ON = "coscribe.handed_on"
_HANDED_ON = b"x-coscribe-handed-on"
# Where workers listen for each other.
HERE = "127.0.0.1"
# No body of theirs is handed on, nor that there is one.
_WITHOUT_BODY = ("GET", "HEAD")
# Headers that are of one connection (RFC 9110, 7.6.1); what a body's end is told by is each connection's own too.
_OF_CONNECTION = {
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}


@dataclass(frozen=True, slots=True)
class Team:
    """The workers of one address: which of them this one is, the ports of all on this machine, and their secret."""

    number: int
    ports: Sequence[int]
    secret: bytes

    def worker_of(self, document_id: str) -> int:
        """The number of the worker that has a document's sessions by requests."""
        return zlib.crc32(document_id.encode()) % len(self.ports)

    def introduction(self, scheme: str, host: str, port: int) -> tuple[bytes, bytes]:
        """The header by which a worker asks another in the name of whoever asked it."""
        return _HANDED_ON, self.secret + f" {scheme} {host} {port}".encode("latin-1")


class Relay:
    """Serves what is for this worker, and hands on what is for another."""

    def __init__(self, app: ASGIApp, team: Team) -> None:
        self._app = app
        self._team = team
        # One for each stream that is handed on, and a few that are kept.
        limits = httpx.Limits(max_connections=None)
        self._client = httpx.AsyncClient(timeout=None, limits=limits, trust_env=False)  # noqa: S113 - streams are quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan, during which the other workers can be asked."""
        if scope["type"] == "lifespan":
            async with self._client:
                await self._app(scope, receive, send)
        elif scope["type"] != "http" or self._is_handed_on(scope) or (port := self._port(scope["path"])) is None:
            await self._app(scope, receive, send)
        else:
            await self._hand_on(port, scope, receive, send)

    def _port(self, path: str) -> int | None:
        """The port of the worker that a path belongs to; None where this one serves it."""
        found = _OF_SESSION.fullmatch(path)
        worker = self._team.worker_of(found[1]) if found else self._team.number
        return None if worker == self._team.number else self._team.ports[worker]

    def _is_handed_on(self, scope: Scope) -> bool:
        """Whether another worker hands this request on; then it is as if whoever asked that one had asked here."""
        values = [value for name, value in scope["headers"] if name == _HANDED_ON]
        if not values:
            return False
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != _HANDED_ON]
        secret, _, asked = values[0].partition(b" ")
        if not hmac.compare_digest(secret, self._team.secret):
            return False
        # What a trusted proxy wrote where an address belongs may be anything.
        scheme, _, rest = asked.decode("latin-1").partition(" ")
        host, _, port = rest.rpartition(" ")
        scope[HANDED_ON] = True
        scope["scheme"] = scheme
        scope["client"] = (host, int(port)) if host else None
        return True

    async def _hand_on(self, port: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask another worker in the name of whoever asked, until one of both has enough."""
        body = _Body(receive, is_read=scope["method"] in _WITHOUT_BODY)
        answering = asyncio.create_task(self._answer(self._request(port, scope, body), send), name="hand on")
        leaving = asyncio.create_task(body.left(), name="left")
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            answering.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        with suppress(asyncio.CancelledError):
            await answering

    def _request(self, port: int, scope: Scope, body: _Body) -> httpx.Request:
        host, number = scope.get("client") or ("", 0)
        has_body = scope["method"] not in _WITHOUT_BODY
        left_out = _OF_CONNECTION if has_body else _OF_CONNECTION | {b"content-length"}
        headers = [item for item in scope["headers"] if item[0] not in left_out]
        headers.append(self._team.introduction(scope["scheme"], host, number))
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        url = httpx.URL(scheme="http", host=HERE, port=port, raw_path=scope["raw_path"] + query)
        return httpx.Request(scope["method"], url, headers=headers, content=body.parts() if has_body else None)

    async def _answer(self, request: httpx.Request, send: Send) -> None:
        """Hand the answer on as it comes; one that breaks off in the middle is left unfinished."""
        try:
            response = await self._client.send(request, stream=True)
        except HTTPException as stalled:
            await _refuse(send, await on_http_error(Request({"type": "http"}), stalled))
            return
        except httpx.TransportError:
            reason = "This part of the server is just starting; try again in a moment."
            await _refuse(send, problem_of(Unavailable(reason, retry_after_s=1)))
            return
        try:
            headers = [(name.lower(), value) for name, value in response.headers.raw]
            headers = [item for item in headers if item[0] not in _OF_CONNECTION and item[0] != b"date"]
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            async for part in response.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except httpx.TransportError:
            return
        finally:
            await response.aclose()


class _Body:
    """What comes of a request: its body, and then that whoever asked has left."""

    def __init__(self, receive: Receive, *, is_read: bool) -> None:
        self._receive = receive
        self._is_read = asyncio.Event()
        if is_read:
            self._is_read.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """The body, as it comes. Raises ReadError where whoever asked leaves midway, HTTPException where it stalls."""
        more = True
        while more:
            message = await in_time(self._receive)
            if message["type"] == "http.disconnect":
                raise httpx.ReadError("the request broke off")
            more = message.get("more_body", False)
            yield message.get("body", b"")
        self._is_read.set()

    async def left(self) -> None:
        """Wait until whoever asked has left."""
        await self._is_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _refuse(send: Send, answer: Response) -> None:
    """Answer in the place of the other worker."""
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body})
