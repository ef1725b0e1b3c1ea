"""Floods by hand: whoever sends as fast as the line takes it delays nobody else and fills nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from itertools import count
from pathlib import Path
from statistics import median

import pytest
from tests.support.documents import feed_url, new_document, socket_url
from tests.support.healing import healed, keystrokes, people
from tests.support.holding import until_sessions
from tests.support.ledger import Ledger
from tests.support.proof import Proof, p99
from tests.support.raw_socket import RawSocket, frame, request
from tests.support.rfc6455 import BINARY, PING
from tests.support.server import CoscribeServer
from tests.support.viewer import Viewer
from tests.support.wire_bytes import framed, one, presence, typed
from tests.torture.pacing import Pacer

pytestmark = pytest.mark.alone

# Every other one reads what it is told; the rest read nothing.
_FLOODERS = 4
# Of a late key, and of the one in the middle: other tests run on this machine too.
_MOST_S = 0.4
_MOST_MEDIAN_S = 0.1
# The short form runs on whatever machine there is, beside whatever it does: times as much.
_SHORT_TIMES = 4
_MOST_GROWTH = 64 * 2**20
_HELLO = b"\x70\x01\x00\x00"
# Messages are written in heaps, so that this process is not what limits the flood.
_HEAP = 50

Make = Callable[[int], Iterator[bytes]]


def _updates(client: int) -> Iterator[bytes]:
    """One letter behind the other, as quick typing, without end. Blanks: the ledger knows only words."""
    yield framed(2, one(client, 0, typed(" ")))
    for clock in count(1):
        yield framed(2, one(client, clock, typed(" ", after=(client, clock - 1))))


def _crowds(client: int) -> Iterator[bytes]:
    """Letters in front of one another, by several who hear nothing: the engine looks each one's place up among all."""
    yield framed(2, one(client, 0, typed(" ")))
    for clock in count(1):
        yield framed(2, one(client, clock, typed(" ", before=(client, clock - 1))))


def _gaps(client: int) -> Iterator[bytes]:
    """Updates whose predecessor never comes."""
    for clock in count(2, 2):
        yield framed(2, one(client, clock, typed(" ", after=(client, clock - 1))))


def _questions(client: int) -> Iterator[bytes]:
    """Everything is asked for, again and again."""
    while True:
        yield framed(0, b"\x00")


def _states(client: int) -> Iterator[bytes]:
    """A cursor that moves without rest."""
    for clock in count(1):
        yield presence((client, clock, json.dumps({"line": clock % 1000 + 1, "cursor": None, "state": "active"})))


def _empty(client: int) -> Iterator[bytes]:
    """Updates that hold nothing; each has to be acked."""
    while True:
        yield framed(2, b"\x00\x00")


FLOODS: dict[str, Make | None] = {
    "update": _updates, "gap": _gaps, "step-1": _questions, "awareness": _states, "empty": _empty, "ping": None,
}  # fmt: skip


@pytest.mark.proof(
    promise="Somebody who floods the server delays nobody else's typing and does not fill its memory",
    faults="floods",
    how="four sockets in their document, two of which read nothing, send one kind of message as fast as they can",
)
@pytest.mark.parametrize("kind", FLOODS)
async def test_floods(proof: Proof, server: CoscribeServer, tmp_path: Path, kind: str) -> None:
    keys = proof.rounds(60, 600)
    document_id = new_document(server)
    with Ledger(tmp_path / "ledger") as ledger:
        async with Viewer(feed_url(server, document_id)) as viewer, AsyncExitStack() as stack:
            writers = await people(server, document_id, ledger, "ab")
            before, memory = await keystrokes(*writers, keys), server.memory_bytes
            sent = [0]
            flooding = []
            for number in range(_FLOODERS):
                socket = await stack.enter_async_context(RawSocket(server.url))
                flooding.append(asyncio.create_task(_flood(socket, document_id, FLOODS[kind], number + 1, sent)))
                if number % 2:
                    flooding.append(asyncio.create_task(_read(socket)))
            during = await keystrokes(*writers, keys)
            grown = server.memory_bytes - memory
            for task in flooding:
                task.cancel()
            await asyncio.gather(*flooding, return_exceptions=True)
            await stack.aclose()
            await until_sessions(server, len(writers))
            await healed(server, document_id, ledger, writers, viewer)
    proof.told(messages=sent[0], p99_ms_before=round(p99(before) * 1e3, 1), p99_ms_during=round(p99(during) * 1e3, 1))
    proof.told(grown_mb=grown // 2**20)
    assert sent[0] > 0
    times = 1 if proof.full else _SHORT_TIMES
    assert median(during) < max(_MOST_MEDIAN_S * times, 5 * median(before))
    assert proof.late(during) < max(_MOST_S * times, 5 * proof.late(before))
    assert grown < _MOST_GROWTH


@pytest.mark.proof(
    promise="Many who type at one place, which the engine makes expensive, delay nobody in another document",
    faults="floods",
    how="four sockets send letters in front of one another as fast as they can; letters there and elsewhere meanwhile",
)
async def test_a_crowd_at_one_place(proof: Proof, own_server: CoscribeServer) -> None:
    crowded, other = new_document(own_server), new_document(own_server)
    sent = [0]
    async with AsyncExitStack() as stack:
        beside = await stack.enter_async_context(Pacer(socket_url(own_server, other)))
        same = await stack.enter_async_context(Pacer(socket_url(own_server, crowded)))
        sockets = [await stack.enter_async_context(RawSocket(own_server.url)) for _ in range(_FLOODERS)]
        flooding = [
            asyncio.create_task(work)
            for client, socket in enumerate(sockets, start=1)
            for work in (_flood(socket, crowded, _crowds, client, sent), _read(socket))
        ]
        seconds = proof.rounds(3, 30)
        await asyncio.gather(*(pacer.type_while(asyncio.sleep(seconds)) for pacer in (beside, same)))
        for task in flooding:
            task.cancel()
        await asyncio.gather(*flooding, return_exceptions=True)
    proof.told(messages=sent[0], p99_ms_same=round(same.p99_ms, 1), p99_ms_beside=round(beside.p99_ms, 1))
    most_ms = _MOST_S * 1000 * (1 if proof.full else _SHORT_TIMES)
    assert proof.late(beside.took_ms) < most_ms
    assert proof.late(same.took_ms) < 2 * most_ms
    assert not proof.full or "loop_stalled" not in own_server.log


async def _flood(socket: RawSocket, document_id: str, make: Make | None, client: int, sent: list[int]) -> None:
    socket.writer.write(request(f"/ws/{document_id}") + frame(BINARY, _HELLO))
    messages = make(client) if make is not None else None
    with suppress(ConnectionError):
        while not socket.writer.is_closing():
            heap = b"".join(
                frame(PING, b"x") if messages is None else frame(BINARY, next(messages)) for _ in range(_HEAP)
            )
            socket.writer.write(heap)
            await socket.writer.drain()
            sent[0] += _HEAP
            await asyncio.sleep(0)


async def _read(socket: RawSocket) -> None:
    with suppress(ConnectionError):
        while await socket.reader.read(2**18):
            continue
