"""HTTP/1.1 for the comparison: one request after the other on a connection that is kept, at little cost.

A client for every purpose takes as long for a request as the server does, and would be measured as its latency.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

# All clients of the comparison name themselves alike, so that nobody's heads are longer for that.
AGENT = "coscribe-bench"
_OK, _ERROR = 200, 400


@dataclass(slots=True)
class Answer:
    """What the server has answered. Names of headers are in small letters."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Refused(ConnectionError):
    """The server has answered with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"The server answered with {answer.status}: {answer.body[:200].decode(errors='replace')}")
        self.status = answer.status


class Http:
    """Somebody's requests to one server. Raises OSError where the line breaks, Refused where the server says no."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._origin = url
        self._line: _Line | None = None
        # How many were made.
        self.requests = 0

    async def ask(self, method: str, path: str, body: tuple[str, bytes] | None = None, **headers: str) -> Answer:
        """Make a request; `body` is its type and its bytes, `headers` have underscores for their hyphens."""
        return await self._made(method, path, body, headers, None)

    async def listen(self, path: str, heard: Callable[[bytes], None]) -> None:
        """Read an event stream until it ends; `heard` gets what comes as it comes."""
        await self._made("GET", path, None, {"accept": "text/event-stream"}, heard)

    def close(self) -> None:
        """Let the connection go."""
        if self._line is not None:
            self._line.abort()

    async def _made(
        self, method: str, path: str, body: tuple[str, bytes] | None, headers: dict[str, str],
        heard: Callable[[bytes], None] | None,
    ) -> Answer:  # fmt: skip
        if self._line is None or not self._line.is_open:
            loop = asyncio.get_running_loop()
            _, self._line = await loop.create_connection(_Line, self._host, self._port)
        line = self._line
        self.requests += 1
        try:
            answer = await line.request(self._head(method, path, body, headers), heard)
        except BaseException:
            line.abort()  # its answer may still come, and would be taken for that of the next request
            raise
        if answer.status >= _ERROR:
            raise Refused(answer)
        return answer

    def _head(self, method: str, path: str, body: tuple[str, bytes] | None, headers: dict[str, str]) -> bytes:
        sent = {"host": f"{self._host}:{self._port}", "user-agent": AGENT, "accept": "*/*"} | headers
        content = b""
        if method != "GET":
            sent["origin"] = self._origin
            sent["content-length"] = "0"
        if body is not None:
            content = body[1]
            sent |= {"content-type": body[0], "content-length": str(len(content))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in sent.items())]
        return "\r\n".join([*lines, "", ""]).encode() + content


class _Line(asyncio.Protocol):
    """A connection; what is called `on_...` is for the parser."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer = Answer()
        self._waiting: asyncio.Future[Answer] | None = None
        self._heard: Callable[[bytes], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a request can be made on it."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)

    def request(self, head: bytes, heard: Callable[[bytes], None] | None) -> asyncio.Future[Answer]:
        """Send a request; gives its answer once it is whole."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._heard = heard
        if self._transport is None or self._transport.is_closing():
            self._fail(ConnectionResetError("The connection was closed."))
        else:
            self._transport.write(head)
        return self._waiting

    def abort(self) -> None:
        """Cut it."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionResetError(f"What came is no HTTP: {error}"))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._fail(ConnectionResetError(f"The connection ended: {exc}"))

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def on_message_begin(self) -> None:
        self._answer = Answer()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode().lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if self._heard is not None and self._answer.status == _OK:
            self._heard(body)
        else:
            self._answer.body += body

    def on_message_complete(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer)
