"""Clients that know nothing of Coscribe: y-websocket 2 and 3, @y/websocket 4, pycrdt's own provider, a raw socket."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from pycrdt import Channel, Doc, Provider, Text
from tests.support.documents import new_document, socket_url, text_of
from tests.support.server import CoscribeServer
from tests.support.stock import StockClient
from tests.support.typist import Typist
from tests.support.wire_bytes import one, typed
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from coscribe.core.lib0 import write_bytes


@pytest.mark.node
@pytest.mark.parametrize("major", [2, 3, 4])
async def test_stock_client_syncs_both_ways(server: CoscribeServer, major: int) -> None:
    document_id = new_document(server, "# Здравей 😀\n")
    async with StockClient(major, server.url, document_id) as stock, Typist(socket_url(server, document_id)) as ours:
        assert await stock.ask("synced") == "# Здравей 😀\n"
        await stock.ask("insert", index=0, what="á😀")
        await ours.wait_text("á😀# Здравей 😀\n")
        await ours.insert(0, "ours ")
        await stock.ask("await", expected="ours á😀# Здравей 😀\n")
        await ours.wait_saved()
    assert text_of(server, document_id) == "ours á😀# Здравей 😀\n"


@pytest.mark.node
@pytest.mark.parametrize("major", [2, 3, 4])
async def test_what_a_stock_client_typed_offline_arrives(server: CoscribeServer, major: int) -> None:
    document_id = new_document(server, "start")
    async with StockClient(major, server.url, document_id) as stock, Typist(socket_url(server, document_id)) as ours:
        await stock.ask("synced")
        await stock.ask("offline")
        await stock.ask("insert", index=5, what=" offline")
        await ours.wait_synced()
        await ours.insert(0, "online ")
        await stock.ask("online")
        await stock.ask("await", expected="online start offline")
        await ours.wait_text("online start offline")


@pytest.mark.node
async def test_both_majors_and_ours_see_each_other(server: CoscribeServer) -> None:
    document_id = new_document(server)
    async with AsyncExitStack() as stack:
        two = await stack.enter_async_context(StockClient(2, server.url, document_id))
        three = await stack.enter_async_context(StockClient(3, server.url, document_id))
        await two.ask("synced")
        await three.ask("synced")
        await two.ask("name", name="Mallory")
        await three.ask("name", name="Eve")
        # D9: the name is the server's, whatever the client says of itself; its own copy stays as it wrote it.
        assert set(await two.ask("people", count=2)) == {"Mallory", "Someone with the link"}
        await two.ask("insert", index=0, what="two ")
        await three.ask("await", expected="two ")
        await three.ask("insert", index=4, what="three")
        await two.ask("await", expected="two three")


@pytest.mark.node
async def test_carriage_returns_of_a_stock_client_become_line_feeds(server: CoscribeServer) -> None:
    """D12."""
    document_id = new_document(server)
    async with StockClient(3, server.url, document_id) as stock:
        await stock.ask("synced")
        await stock.ask("insert", index=0, what="a\r\nb\rc")
        await stock.ask("await", expected="a\nb\nc")


class SocketChannel(Channel):
    """What pycrdt's provider wants of a socket."""

    def __init__(self, socket: ClientConnection, path: str) -> None:
        self._socket = socket
        self._path = path

    @property
    def path(self) -> str:
        return self._path

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except ConnectionClosed:
            raise StopAsyncIteration from None

    async def send(self, message: bytes) -> None:
        await self._socket.send(message)

    async def recv(self) -> bytes:
        message = await self._socket.recv()
        assert isinstance(message, bytes)
        return message


async def test_pycrdts_own_provider_syncs_both_ways(server: CoscribeServer) -> None:
    document_id = new_document(server, "hello")
    doc: Doc[Text] = Doc()
    text = doc.get("content", type=Text)
    async with (
        connect(socket_url(server, document_id), proxy=None) as socket,
        Provider(doc, SocketChannel(socket, document_id)),
        Typist(socket_url(server, document_id)) as ours,
    ):
        await _reads(text, "hello")
        text += " wörld"
        await ours.wait_text("hello wörld")
        await ours.insert(0, "😀")
        await _reads(text, "😀hello wörld")


async def test_a_raw_socket_can_follow_the_protocol(server: CoscribeServer) -> None:
    """P4: the server speaks first, with its step 1; a step 1 is answered with a step 2."""
    document_id = new_document(server)
    async with connect(socket_url(server, document_id), compression=None, proxy=None) as socket:
        assert await socket.recv() == b"\x00\x00\x01\x00"
        await socket.send(b"\x00\x00\x01\x00")
        assert await socket.recv() == b"\x00\x01\x02\x00\x00"
        update = b"\x01\x01\x05\x00\x04\x01\x07content\x02hi\x00"
        await socket.send(b"\x00\x02" + bytes((len(update),)) + update)
        await socket.send(b"\x00\x00\x01\x00")
        assert await socket.recv() == b"\x00\x01" + bytes((len(update),)) + update


async def test_who_asks_for_it_hears_his_own_update_back(server: CoscribeServer) -> None:
    """P18: `echo=1`."""
    document_id = new_document(server)
    update = b"\x00\x02" + write_bytes(one(5, 0, typed("a")))
    async with connect(f"{socket_url(server, document_id)}?echo=1", compression=None, proxy=None) as socket:
        assert await socket.recv() == b"\x00\x00\x01\x00"
        await socket.send(update)
        assert await socket.recv() == update
    assert text_of(server, document_id) == "a"


async def _reads(text: Text, expected: str) -> None:
    """Wait until a text reads as expected."""
    changed = asyncio.Event()
    subscription = text.observe(lambda _: changed.set())
    async with asyncio.timeout(20):
        while str(text) != expected:
            changed.clear()
            await changed.wait()
    text.unobserve(subscription)
