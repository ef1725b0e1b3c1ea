"""From an upgrade request to a line or a refusal, byte by byte at a real server."""

from __future__ import annotations

import asyncio
import base64
import re
import struct
from collections.abc import Callable

import pytest
from tests.support.documents import new_document
from tests.support.raw_socket import RawSocket, closing, frame, request
from tests.support.rfc6455 import BINARY, CLOSE, PING, PONG, TEXT, Frame
from tests.support.server import CoscribeServer
from tests.support.wire_bytes import framed, one, typed

HELLO = frame(BINARY, b"\x70\x01\x00\x00")
UNKNOWN = "/ws/nosuchdocumentnosuchdo"
PATIENCE_S = 30


async def head(line: RawSocket) -> str:
    """The head of the server's answer."""
    async with asyncio.timeout(PATIENCE_S):
        return (await line.reader.readuntil(b"\r\n\r\n")).decode()


async def heard(line: RawSocket, is_it: Callable[[Frame], bool]) -> Frame:
    """The next frame that is meant."""
    while found := await line.frame():
        if is_it(found):
            return found
    raise AssertionError("the server has hung up")


async def hung_up(line: RawSocket) -> bool:
    """Whether nothing more comes and the connection ends."""
    return await line.frame() is None


def of(opcode: int) -> Callable[[Frame], bool]:
    return lambda found: found.opcode == opcode


@pytest.fixture
async def document_id(server: CoscribeServer) -> str:
    return await asyncio.to_thread(new_document, server, "text")


async def opened(server: CoscribeServer, line: RawSocket, path: str) -> None:
    """Get the line beyond its handshake."""
    await line.send([request(path)])
    assert await line.status() == 101


async def test_frames_behind_the_handshake_are_not_lost(server: CoscribeServer, document_id: str) -> None:
    typing = frame(BINARY, framed(2, one(5, 0, typed("early "))))
    async with RawSocket(server.url) as line:
        await line.send([request(f"/ws/{document_id}") + HELLO + typing + frame(PING, b"early")])
        assert await line.status() == 101
        ack, pong = None, None
        while not (ack and pong):
            found = await heard(line, lambda found: found.opcode == PONG or found.payload[:1] == b"\x71")
            ack, pong = (ack, found) if found.opcode == PONG else (found, pong)
        assert pong.payload == b"early"
        assert ack.payload[:2] == b"\x71\x01"


@pytest.mark.parametrize("cut", [1, 6, 20])
async def test_a_frame_in_two_packets_around_the_handshakes_end_is_whole(
    server: CoscribeServer, document_id: str, cut: int
) -> None:
    typing = frame(BINARY, framed(2, one(5, 0, typed("early "))))
    async with RawSocket(server.url) as line:
        await opened(server, line, f"/ws/{document_id}")
        await line.send([HELLO + typing[:cut]])
        await heard(line, of(BINARY))
        await line.send([typing[cut:]])
        await heard(line, lambda found: found.payload[:2] == b"\x71\x01")


async def test_more_than_a_client_may_send_early_arrives_all_the_same(server: CoscribeServer, document_id: str) -> None:
    """Where it is too much, it waits in the network until the line has begun."""
    frames = 3000
    typing = [
        frame(BINARY, framed(2, one(5, at, typed("x", after=(5, at - 1) if at else None)))) for at in range(frames)
    ]
    pings = b"".join(frame(PING, bytes(100)) for _ in range(1000))
    async with RawSocket(server.url) as line:
        await opened(server, line, f"/ws/{document_id}")
        line.writer.write(HELLO + pings + b"".join(typing))
        await heard(line, lambda found: found.payload[:3] == b"\x71" + bytes((frames & 127 | 128, frames >> 7)))


async def test_the_key_is_answered_as_the_rfc_says(server: CoscribeServer, document_id: str) -> None:
    async with RawSocket(server.url) as line:
        await line.send([request(f"/ws/{document_id}")])
        told = await head(line)
    assert told.startswith("HTTP/1.1 101 ")
    assert "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in told.lower()


@pytest.mark.parametrize("path", [UNKNOWN, "/ws/x", f"{UNKNOWN}?token=nothing"])
async def test_who_is_refused_hears_why_and_is_hung_up_on(server: CoscribeServer, path: str) -> None:
    async with RawSocket(server.url) as line:
        await opened(server, line, path)
        denied, end = await line.frame(), await line.frame()
        assert denied is not None
        assert end is not None
        assert (denied.opcode, denied.payload[:2], end.opcode) == (BINARY, b"\x02\x00", CLOSE)
        code, reason = int.from_bytes(end.payload[:2], "big"), end.payload[2:].decode()
        assert code == (4401 if "token" in path else 4404)
        assert denied.payload[3:].decode() == reason
        await line.send([HELLO, closing(code)])
        assert await hung_up(line)


async def test_who_answers_before_the_refusal_is_hung_up_on_too(server: CoscribeServer) -> None:
    async with RawSocket(server.url) as line:
        await line.send([request(UNKNOWN) + HELLO + closing(1000)])
        assert await line.status() == 101
        assert await line.close_code() == 4404
        assert await hung_up(line)


@pytest.mark.parametrize("text", [b"", b"hello", "grüße".encode()])
async def test_text_is_not_understood(server: CoscribeServer, document_id: str, text: bytes) -> None:
    async with RawSocket(server.url) as line:
        await opened(server, line, f"/ws/{document_id}")
        await line.send([HELLO + frame(TEXT, text)])
        assert await line.close_code() == 4400
        await line.send([closing(4400)])
        assert await hung_up(line)


@pytest.mark.parametrize("payload", [b"", b"ping", bytes(125)])
async def test_a_ping_is_answered_with_the_same(server: CoscribeServer, document_id: str, payload: bytes) -> None:
    async with RawSocket(server.url) as line:
        await opened(server, line, f"/ws/{document_id}")
        await line.send([frame(PING, payload)])
        assert (await heard(line, of(PONG))).payload == payload


@pytest.mark.parametrize(("code", "reason"), [(1000, b""), (1001, b"going"), (4999, "grüße".encode())])
async def test_a_close_is_answered_with_its_code(
    server: CoscribeServer, document_id: str, code: int, reason: bytes
) -> None:
    async with RawSocket(server.url) as line:
        await opened(server, line, f"/ws/{document_id}")
        await line.send([closing(code, reason)])
        assert (await heard(line, of(CLOSE))).payload == struct.pack("!H", code)
        assert await hung_up(line)


async def test_a_close_without_a_code_is_answered_with_one_without(server: CoscribeServer, document_id: str) -> None:
    async with RawSocket(server.url) as line:
        await opened(server, line, f"/ws/{document_id}")
        await line.send([frame(CLOSE)])
        assert (await heard(line, of(CLOSE))).payload == b""
        assert await hung_up(line)


@pytest.mark.parametrize("version", [None, "8", "12", "14", "13, 8", "x"])
async def test_another_version_is_told_ours(server: CoscribeServer, document_id: str, version: str | None) -> None:
    async with RawSocket(server.url) as line:
        await line.send([request(f"/ws/{document_id}", ("Sec-WebSocket-Version", version))])
        told = await head(line)
    assert told.startswith("HTTP/1.1 426 ")
    assert "\r\nsec-websocket-version: 13\r\n" in told.lower()


@pytest.mark.parametrize("key", [None, "", "YWJj", "*" * 24, base64.b64encode(bytes(17)).decode()])
async def test_a_key_that_is_none_is_refused(server: CoscribeServer, document_id: str, key: str | None) -> None:
    async with RawSocket(server.url) as line:
        await line.send([request(f"/ws/{document_id}", ("Sec-WebSocket-Key", key))])
        assert (await head(line)).startswith("HTTP/1.1 400 ")


@pytest.mark.parametrize("path", ["/", "/ws", "/ws/", "/ws/a/b", "/wsx", "/api/v1/documents"])
async def test_a_path_that_is_no_documents_is_not_found(server: CoscribeServer, path: str) -> None:
    async with RawSocket(server.url) as line:
        await line.send([request(path)])
        told = await head(line)
    assert told.startswith("HTTP/1.1 404 ")
    assert "sec-websocket-accept" not in told.lower()


async def test_a_foreign_page_gets_no_socket(server: CoscribeServer, document_id: str) -> None:
    async with RawSocket(server.url) as line:
        await line.send([request(f"/ws/{document_id}", ("Origin", "https://elsewhere.example"))])
        assert (await head(line)).startswith("HTTP/1.1 403 ")


def sockets_of(server: CoscribeServer) -> list[tuple[str, int]]:
    """Path and code of each socket in the access log."""
    found = re.findall(r" socket +method=WS path=(\S+) status=(\d+) ", server.log)
    return [(path, int(status)) for path, status in found]


async def test_each_socket_is_one_line_of_the_access_log(own_server: CoscribeServer) -> None:
    document_id = await asyncio.to_thread(new_document, own_server)
    here = f"/ws/{document_id}"
    for sent in (closing(1000), frame(TEXT, b"x"), frame(BINARY, b"x", masked=False), frame(CLOSE)):
        async with RawSocket(own_server.url) as line:
            await opened(own_server, line, f"{here}?nothing=secret")
            await line.send([sent])
            code = await line.close_code()
            await line.send([closing(code or 1000)])
            assert await hung_up(line)
    for path, version in ((UNKNOWN, "13"), ("/ws/a/b", "13"), (here, "8")):
        async with RawSocket(own_server.url) as line:
            await line.send([request(path, ("Sec-WebSocket-Version", version))])
            if await line.status() == 101:
                await line.close_code()
            await line.send([closing(1000)])
    async with RawSocket(own_server.url) as line:  # hangs up without a word
        await opened(own_server, line, here)
        await heard(line, of(BINARY))
    with own_server.client() as client:
        while len(sockets_of(own_server)) < 8:
            await asyncio.to_thread(client.get, "/health/live")

    assert sorted(sockets_of(own_server)) == sorted(
        [(here, 1000), (here, 4400), (here, 1002), (here, 1005), (UNKNOWN, 4404), ("/ws/a/b", 404), (here, 426),
         (here, 1006)]
    )  # fmt: skip
    assert "secret" not in own_server.log
    assert "Traceback" not in own_server.log
