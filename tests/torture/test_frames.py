"""Frames that no client library would send, at the real `/ws`: the close code that RFC 6455 or our protocol names."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from tests.support.documents import new_document, socket_url
from tests.support.process import memory_bytes
from tests.support.proof import Proof
from tests.support.raw_socket import RawSocket, closing, cut_up, frame, header, request
from tests.support.rfc6455 import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from tests.support.server import CoscribeServer
from tests.support.typist import HELLO, Typist

pytestmark = pytest.mark.alone

# 16 MB, the default of `max_frame_bytes`, and one more.
_TOO_LONG = 16 * 2**20 + 1
_MB = 2**20

# What is sent, and the close codes that may answer it; 0 is a line that was just cut.
CASES: dict[str, tuple[bytes, set[int]]] = {
    "a frame without a mask": (frame(BINARY, HELLO, masked=False), {1002}),
    "a ping without a mask": (frame(PING, masked=False), {1002}),
    **{f"reserved bits {rsv}": (frame(BINARY, HELLO, rsv=rsv), {1002}) for rsv in range(1, 8)},
    **{f"opcode {opcode}": (frame(opcode, b"x"), {1002}) for opcode in (*range(3, 8), *range(11, 16))},
    "nothing to continue": (frame(CONTINUATION, b"x"), {1002}),
    "nothing to continue, and more": (frame(CONTINUATION, b"x", fin=False), {1002}),
    "a message in a message": (frame(BINARY, b"x", fin=False) + frame(BINARY, b"x"), {1002}),
    "text in a binary message": (frame(BINARY, b"x", fin=False) + frame(TEXT, b"x"), {1002}),
    "half a ping": (frame(PING, b"x", fin=False), {1002}),
    "half a close": (frame(CLOSE, b"", fin=False), {1002}),
    "a ping of 126 bytes": (frame(PING, bytes(126)), {1002}),
    "a pong of 64 KB": (frame(PONG, bytes(2**16)), {1002}),
    "a close of 126 bytes": (closing(1000, b"x" * 124), {1002}),
    "a close of one byte": (frame(CLOSE, b"\x03"), {1002}),
    **{
        f"close code {code}": (closing(code), {1002})
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
    },
    "a reason that is no UTF-8": (closing(1000, b"\xff\xfe"), {1002, 1007}),
    "a reason of a surrogate": (closing(1000, b"\xed\xa0\x80"), {1002, 1007}),
    "text that is no UTF-8": (frame(TEXT, b"\xff"), {1007}),
    "text that ends too early": (frame(TEXT, b"\xe2\x82"), {1007}),
    "text in pieces that is no UTF-8": (frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"x"), {1007}),
    "a frame that is too long": (header(BINARY, _TOO_LONG), {1009}),
    "a length of 2^62": (header(BINARY, 2**62), {1009}),
    "a length of 2^63": (header(BINARY, 2**63), {1002, 1009}),
    "a length of 2^64 - 1": (header(BINARY, 2**64 - 1), {1002, 1009}),
    "pieces that are too long": (
        frame(BINARY, bytes(_TOO_LONG // 2), fin=False) + header(CONTINUATION, _TOO_LONG // 2 + 1, fin=False),
        {1009},
    ),
    "text": (frame(TEXT, b"hello"), {4400}),
    "empty text": (frame(TEXT), {4400}),
    "an empty message": (frame(BINARY), {4400}),
    "an empty message in pieces": (frame(BINARY, fin=False) + frame(CONTINUATION), {4400}),
    "an unknown message": (frame(BINARY, b"\x63"), {4400}),
    "a number without an end": (frame(BINARY, b"\xff" * 20), {4400}),
    "a sync step that is none": (frame(BINARY, b"\x00\x07\x00"), {4400}),
    "bytes behind the end": (frame(BINARY, b"\x00\x00\x01\x00\x00"), {4400}),
    "an ack from a client": (frame(BINARY, b"\x71\x01\x01"), {4400}),
    "a good close": (closing(1000), {1000}),
    "a good close of our own": (closing(4999, "gr\u00fc\u00dfe".encode()), {4999}),
    "a close without a code": (frame(CLOSE), {0, 1005}),
    "noise": (random.Random(11).randbytes(5000), {0, 1002, 1009}),
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoscribeServer]:
    with CoscribeServer(tmp_path_factory.mktemp("target")) as running:
        yield running


@asynccontextmanager
async def opened(target: CoscribeServer, document_id: str, first: bytes = b"") -> Iterator[RawSocket]:
    """A WebSocket of the document, beyond its handshake."""
    async with RawSocket(target.url) as line:
        await line.send([request(f"/ws/{document_id}")])
        assert await line.status() == 101
        await line.send([frame(BINARY, HELLO), first])
        yield line


@pytest.mark.proof(
    promise="No frame makes the server stumble",
    faults="fuzz",
    how="malformed frames over raw sockets, whole and cut up at random: the close code of RFC 6455 or of our protocol",
)
async def test_no_frame_makes_the_server_stumble(target: CoscribeServer, proof: Proof) -> None:
    document_id = new_document(target, "what was there")
    random_ = random.Random(20261123)
    rounds = proof.rounds(2, 40)
    stumbles = set()
    async with Typist(socket_url(target, document_id)) as neighbour:
        await neighbour.wait_synced()
        for number in range(rounds):
            for name, (whole, allowed) in CASES.items():
                async with opened(target, document_id) as line:
                    await line.send(cut_up(whole, random_) if number else [whole])
                    code = await line.close_code()
                    if code not in allowed:
                        stumbles.add((name, code))
        await neighbour.insert(0, "still here: ")
        await neighbour.wait_saved()
    assert not stumbles
    assert "Traceback" not in target.log
    proof.told(frames=rounds * len(CASES), kinds=len(CASES))


async def test_a_message_in_pieces_with_pings_between_is_one_message(target: CoscribeServer) -> None:
    document_id = new_document(target, "text")
    pieces = [frame(BINARY, b"\x00", fin=False), frame(PING, b"one"), frame(CONTINUATION, b"\x00\x01", fin=False)]
    async with opened(target, document_id) as line:
        await line.send([*pieces, frame(PONG, b"nobody asked"), frame(CONTINUATION, b"\x00")])
        heard = []
        while not (heard and heard[-1].payload[:2] == b"\x00\x01"):
            found = await line.frame()
            assert found is not None, heard
            heard.append(found)
    assert [found.payload for found in heard if found.opcode == PONG] == [b"one"]


@pytest.mark.proof(
    promise="A message that does not come to its end is not waited for",
    faults="drip",
    how="messages and fragments sent a byte at a time; each is closed within 15 s",
)
async def test_a_message_that_does_not_end_is_not_waited_for(target: CoscribeServer, proof: Proof) -> None:
    document_id = new_document(target)
    drips = {
        "a message": header(BINARY, 1000) + bytes(1000),
        "a header": header(BINARY, 2**20),
        "fragments": frame(BINARY, b"\x00", fin=False) + frame(CONTINUATION, b"\x00", fin=False) * 100,
        "fragments with pings": (
            frame(BINARY, b"\x00", fin=False) + (frame(PING) + frame(CONTINUATION, b"", fin=False)) * 100
        ),
    }

    async def drip(pieces: Iterator[int]) -> int:
        async with opened(target, document_id) as line, asyncio.timeout(15), asyncio.TaskGroup() as tasks:
            code = tasks.create_task(line.close_code())
            while not code.done():
                await line.send(bytes((byte,)) for byte in [next(pieces, None)] if byte is not None)
                await asyncio.wait([code], timeout=0.5)
            return code.result()

    lines = proof.rounds(1, 50)
    codes = await asyncio.gather(*(drip(iter(message)) for message in drips.values() for _ in range(lines)))
    assert set(codes) == {1008}
    proof.told(connections=len(codes))


FLOODS = {
    "pings of one who reads nothing": frame(PING, bytes(125)) * 500,
    "fragments without an end": frame(CONTINUATION, fin=False) * 10_000,
    "fragments of a byte": frame(CONTINUATION, b"x", fin=False) * 10_000,
    "pongs that nobody asked for": frame(PONG, bytes(125)) * 500,
}


@pytest.mark.proof(
    promise="Floods of control frames and fragments fill no memory and delay nobody else",
    faults="flood F9",
    how="pings of one who reads nothing, empty and tiny fragments, pongs, while somebody else types and waits for acks",
)
async def test_floods_fill_no_memory_and_delay_nobody(target: CoscribeServer, proof: Proof) -> None:
    flooded, quiet = new_document(target), new_document(target)
    megabytes = proof.rounds(12, 200)
    grown, slowest = 0.0, 0.0
    async with Typist(socket_url(target, quiet)) as neighbour:
        await neighbour.wait_synced()
        for flood in FLOODS.values():
            before = memory_bytes(target.pid)
            async with opened(target, flooded, frame(BINARY, fin=False)) as line:
                line.writer.transport.pause_reading()
                pouring = asyncio.create_task(_pour(line, flood, megabytes * _MB))
                while not pouring.done():
                    slowest = max(slowest, await _seconds_to_save(neighbour))
                    grown = max(grown, (memory_bytes(target.pid) - before) / _MB)
    # One message may have 16 MB and is held twice while it grows; what is kept for nobody would be all that was sent.
    assert grown < 40
    assert slowest < 2
    assert "Traceback" not in target.log
    proof.told(sent_mb=megabytes * len(FLOODS), grown_mb=round(grown, 1), slowest_save_ms=round(slowest * 1000))


async def _pour(line: RawSocket, flood: bytes, total: int) -> None:
    """Send until so many bytes have gone, the server hangs up, or takes nothing for two seconds."""
    with suppress(ConnectionError, TimeoutError):
        for _ in range(0, total, len(flood)):
            line.writer.write(flood)
            async with asyncio.timeout(2):
                await line.writer.drain()


async def _seconds_to_save(person: Typist) -> float:
    began = asyncio.get_running_loop().time()
    await person.insert(0, "x")
    await person.wait_saved()
    return asyncio.get_running_loop().time() - began
