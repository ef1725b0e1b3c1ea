"""What `coscribe doctor` asks of connections that stay open: whether they get through, at once, and for how long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from coscribe.doctor.findings import Finding, broken, well, worse
from coscribe.doctor.visit import Visit

# What a proxy hands on comes at once; what has not come by now is kept until something ends.
_AT_ONCE_S = 3.0
# The server says something every 15 seconds, unless COSCRIBE_KEEPALIVE_S says otherwise.
_SILENT_S = 45.0
_HELLO = b"\x70\x01\x00\x00"
_STEP_1 = b"\x00\x00\x01\x00"
# A ping of dialect 2 and its answer (docs/protocol.md, H5).
_PING, _PONG = b"\x09", b"\x0a"
_BYTES = {"Content-Type": "application/octet-stream"}
_SOCKET, _HOCUSPOCUS, _STREAM = "WebSocket", "Hocuspocus", "event stream"
_BUFFER = (
    "nginx: `proxy_buffering off;` and `proxy_http_version 1.1;`, and no `gzip` for text/event-stream "
    "(docs/operations.md)."
)
_UPGRADE = (
    "nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "
    '"upgrade";` (docs/operations.md).'
)


async def upgrade(visit: Visit, _patience_s: float) -> Finding:
    """Whether a WebSocket gets through, in both directions."""
    change = f"People write by requests. {_UPGRADE}"
    return await _answered(visit, _SOCKET, f"/ws/{visit.document_id}", (_HELLO, _STEP_1), change)


async def hocuspocus(visit: Visit, _patience_s: float) -> Finding:
    """The same for the address that stock Hocuspocus providers use."""
    return await _answered(visit, _HOCUSPOCUS, "/hocuspocus", (_PING,), f"Its providers have no other way. {_UPGRADE}")


async def _answered(visit: Visit, what: str, path: str, said: tuple[bytes, ...], change: str) -> Finding:
    began = time.monotonic()
    try:
        async with _connected(visit, path) as socket, asyncio.timeout(_AT_ONCE_S):
            for frame in said:
                await socket.send(frame)
            await socket.recv()
    except InvalidStatus as error:
        return broken(what, f"the upgrade is answered with {error.response.status_code}", change)
    except InvalidHandshake as error:
        return broken(what, f"the upgrade is refused ({error})", change)
    except TimeoutError:
        return broken(what, "nothing comes through", change)
    except (OSError, WebSocketException) as error:
        return broken(what, f"it breaks ({error})", change)
    visit.works.add(what)
    return well(what, f"it answers after {(time.monotonic() - began) * 1000:.0f} ms")


def _connected(visit: Visit, path: str) -> connect:
    context = visit.context if visit.is_https else None
    # Who swallows what is said swallows a goodbye too: it is not waited for.
    return connect(
        visit.socket_url(path), additional_headers=visit.headers, ssl=context, proxy=None, open_timeout=2 * _AT_ONCE_S,
        close_timeout=1.0, max_size=None,
    )  # fmt: skip


async def streaming(visit: Visit, _patience_s: float) -> Finding:
    """Whether an event stream comes as it is written, its beginning and what is written later."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    reading = asyncio.create_task(_read_into(heard, visit))
    began = time.monotonic()
    try:
        if not await _told(heard, reading, b"event: snapshot"):
            return broken(_STREAM, "a proxy keeps it until it ends", f"Viewers ask again and again. {_BUFFER}")
        first_ms = (time.monotonic() - began) * 1000
        began = time.monotonic()
        edit = {"edits": [{"op": "append", "text": "Is anybody reading?\n"}]}
        (await visit.client.patch(visit.path("/text"), json=edit)).raise_for_status()
        if not await _told(heard, reading, b"event: text"):
            return broken(_STREAM, "it begins, and a proxy keeps back what comes later", f"Viewers wait. {_BUFFER}")
        later_ms = (time.monotonic() - began) * 1000
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    visit.works.add(_STREAM)
    return well(_STREAM, f"it begins after {first_ms:.0f} ms, a change is there after {later_ms:.0f} ms")


async def _read_into(heard: asyncio.Queue[bytes], visit: Visit) -> None:
    # Its first byte is waited for below; a quiet stream is none that has failed.
    timeout = httpx.Timeout(_AT_ONCE_S, read=None)
    async with visit.client.stream("GET", visit.path("/events"), timeout=timeout) as response:
        response.raise_for_status()
        async for part in response.aiter_bytes():
            heard.put_nowait(part)


async def _told(heard: asyncio.Queue[bytes], reading: asyncio.Task[None], event: bytes) -> bool:
    """Whether an event comes at once. Raises what went wrong with the reading."""
    seen = b""
    try:
        async with asyncio.timeout(_AT_ONCE_S):
            while event not in seen:
                getting = asyncio.create_task(heard.get())
                await asyncio.wait({getting, reading}, return_when=asyncio.FIRST_COMPLETED)
                if not getting.done():
                    getting.cancel()
                    reading.result()
                    return False
                seen += getting.result()
    except TimeoutError:
        return False
    return True


async def requests(visit: Visit, _patience_s: float) -> Finding:
    """Whether people can write where WebSockets are blocked on their side, and by which way they hear."""
    begun = await visit.client.post(f"/sessions/{visit.document_id}")
    begun.raise_for_status()
    session = str(begun.json()["session"])
    try:
        sent = await visit.client.post(
            f"/frames/{visit.document_id}", params={"session": session, "n": "1"}, content=b"\x04" + _STEP_1,
            headers=_BYTES,
        )  # fmt: skip
        sent.raise_for_status()
        if await _streams(visit, session):
            return well("requests", "people behind strict firewalls can write, and hear by a stream")
        asked = {"session": f"{session}.0", "wait": "5"}
        heard = await visit.client.get(f"/poll/{visit.document_id}", params=asked)
        heard.raise_for_status()
    finally:
        await visit.client.delete(f"/sessions/{visit.document_id}", params={"session": session})
    if not heard.content:
        return broken("requests", "nothing is heard", "Something answers in the server's place: let it keep nothing.")
    return worse("requests", "people behind strict firewalls can write, and hear by long polls only", _BUFFER)


async def _streams(visit: Visit, session: str) -> bool:
    try:
        async with (
            asyncio.timeout(_AT_ONCE_S),
            visit.client.stream("GET", f"/sse/{visit.document_id}", params={"session": f"{session}.0"}) as response,
        ):
            response.raise_for_status()
            seen = b""
            async for part in response.aiter_bytes():
                seen += part
                if b"event: frame" in seen:
                    return True
    except (TimeoutError, httpx.TransportError):
        pass
    return False


async def idle(visit: Visit, patience_s: float) -> Finding:
    """Whether a quiet connection stays open."""
    what = "quiet connections"
    holders: dict[str, Callable[[Callable[[], None]], Coroutine[Any, Any, None]]] = {
        _SOCKET: lambda heard: _hold_socket(visit, heard),
        _STREAM: lambda heard: _hold_stream(visit, heard),
    }
    names = [name for name in holders if name in visit.works]
    if not names:
        return worse(what, "there is none to be held", "See above.")
    held = await asyncio.gather(*(_held(holders[name], patience_s) for name in names))
    cut = [f"the {name} is cut after {at_s:.0f} s" for name, (at_s, _) in zip(names, held, strict=True) if at_s]
    if cut:
        change = (
            "The server says something every 15 s. nginx: `proxy_read_timeout 75s;`; HAProxy: `timeout tunnel 1h` and "
            "`timeout server 75s`."
        )
        return broken(what, " and ".join(cut), change)
    silent_s = max(silent_s for _, silent_s in held)
    if silent_s > _SILENT_S:
        change = (
            f"Something keeps back what the server says every 15 s, if COSCRIBE_KEEPALIVE_S is not longer. {_BUFFER}"
        )
        return worse(what, f"nothing was heard for {silent_s:.0f} s", change)
    return well(what, f"still open after {patience_s:.0f} s: {', '.join(names)}")


async def _held(
    hold: Callable[[Callable[[], None]], Coroutine[Any, Any, None]], patience_s: float
) -> tuple[float, float]:
    """After how many seconds it was cut, 0 where it was not; and the longest silence."""
    began = last = time.monotonic()
    silent_s = 0.0

    def heard() -> None:
        nonlocal last, silent_s
        silent_s, last = max(silent_s, time.monotonic() - last), time.monotonic()

    try:
        async with asyncio.timeout(patience_s):
            await hold(heard)
    except TimeoutError:
        if time.monotonic() - began >= patience_s:
            heard()
            return 0.0, silent_s
    except (OSError, WebSocketException, httpx.HTTPError):
        pass
    return max(1.0, time.monotonic() - began), silent_s


async def _hold_socket(visit: Visit, heard: Callable[[], None]) -> None:
    async with _connected(visit, f"/ws/{visit.document_id}") as socket:
        await _listen(socket, heard)


async def _listen(socket: ClientConnection, heard: Callable[[], None]) -> None:
    async for _ in socket:
        heard()


async def _hold_stream(visit: Visit, heard: Callable[[], None]) -> None:
    timeout = httpx.Timeout(_AT_ONCE_S, read=None)
    async with visit.client.stream("GET", visit.path("/events"), timeout=timeout) as response:
        response.raise_for_status()
        async for _ in response.aiter_bytes():
            heard()
