"""Handshakes that nobody should send, at the real `/ws`: refused or tolerated; no 5xx and no trace in the log."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.support.documents import new_document
from tests.support.proof import Proof
from tests.support.raw_socket import RawSocket, cut_up, request
from tests.support.server import CoscribeServer

pytestmark = pytest.mark.alone

_PATH = "/ws/DOCUMENT"

# No WebSocket may come of these.
REFUSED: dict[str, bytes] = {
    "no key": request(_PATH, ("Sec-WebSocket-Key", None)),
    "an empty key": request(_PATH, ("Sec-WebSocket-Key", "")),
    "a short key": request(_PATH, ("Sec-WebSocket-Key", "YWJj")),
    "a key that is no base64": request(_PATH, ("Sec-WebSocket-Key", "*" * 24)),
    "a key beyond ASCII": request(_PATH, ("Sec-WebSocket-Key", "\xe4" * 24)),
    "two keys": request(_PATH, ("X: y\r\nSec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")),
    "no version": request(_PATH, ("Sec-WebSocket-Version", None)),
    "version 8": request(_PATH, ("Sec-WebSocket-Version", "8")),
    "version 14": request(_PATH, ("Sec-WebSocket-Version", "14")),
    "a version in words": request(_PATH, ("Sec-WebSocket-Version", "thirteen")),
    "a huge version": request(_PATH, ("Sec-WebSocket-Version", "1" * 5000)),
    "no upgrade": request(_PATH, ("Upgrade", None)),
    "another upgrade": request(_PATH, ("Upgrade", "h2c")),
    "no connection header": request(_PATH, ("Connection", None)),
    "connection: close": request(_PATH, ("Connection", "close")),
    "POST": request(_PATH, method="POST"),
    "HEAD": request(_PATH, method="HEAD"),
    "DELETE": request(_PATH, method="DELETE"),
    "CONNECT": request("127.0.0.1:80", method="CONNECT"),
    "a method of its own": request(_PATH, method="SHOUT"),
    "an empty method": request(_PATH, method=""),
    "HTTP/0.9": b"GET " + _PATH.encode() + b"\r\n\r\n",
    "HTTP/9.9": request(_PATH, protocol="HTTP/9.9"),
    "the start of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a start of TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "a greeting of SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "noise": random.Random(7).randbytes(4000),
    "NUL bytes": bytes(2000),
    "no target": request(""),
    "a target with a space": request("/ws/a b"),
    "a target with NUL": request(b"/ws/a\x00b"),
    "a long target": request("/ws/" + "a" * 100_000),
    "a long header": request(_PATH, ("Cookie", "a" * 200_000)),
    "headers without end": request(_PATH)[:-2] + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)),
    "a header without a colon": request(_PATH)[:-2] + b"nonsense\r\n\r\n",
    "a space before the colon": request(_PATH)[:-2] + b"X-Odd : y\r\n\r\n",
    "a header without a name": request(_PATH)[:-2] + b": y\r\n\r\n",
    "a NUL in a header": request(_PATH, ("X-Odd", "a\x00b")),
    "a lone CR in a header": request(_PATH, ("X-Odd", "a\rb")),
    "two lengths": request(_PATH)[:-2] + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "length and chunks": request(_PATH)[:-2] + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": request(_PATH)[:-2] + b"Content-Length: -1\r\n\r\n",
    "a broken subprotocol": request(_PATH, ("Sec-WebSocket-Protocol", "a b, (c)")),
    "a foreign origin": request(_PATH, ("Origin", "https://elsewhere.example")),
    "the origin null": request(_PATH, ("Origin", "null")),
    "an origin that is none": request(_PATH, ("Origin", "http://[")),
    "an origin beyond ASCII": request(_PATH, ("Origin", "http://\xfc")),
}  # fmt: skip

# These are odd; whether a WebSocket comes of them is not the point.
TOLERATED: dict[str, bytes] = {
    "HTTP/1.0": request(_PATH, protocol="HTTP/1.0"),
    "no host": request(_PATH, ("Host", None)),
    "a host that is none": request(_PATH, ("Host", "[::1")),
    "a host beyond ASCII": request(_PATH, ("Host", "\xfc\xff")),
    "two hosts": request(_PATH, ("X: y\r\nHost", "elsewhere.example")),
    "empty lines in front": b"\r\n" * 50 + request(_PATH),
    "bare line feeds": request(_PATH).replace(b"\r\n", b"\n"),
    "an absolute target": request("http://127.0.0.1" + _PATH),
    "a target beyond ASCII": request("/ws/\u00fc"),
    "a target of odd escapes": request("/ws/%zz%00%ff%2e%2e%2f"),
    "a query beyond ASCII": request(_PATH + "?token=\u00fc"),
    "a query of odd escapes": request(_PATH + "?token=%ff%00&&=&token"),
    "a long query": request(_PATH + "?token=" + "a" * 50_000),
    "a fragment": request(_PATH + "#there"),
    "dots in the target": request("/ws/../../etc/passwd"),
    "many headers": request(_PATH, *((f"X-{number}", "y") for number in range(1000))),
    "a cookie that is none": request(_PATH, ("Cookie", "coscribe_session=\xff\xfe; ;;=;coscribe_session")),
    "a bearer that is none": request(_PATH, ("Authorization", "Bearer \xfc\xfd")),
    "an empty token as subprotocol": request(_PATH, ("Sec-WebSocket-Protocol", "coscribe.token.")),
    "many subprotocols": request(_PATH, ("Sec-WebSocket-Protocol", ", ".join(f"p{number}" for number in range(500)))),
    "a broken extension": request(_PATH, ("Sec-WebSocket-Extensions", "permessage-deflate; =")),
    "an extension of its own": request(_PATH, ("Sec-WebSocket-Extensions", "x-own; a=1, permessage-deflate")),
    "a body": request(_PATH)[:-2] + b"Content-Length: 5\r\n\r\nhello",
    "frames before the answer": request(_PATH) + b"\xff" * 500,
}  # fmt: skip


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoscribeServer]:
    with CoscribeServer(tmp_path_factory.mktemp("target")) as running:
        yield running


async def answered(target: CoscribeServer, pieces: list[bytes]) -> int:
    """The status; the client says no more after its handshake, as a program that gave up."""
    async with RawSocket(target.url) as line:
        await line.send(pieces)
        with suppress(OSError):  # it may have hung up already
            line.writer.write_eof()
        return await line.status()


@pytest.mark.proof(
    promise="No handshake makes the server stumble",
    faults="fuzz",
    how="malformed and odd handshakes over raw sockets, whole and cut up at random: refused with 4xx or a closed line",
)
async def test_no_handshake_makes_the_server_stumble(target: CoscribeServer, proof: Proof) -> None:
    document_id = new_document(target)
    random_ = random.Random(20261123)
    rounds = proof.rounds(2, 40)
    stumbles = set()
    for number in range(rounds):
        for cases, allowed in ((REFUSED, {0, *range(400, 500)}), (TOLERATED, {0, 101, *range(400, 500)})):
            for name, template in cases.items():
                whole = template.replace(b"DOCUMENT", document_id.encode())
                status = await answered(target, cut_up(whole, random_) if number else [whole])
                if status not in allowed:
                    stumbles.add((name, status))
    assert not stumbles
    assert await answered(target, [request(f"/ws/{document_id}")]) == 101
    assert "Traceback" not in target.log
    proof.told(handshakes=rounds * (len(REFUSED) + len(TOLERATED)), kinds=len(REFUSED) + len(TOLERATED))


@pytest.mark.proof(
    promise="Whoever says nothing, or never comes to the end, is hung up on",
    faults="drip",
    how="silent connections and heads sent a byte at a time; each is closed within 15 s",
)
async def test_a_head_that_does_not_end_is_hung_up_on(target: CoscribeServer, proof: Proof) -> None:
    lines = proof.rounds(20, 500)

    async def drip(number: int) -> int:
        async with RawSocket(target.url) as line, asyncio.timeout(15):
            whole = iter(request("/ws/x", ("Cookie", "a" * 1000)) if number % 2 else b"")
            while not line.reader.at_eof():
                await line.send(bytes((byte,)) for byte in [next(whole, None)] if byte is not None)
                try:
                    async with asyncio.timeout(0.5):
                        return len(await line.reader.read(100))
                except TimeoutError:
                    continue
                except ConnectionError:
                    return 0
            return 0

    assert set(await asyncio.gather(*map(drip, range(lines)))) == {0}
    proof.told(connections=lines)
