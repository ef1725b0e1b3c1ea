"""Dialect 2: @hocuspocus/provider 3 and 4 from npm, unchanged."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import AsyncExitStack

import httpx
import pytest
from tests.support.documents import new_document, socket_url, text_of
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.stock import HocuspocusClient, StockClient
from tests.support.typist import Typist

MAJORS = (3, 4)
PARTS = re.compile(r"\[[^]]*\]")
pytestmark = pytest.mark.node


@pytest.mark.parametrize("major", MAJORS)
async def test_a_provider_syncs_both_ways_and_its_light_is_true(server: CoscribeServer, major: int) -> None:
    document_id = new_document(server, "# Здравей 😀\n")
    async with (
        HocuspocusClient(major, server.url, document_id) as stock,
        Typist(socket_url(server, document_id)) as ours,
    ):
        assert await stock.ask("scope") == "read-write"
        assert await stock.ask("synced") == "# Здравей 😀\n"
        assert await stock.ask("saved") == "# Здравей 😀\n"
        await stock.ask("insert", index=0, what="á😀")
        await ours.wait_text("á😀# Здравей 😀\n")
        await ours.insert(0, "ours ")
        await stock.ask("await", expected="ours á😀# Здравей 😀\n")
        await stock.ask("saved")
        await ours.wait_saved()
    assert text_of(server, document_id) == "ours á😀# Здравей 😀\n"


@pytest.mark.parametrize("major", MAJORS)
async def test_what_a_provider_typed_offline_arrives(server: CoscribeServer, major: int) -> None:
    document_id = new_document(server, "start")
    async with (
        HocuspocusClient(major, server.url, document_id) as stock,
        Typist(socket_url(server, document_id)) as ours,
    ):
        await stock.ask("synced")
        await stock.ask("offline")
        await stock.ask("insert", index=5, what=" offline")
        assert await stock.ask("unsynced") > 0
        await ours.wait_synced()
        await ours.insert(0, "online ")
        await stock.ask("online")
        await stock.ask("await", expected="online start offline")
        await ours.wait_text("online start offline")
        await stock.ask("saved")


@pytest.mark.parametrize("major", MAJORS)
async def test_saved_means_that_a_killed_server_still_has_it(own_server: CoscribeServer, major: int) -> None:
    document_id = new_document(own_server)
    expected = ""
    async with HocuspocusClient(major, own_server.url, document_id) as stock:
        await stock.ask("saved")
        for number in range(10):
            word = f"{number} "
            await stock.ask("insert", index=len(expected), what=word)
            expected += word
            await stock.ask("saved")
            own_server.kill()
            own_server.start()
            assert text_of(own_server, document_id) == expected
            await stock.ask("saved")


async def test_every_kind_of_client_meets_in_one_document(server: CoscribeServer) -> None:
    document_id = new_document(server)
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(client)
            for client in (
                HocuspocusClient(3, server.url, document_id),
                HocuspocusClient(4, server.url, document_id),
                StockClient(2, server.url, document_id),
                StockClient(3, server.url, document_id),
            )
        ]
        ours = await stack.enter_async_context(Typist(socket_url(server, document_id)))
        await ours.wait_synced()
        expected = ""
        for number, client in enumerate(clients):
            await client.ask("synced")
            await client.ask("insert", index=len(expected), what=f"client {number} ")
            expected += f"client {number} "
            for each in clients:
                await each.ask("await", expected=expected)
            await ours.wait_text(expected)
        # D9: the name is the server's.
        await clients[0].ask("name", name="Mallory")
        assert "Someone with the link" in await clients[1].ask("people", count=1)
    assert text_of(server, document_id) == expected


@pytest.mark.proof(
    promise="What any client of Yjs shows as saved survives kill -9",
    faults="F1",
    how="@hocuspocus/provider 3 and 4, y-websocket 2, 3 and 4 and our client in one document; SIGKILL under typing",
)
async def test_every_kind_of_client_comes_through_kills_together(proof: Proof, own_server: CoscribeServer) -> None:
    document_id = new_document(own_server)
    random_ = random.Random(20261129)
    words: list[str] = []
    async with AsyncExitStack() as stack:
        providers = [
            await stack.enter_async_context(HocuspocusClient(major, own_server.url, document_id)) for major in MAJORS
        ]
        sockets = [
            await stack.enter_async_context(StockClient(major, own_server.url, document_id)) for major in (2, 3, 4)
        ]
        ours = await stack.enter_async_context(Typist(socket_url(own_server, document_id)))
        for client in (*providers, *sockets):
            await client.ask("synced")
        for kill in range(proof.rounds(5, 100)):
            for number, client in enumerate((*providers, *sockets)):
                words.append(f"[{kill}.{number}]")
                await client.ask("insert", index=0, what=words[-1])
            words.append(f"[{kill}.ours]")
            await ours.wait_synced()
            await ours.insert(0, words[-1])
            lit = random_.randrange(len(providers))
            await providers[lit].ask("saved")  # its light now says that what it has typed is on the disk
            own_server.kill()
            own_server.start()
            stored = text_of(own_server, document_id)
            assert [round_ for round_ in range(kill + 1) if f"[{round_}.{lit}]" not in stored] == []
            await ours.disconnect()
            await ours.connect()
        await ours.wait_saved()
        await ours.wait(lambda: sorted(PARTS.findall(str(ours.text))) == sorted(words))
        expected = str(ours.text)
        for client in (*providers, *sockets):
            await client.ask("await", expected=expected)
    assert text_of(own_server, document_id) == expected


@pytest.mark.parametrize("major", MAJORS)
async def test_one_socket_carries_several_documents(server: CoscribeServer, major: int) -> None:
    first, second = new_document(server, "one"), new_document(server, "two")
    async with HocuspocusClient(major, server.url, first, second, "A" * 22) as stock:
        assert await stock.ask("synced", at=0) == "one"
        assert await stock.ask("synced", at=1) == "two"
        assert "no such document" in await stock.ask("denied", at=2)
        await stock.ask("insert", at=1, index=3, what="!")
        await stock.ask("saved", at=1)
        await stock.ask("detach", at=1)
        await stock.ask("insert", at=0, index=3, what="?")
        await stock.ask("saved", at=0)
    assert (text_of(server, first), text_of(server, second)) == ("one?", "two!")


@pytest.mark.parametrize("major", MAJORS)
async def test_who_may_only_read_is_told_and_nothing_of_his_is_taken(
    server: CoscribeServer, owner: httpx.Client, major: int
) -> None:
    asked = {"text": "read", "access": "viewer"}
    document_id = (await asyncio.to_thread(owner.post, "/api/v1/documents", json=asked)).json()["id"]
    address = f"/api/v1/documents/{document_id}/text"
    async with HocuspocusClient(major, server.url, document_id) as stock:
        assert await stock.ask("scope") == "readonly"
        assert await stock.ask("saved") == "read"
        await stock.ask("insert", index=0, what="not ")
        plain = {"Content-Type": "text/plain"}
        await asyncio.to_thread(owner.put, address, content="read on", headers=plain)
        await stock.ask("await", expected="not read on")
        assert await stock.ask("unsynced") == 1
    assert (await asyncio.to_thread(owner.get, address)).text == "read on"


@pytest.mark.parametrize("major", MAJORS)
async def test_a_document_of_another_kind_is_refused_with_the_reason(server: CoscribeServer, major: int) -> None:
    document_id = new_document(server)
    async with HocuspocusClient(major, server.url, document_id) as stock:
        await stock.ask("saved")
        await stock.ask("map")
        [reason] = await stock.ask("closed")
        assert "content" in reason
    assert text_of(server, document_id) == ""
