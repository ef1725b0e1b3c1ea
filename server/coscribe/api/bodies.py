"""Request bodies: how long they may be and what they must be, checked before anything is parsed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coscribe.api.problems import problem_of
from coscribe.api.wiring import Wiring
from coscribe.errors import TooLarge

BODY_LIMIT = "max_frame_bytes"
# A body of which nothing comes for so long will not come: its memory is worth more (threat: slow bodies).
NEXT_WITHIN_S = 20.0

_CHARSET = re.compile(r"""charset\s*=\s*["']?([^"';\s]*)""", re.IGNORECASE)
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii"})


class BodyTooLarge(HTTPException):
    """Raised out of `receive`: the framework lets an HTTPException through while it reads a body."""

    def __init__(self, limit: int) -> None:
        super().__init__(413)
        self.limit = limit


async def on_body_too_large(_request: Request, error: Exception) -> Response:
    """Exception handler of BodyTooLarge."""
    if not isinstance(error, BodyTooLarge):
        raise error
    return _refusal(error.limit)


class BodyLimit:
    """ASGI middleware: 413 as soon as a body is longer than `max_frame_bytes`, announced or not; 408 when it stalls."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wiring: Wiring = scope["state"]["wiring"]
        limit = wiring.settings.max_frame_bytes
        if announced_bytes(scope) > limit:
            await _refusal(limit)(scope, receive, send)
            return
        await self._app(scope, _counted(receive, limit), send)


def _refusal(limit: int) -> Response:
    return problem_of(TooLarge(f"A request's body may have at most {limit} bytes.", limit=BODY_LIMIT))


def announced_bytes(scope: Scope) -> int:
    """How long a request says that its body is; 0 where it says nothing."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)  # the server's parser has refused anything but digits
    return 0


def _counted(receive: Receive, limit: int) -> Receive:
    seen, is_whole = 0, False

    async def counting() -> Message:
        nonlocal seen, is_whole
        message = await receive() if is_whole else await in_time(receive)
        is_whole = not message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLarge(limit)
        return message

    return counting


async def in_time(receive: Receive) -> Message:
    """The next part of a body. Raises HTTPException (408) where it does not come in time."""
    try:
        async with asyncio.timeout(NEXT_WITHIN_S):
            return await receive()
    except TimeoutError:
        raise HTTPException(408, "The rest of the request did not come.") from None


def content_type(*allowed: str) -> Callable[[Request], None]:
    """A dependency that answers 415 unless the body is one of these media types, as UTF-8 where it is text."""

    def check(request: Request) -> None:
        media, _, parameters = request.headers.get("content-type", "").partition(";")
        charset = _CHARSET.search(parameters)
        if media.strip().lower() not in allowed or (charset and charset[1].lower() not in _UTF8):
            raise HTTPException(415, f"The body must be {' or '.join(allowed)}")

    return check
