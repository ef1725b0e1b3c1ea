"""Pastes of megabytes and documents of many lines: those who type beside them notice nothing (F21, F22)."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import pytest
from pycrdt import Doc, Text
from tests.support.documents import new_document, socket_url, text_of
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.wire_bytes import framed
from tests.torture.pacing import Pacer
from websockets.asyncio.client import ClientConnection, connect

pytestmark = pytest.mark.alone

MEGABYTE = 2**20
LINE = "A line of text as people write them, größer 😀 漢字.\n"


def most_ms(proof: Proof) -> int:
    """Others' typing stays below this for 99 of 100 letters; the short form runs beside other tests."""
    return 250 if proof.full else 4_000


def a_paste(size: int) -> bytes:
    """An update of one insert."""
    doc: Doc[Text] = Doc({"content": Text()})
    doc["content"] += (LINE * (size // len(LINE.encode()) + 1)).encode()[:size].decode(errors="ignore")
    return doc.get_update()


async def until_settled(line: ClientConnection) -> bool:
    """Wait for the first ack; gives whether what it settles was stored, not refused."""
    refused = False
    async for frame in line:
        assert isinstance(frame, bytes)
        refused = refused or (frame[0] == 0x73 and b'"refused"' in frame)
        if frame[0] == 0x71:
            return not refused
    raise AssertionError(f"closed with {line.close_code}: {line.close_reason}")


@pytest.mark.parametrize(("size", "is_stored"), [(9 * MEGABYTE, True), (11 * MEGABYTE, False)])
@pytest.mark.proof(
    promise="A paste of 10 MB is stored or refused in seconds, and nobody else's typing waits for it",
    faults="F21",
    how="letters from socket to socket in the same document and in another one meanwhile",
)
async def test_a_large_paste_stalls_nobody(
    proof: Proof, own_server: CoscribeServer, size: int, is_stored: bool
) -> None:
    took_s: list[float] = []
    pasted, other = (socket_url(own_server, new_document(own_server)) for _ in range(2))
    update = a_paste(size)

    async def paste() -> None:
        async with connect(pasted, compression=None, max_size=None, proxy=None) as line:
            await line.send(b"\x70\x01\x00\x00")
            began = time.perf_counter()
            await line.send(framed(2, update))
            assert await until_settled(line) is is_stored
            took_s.append(time.perf_counter() - began)

    async with Pacer(pasted) as same, Pacer(other) as beside, asyncio.TaskGroup() as group:
        group.create_task(same.type_while(paste()))
        group.create_task(beside.type_while(asyncio.sleep(0)))

    assert took_s[0] < (4 if proof.full else 30)
    assert same.p99_ms < most_ms(proof)
    assert beside.p99_ms < most_ms(proof)
    text = text_of(own_server, pasted.rpartition("/")[2])
    assert (len(text.encode()) > size) is is_stored
    proof.told(
        **{f"{'stored' if is_stored else 'refused'}_s": round(took_s[0], 2)},
        p99_same_ms=round(same.p99_ms, 1),
        p99_beside_ms=round(beside.p99_ms, 1),
    )


@pytest.mark.proof(
    promise="A document of 100,000 lines opens in two seconds, and typing in it is as quick as in an empty one",
    faults="F22",
    how="5 MB, server started anew, letters from socket to socket; rounds are seconds",
)
async def test_a_document_of_many_lines(proof: Proof, own_server: CoscribeServer) -> None:
    text = (LINE * 100_000)[: 5 * MEGABYTE]
    empty, large = new_document(own_server), new_document(own_server, "")
    with own_server.client() as guest:
        guest.put(
            f"/api/v1/documents/{large}/text", content=text.encode(), headers={"Content-Type": "text/plain"}
        ).raise_for_status()
    own_server.stop()
    own_server.start()

    began = time.perf_counter()
    async with Typist(socket_url(own_server, large)) as reader:
        await reader.wait_synced()
        opened_s = time.perf_counter() - began
        assert str(reader.text) == text
    seconds = proof.rounds(1, 15)
    slow, quick = socket_url(own_server, large), socket_url(own_server, empty)
    async with Pacer(quick) as beside, Pacer(slow) as inside, asyncio.TaskGroup() as group:
        group.create_task(beside.type_while(asyncio.sleep(seconds)))
        group.create_task(inside.type_while(asyncio.sleep(seconds)))

    assert opened_s < (2 if proof.full else 20)
    assert inside.p99_ms < most_ms(proof)
    assert median(inside.took_ms) < 5 * median(beside.took_ms) + 5
    proof.told(
        opened_s=round(opened_s, 2),
        p99_large_ms=round(inside.p99_ms, 1),
        p99_empty_ms=round(beside.p99_ms, 1),
    )
