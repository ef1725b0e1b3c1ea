"""Two real servers of one PostgreSQL database and one Redis: any of them serves any document."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.support.documents import feed_url, new_document, socket_url, text_of
from tests.support.fleet import Fleet, a_fleet
from tests.support.postgres import PostgresServer
from tests.support.redis import RedisServer
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.viewer import Viewer
from tests.support.writers import new_guest

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
async def fleet(tmp_path: Path, own_cluster: PostgresServer, own_redis: RedisServer) -> AsyncIterator[Fleet]:
    """Two servers."""
    async with a_fleet(tmp_path, own_cluster, own_redis, 2, proxied=False) as fleet:
        yield fleet


def a_client(server: CoscribeServer, headers: dict[str, str]) -> httpx.Client:
    """A visitor of a server with a cookie that another may have given."""
    return httpx.Client(
        base_url=server.url, headers={"Cookie": headers["Cookie"], "Origin": server.url}, trust_env=False
    )


async def test_people_at_two_servers_write_one_text_and_see_each_other(fleet: Fleet) -> None:
    here, there = fleet.servers
    document_id = new_document(here)
    async with (
        Typist(socket_url(here, document_id), headers=new_guest(here, "Ann")) as ann,
        Typist(socket_url(there, document_id), headers=new_guest(there, "Ben")) as ben,
        Viewer(feed_url(there, document_id)) as viewer,
    ):
        await ann.wait_synced()
        await ben.wait_synced()
        await ann.set_awareness(1, {"line": 1})
        await ben.wait(lambda: ann.doc.client_id in ben.heard.awareness)
        for _ in range(50):
            await ann.insert(len(ann.text), "a")
            await ben.insert(0, "b")
        await ann.wait_saved()
        await ben.wait_saved()
        await ann.wait(lambda: len(ann.text) == 100)
        await ben.wait_text(str(ann.text))
        await viewer.wait_text(str(ann.text))
        assert text_of(here, document_id) == text_of(there, document_id) == str(ann.text)


async def test_a_letter_is_at_the_other_server_as_soon_as_it_is_saved(fleet: Fleet) -> None:
    here, there = fleet.servers
    document_id = new_document(here)
    async with (
        Typist(socket_url(here, document_id)) as ann,
        Typist(socket_url(there, document_id)) as ben,
    ):
        await ann.wait_synced()
        await ben.wait_synced()
        took = []
        for number in range(20):
            began = time.perf_counter()
            await ann.insert(number, "x")
            await ben.wait_text("x" * (number + 1))
            took.append(time.perf_counter() - began)
    # Not by the look at the log every two seconds.
    assert sorted(took)[10] < 0.5


async def test_what_is_written_over_rest_at_one_server_is_read_at_the_other_at_once(fleet: Fleet) -> None:
    here, there = fleet.servers
    guest = new_guest(here, "Ann")
    with a_client(here, guest) as near, a_client(there, guest) as far:
        document_id = near.post("/api/v1/documents", json={"text": "one"}).json()["id"]
        assert far.get(f"/api/v1/documents/{document_id}/text").text == "one"
        near.put(
            f"/api/v1/documents/{document_id}/text", content="two", headers={"Content-Type": "text/plain"}
        ).raise_for_status()
        assert far.get(f"/api/v1/documents/{document_id}/text").text == "two"
        far.patch(f"/api/v1/documents/{document_id}", json={"title": "Named there"}).raise_for_status()
        assert near.get(f"/api/v1/documents/{document_id}").json()["title"] == "Named there"


@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "no redis"])
async def test_access_that_was_taken_away_at_one_server_ends_at_the_other(fleet: Fleet, with_redis: bool) -> None:
    here, there = fleet.servers
    guest = new_guest(here, "Ann")
    if not with_redis:
        fleet.redis.kill()
    with a_client(here, guest) as owner:
        document_id = owner.post("/api/v1/documents", json={"text": "secret"}).json()["id"]
        owner.patch(f"/api/v1/documents/{document_id}", json={"access": "editor"}).raise_for_status()
        async with Typist(socket_url(there, document_id), headers=new_guest(there, "Ben")) as ben:
            await ben.wait_synced()
            owner.patch(f"/api/v1/documents/{document_id}", json={"access": "restricted"}).raise_for_status()
            # How soon is measured in tests/torture/test_three_servers.py.
            await ben.wait(lambda: ben.closed is not None, timeout_s=30)
    assert ben.closed is not None
    assert ben.closed[0] == 4403


async def test_a_document_in_the_trash_ends_everywhere(fleet: Fleet) -> None:
    here, there = fleet.servers
    with a_client(here, new_guest(here, "Ann")) as owner:
        document_id = owner.post("/api/v1/documents", json={"text": "x"}).json()["id"]
        owner.patch(f"/api/v1/documents/{document_id}", json={"access": "editor"}).raise_for_status()
        async with Typist(socket_url(there, document_id)) as ben:
            await ben.wait_synced()
            owner.delete(f"/api/v1/documents/{document_id}").raise_for_status()
            await ben.wait(lambda: ben.closed is not None)
    assert ben.closed is not None
    assert ben.closed[0] == 4404


async def test_the_feed_goes_on_at_another_server_from_where_it_was(fleet: Fleet) -> None:
    here, there = fleet.servers
    document_id = new_document(here)
    async with Typist(socket_url(here, document_id)) as ann:
        await ann.wait_synced()
        await ann.insert(0, "one ")
        await ann.wait_saved()
        viewer = Viewer(feed_url(here, document_id))
        async with viewer:
            await viewer.wait_text("one ")
        await ann.insert(4, "two")
        await ann.wait_saved()
        viewer.url = feed_url(there, document_id)
        async with viewer:
            await viewer.wait_text("one two")
        assert viewer.snapshots == 1


async def test_a_name_that_is_changed_at_one_server_is_shown_at_the_other(fleet: Fleet) -> None:
    here, there = fleet.servers
    guest = new_guest(here, "Ann")
    document_id = new_document(here)
    async with (
        Typist(socket_url(there, document_id), headers={"Cookie": guest["Cookie"]}) as ann,
        Typist(socket_url(there, document_id)) as ben,
    ):
        await ann.wait_synced()
        await ben.wait_synced()
        await ann.set_awareness(1, {"line": 1})
        await ben.wait(lambda: ann.doc.client_id in ben.heard.awareness)
        with a_client(here, guest) as browser:
            await asyncio.to_thread(browser.patch, "/api/v1/me", json={"name": "Anna"})
        await ben.wait(lambda: '"Anna"' in ben.heard.awareness[ann.doc.client_id].state)
