"""What a server measures, who may read it, and that nobody is in it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from tests.api.calls import new_document, path_of, put_text
from tests.support.documents import socket_url
from tests.support.figures import figures
from tests.support.server import CoscribeServer
from tests.support.typist import Typist

from coscribe import metrics
from coscribe.metrics import Metrics

TOP = Path(metrics.__file__).parent


async def test_what_happens_is_counted_and_what_is_there_is_measured(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        made = new_document(client, text="text")
        async with Typist(socket_url(own_server, made["id"])) as person:
            await person.wait_synced()
            await person.insert(0, "more ")
            await person.wait_saved()
            found = figures(own_server.url)
    assert found["coscribe_sessions"] == 1
    assert found["coscribe_rooms{phase=live}"] == 1
    assert found["coscribe_rooms{phase=closed}"] == 0
    assert found["coscribe_updates_total"] == 2
    assert found["coscribe_ack_seconds_count"] == 2
    assert 0 < found["coscribe_ack_seconds_sum"] < 20
    assert found["coscribe_unsaved_bytes"] == 0
    assert found["coscribe_storage_trouble"] == 0
    assert found["coscribe_connections"] >= 2
    assert found["coscribe_free_bytes"] > 0
    assert found["coscribe_process_open_fds"] > 5


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
