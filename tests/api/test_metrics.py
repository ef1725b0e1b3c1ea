"""What a server measures, who may read it, and that nobody is in it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.api.calls import new_document, path_of, put_text
from tests.support.documents import socket_url
from tests.support.figures import figures
from tests.support.server import CoscribeServer
from tests.support.sse import event_stream
from tests.support.typist import HttpTypist, Typist
from websockets.asyncio.client import connect

from coscribe import metrics
from coscribe.core.lib0 import write_string
from coscribe.metrics import Metrics
from coscribe.model import Carrier

TOP = Path(metrics.__file__).parent


async def test_what_happens_is_counted_and_what_is_there_is_measured(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        made = new_document(client, text="text")
        async with Typist(socket_url(own_server, made["id"])) as person:
            await person.wait_synced()
            await person.insert(0, "more ")
            await person.wait_saved()
            found = figures(own_server.url)
    assert found["coscribe_sessions{carrier=websocket}"] == 1
    assert found["coscribe_rooms{phase=live}"] == 1
    assert found["coscribe_rooms{phase=closed}"] == 0
    assert found["coscribe_updates_total"] == 2
    assert found["coscribe_ack_seconds_count"] == 2
    assert 0 < found["coscribe_ack_seconds_sum"] < 20
    assert found["coscribe_commit_seconds_count"] == 2
    assert 0 < found["coscribe_commit_seconds_sum"] < 20
    assert found["coscribe_commit_documents_sum"] == 2
    assert found["coscribe_unsaved_bytes"] == 0
    assert found["coscribe_storage_trouble"] == 0
    assert found["coscribe_connections"] >= 2
    assert found["coscribe_free_bytes"] > 0
    assert found["coscribe_process_open_fds"] > 5


async def test_sessions_are_counted_by_what_carries_them(own_server: CoscribeServer) -> None:
    bearer = {"Authorization": f"Bearer {own_server.token('carriers')}"}
    with own_server.client() as client:
        made = new_document(client, access="editor")
    url = socket_url(own_server, made["id"])
    async with (
        Typist(url) as ann,
        HttpTypist(url, "stream", headers=bearer) as ben,
        HttpTypist(url, "poll", headers=bearer) as cid,
        HttpTypist(url, "poll", headers=bearer) as dee,
        connect(f"{own_server.url.replace('http', 'ws', 1)}/hocuspocus", proxy=None) as provider,
    ):
        for typist in (ann, ben, cid, dee):
            await typist.wait_synced()
        await provider.send(write_string(made["id"]) + b"\x02\x00" + write_string("") + write_string("4.8.0"))
        await provider.recv()
        assert sessions(own_server) == {"websocket": 1, "stream": 1, "poll": 2, "hocuspocus": 1}
    while any(sessions(own_server).values()):
        pass  # until the server has noticed that all have left


def sessions(server: CoscribeServer) -> dict[str, float]:
    found = figures(server.url)
    return {carrier.value: found[f"coscribe_sessions{{carrier={carrier.value}}}"] for carrier in Carrier}


def test_readers_are_counted_by_how_they_read(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        made = new_document(client, text="text")
        polling = {"Accept": "application/json"}
        with event_stream(client, path_of(made, "/events")) as stream, ThreadPoolExecutor() as pool:
            position = stream.until("snapshot").id
            asked = pool.submit(client.get, path_of(made, "/events"), params={"after": position}, headers=polling)
            while not (found := figures(own_server.url))["coscribe_feed_readers{carrier=poll}"]:
                pass  # until it has come in
            put_text(client, made, "other")
            assert asked.result().status_code == 200
    assert found["coscribe_feed_readers{carrier=stream}"] == 1
    assert figures(own_server.url)["coscribe_feed_readers{carrier=poll}"] == 0


async def test_a_delivery_is_one_update_for_one_recipient(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        made = new_document(client, access="editor")
        other = new_document(client, access="editor")
        url = socket_url(own_server, made["id"])
        async with Typist(url) as ann, Typist(url) as ben, Typist(url) as cid:
            for typist in (ann, ben, cid):
                await typist.wait_synced()
            before = figures(own_server.url)["coscribe_deliveries_total"]
            await ann.insert(0, "a")
            for typist in (ben, cid):
                await typist.wait_text("a")
            put_text(client, other, "nobody is here")
            put_text(client, made, "ab")
            for typist in (ann, ben, cid):
                await typist.wait_text("ab")
            await ann.set_awareness(1, {"cursor": None})
            await ben.wait(lambda: bool(ben.heard.awareness))
            assert figures(own_server.url)["coscribe_deliveries_total"] - before == 2 + 3


def test_nobody_and_no_document_is_named_and_the_labels_stay_as_many(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        before = set(figures(own_server.url))
        ids = []
        for number in range(20):
            made = new_document(client, title=f"Secret plan {number}")
            put_text(client, made, "words")
            ids.append(made["id"])
        text = httpx.get(f"{own_server.url}/metrics").text
    assert not any(document_id in text for document_id in ids)
    assert "Secret" not in text
    # A phase is named when the first room was there.
    assert {name for name in set(figures(own_server.url)) - before if "rooms" not in name} == set()


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"])
def test_through_a_proxy_there_is_no_such_address(server: CoscribeServer, header: str) -> None:
    assert httpx.get(f"{server.url}/metrics").status_code == 200
    for value in ("127.0.0.1", "203.0.113.7", "for=127.0.0.1"):
        assert httpx.get(f"{server.url}/metrics", headers={header: value}).status_code == 404


def test_with_a_token_it_is_the_token_that_counts(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, metrics_token="open-sesame") as server:
        assert httpx.get(f"{server.url}/metrics").status_code == 404
        for wrong in ("Bearer open-sesam", "open-sesame", "Basic open-sesame", "Bearer"):
            assert httpx.get(f"{server.url}/metrics", headers={"Authorization": wrong}).status_code == 404
        headers = {"Authorization": "Bearer open-sesame", "X-Forwarded-For": "203.0.113.7"}
        assert figures(server.url, **headers)["coscribe_connections"] >= 1


def test_an_unknown_value_of_a_label_is_other() -> None:
    counted = Metrics()
    before = len(counted.text().splitlines())
    for value in ("never heard of", "../../x", "role"):
        counted.count("refused", {"limit": value})
    counted.count("never heard of", {})
    text = counted.text().decode()
    assert len(text.splitlines()) == before
    assert 'coscribe_refused_total{limit="other"} 2.0' in text
    assert 'coscribe_refused_total{limit="role"} 1.0' in text


def test_every_limit_that_something_is_refused_for_is_a_value_of_its_label() -> None:
    named = {found for file in TOP.rglob("*.py") for found in re.findall(r'limit="([a-z_]+)"', file.read_text("utf-8"))}
    text = Metrics().text().decode()
    assert {limit for limit in named if f'limit="{limit}"' not in text} == set()


def test_the_metrics_are_in_no_one_elses_document(server: CoscribeServer) -> None:
    with server.client() as client:
        assert "/metrics" not in client.get("/openapi.json").json()["paths"]
        assert client.get(path_of({"id": "x" * 22})).status_code == 404
