"""Traces, as a receiver of OTLP gets them from a real server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.api.calls import new_document, new_link, path_of, put_text
from tests.support import failing_server
from tests.support.documents import socket_url
from tests.support.figures import figures
from tests.support.otlp import Receiver, receiver
from tests.support.server import CoscribeServer
from tests.support.sick_disk import locked
from tests.support.typist import HttpTypist, Typist

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "kP3vQ9-_xYz0123456789abcdefghijklmnopqrstuv"
# Without the extra: the import of what it brings fails.
BARE = [
    sys.executable,
    "-c",
    "import sys; sys.modules['opentelemetry.sdk'] = None; from coscribe.cli import main; sys.exit(main())",
]
STOPS_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def traces() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture(scope="module")
def traced(traces: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoscribeServer]:
    folder, command = tmp_path_factory.mktemp("traced"), failing_server.COMMAND
    with CoscribeServer(folder, command=command, environment=traces.environment, compact_every=5) as server:
        yield server


def test_a_request_is_a_span_below_the_one_it_came_with(traced: CoscribeServer, traces: Receiver) -> None:
    with traced.client() as client:
        made = new_document(client)
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        assert client.get(path_of(made, "/text"), params={"at": 0}, headers=headers).status_code == 200
    span = traces.wait(lambda span: span.trace == TRACE and span.name.startswith("GET"))
    assert span.name == "GET /api/v1/documents/{document_id}/text"
    assert (span.parent, span.is_error) == (PARENT, False)
    assert span.facts == {
        "http.request.method": "GET",
        "http.route": "/api/v1/documents/{document_id}/text",
        "http.response.status_code": 200,
    }
    load = traces.wait(lambda span: span.name == "load" and span.facts["coscribe.document_id"] == made["id"])
    assert load.facts["coscribe.entries"] == 0
    assert traces.wait(lambda span: span.id == load.parent).trace == load.trace
    assert traces.resource["service.name"] == "coscribe"


def test_what_is_not_there_has_the_name_of_its_method(traced: CoscribeServer, traces: Receiver) -> None:
    with traced.client() as client:
        trace = TRACE[::-1]
        answer = client.request("PROPFIND", f"/{SECRET}", headers={"traceparent": f"00-{trace}-{PARENT}-01"})
    span = traces.wait(lambda span: span.trace == trace)
    assert span.facts == {"http.request.method": "_OTHER", "http.response.status_code": answer.status_code}
    assert span.name == "_OTHER"


async def test_commits_and_compactions_are_spans_and_keystrokes_are_none(
    traced: CoscribeServer, traces: Receiver
) -> None:
    with traced.client() as client:
        made = new_document(client, access="editor")
    bearer = {"Authorization": f"Bearer {traced.token('typist')}"}
    url = socket_url(traced, made["id"])
    async with (
        Typist(url) as ann,
        HttpTypist(url, "stream", headers=bearer) as ben,
        HttpTypist(url, "poll", headers=bearer) as cid,
    ):
        for typist in (ann, ben, cid):
            await typist.wait_synced()
        for _ in range(10):
            for typist in (ann, ben, cid):
                await typist.insert(0, "typed ")
                await typist.wait_saved()
    commit = traces.wait(lambda span: span.name == "commit" and span.facts["coscribe.bytes"] != 0)
    assert (commit.parent, commit.facts["coscribe.documents"]) == ("", 1)
    compacted = traces.wait(lambda span: span.name == "compact" and span.facts["coscribe.document_id"] == made["id"])
    assert int(compacted.facts["coscribe.snapshot_bytes"]) > 0
    with traced.client() as client:
        put_text(client, made, "the last")
    traces.wait(lambda span: span.name.startswith("PUT"))
    told = {span.name for span in traces.spans}
    assert {name for name in told if "frames" in name or "poll" in name or "/ws" in name} == set()
    assert {name for name in told if " " not in name} <= {"load", "commit", "compact", "_OTHER", "GET", "POST"}


def test_no_secret_leaves_the_server(tmp_path: Path) -> None:
    with receiver() as told:
        # Which has FastAPI send traces, metrics and logs of its own, with paths and queries, where it may.
        environment = told.environment | {"FASTAPI_OTEL_AUTO_CONFIGURE": "true"}
        with CoscribeServer(tmp_path, environment=environment) as server:
            token, reading = _shared_in_secret(server)
            with server.client() as guest:
                guest.headers.update({"Authorization": f"Bearer {SECRET}", "Cookie": f"coscribe_session={SECRET}"})
                guest.headers.update({"traceparent": f"00-{TRACE}-{PARENT}-01"})
                guest.headers.update({"tracestate": f"a={SECRET}", "baggage": f"a={SECRET}"})
                for path in (f"/r/{reading}", f"/r/{reading}/body", f"/s/{reading}", f"/api/v1/me?token={SECRET}"):
                    guest.get(path)
        told_of = {span.name for span in told.spans if span.trace == TRACE}
        assert told_of == {"GET /r/{secret}", "GET /r/{secret}/body", "GET /s/{secret}", "GET /api/v1/me"}
        for secret in (SECRET[:20], reading, token, "nobody"):
            assert secret.encode() not in told.raw


def _shared_in_secret(server: CoscribeServer) -> tuple[str, str]:
    """A token, and the secret of a link to a document of its owner's."""
    token = server.token("secret")
    with server.client(token) as owner:
        made = new_document(owner, title="Plan of nobody", text="words of nobody")
        return token, new_link(owner, made, "viewer")[1]


async def test_a_database_that_fails_is_an_error_with_its_reason(traced: CoscribeServer, traces: Receiver) -> None:
    with traced.client() as client:
        made = new_document(client, access="editor")
    async with Typist(socket_url(traced, made["id"])) as typist:
        await typist.wait_synced()
        with locked(traced):
            await typist.insert(0, "typed ")
            await typist.wait(lambda: bool(typist.heard.notices))
        await typist.wait_saved()
    failed = traces.wait(lambda span: span.name == "commit" and span.is_error)
    assert failed.says == "database is locked"
    assert failed.facts["error.type"] == "Unavailable"


def test_the_last_spans_leave_at_the_stop(tmp_path: Path) -> None:
    with receiver() as last:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": last.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        with CoscribeServer(tmp_path, environment=environment) as server, server.client() as client:
            new_document(client, text="words")
            assert last.spans == []
        assert {span.name for span in last.spans} >= {"POST /api/v1/documents", "load", "commit"}


# Where it is not received


def test_who_takes_the_last_spans_and_does_not_answer_holds_no_stop(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        with CoscribeServer(tmp_path, environment=environment) as server, server.client() as client:
            new_document(client, text="words")
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < STOPS_WITHIN_S


@pytest.mark.parametrize("answers", [False, True], ids=["nobody listens", "nobody answers"])
def test_a_receiver_that_is_away_disturbs_nobody(tmp_path: Path, answers: bool) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        if answers:
            taken.listen()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        environment = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        }
        with CoscribeServer(tmp_path, environment=environment) as server, server.client() as client:
            made = new_document(client, text="words")
            while not figures(server.url)["coscribe_tracing_failures_total"]:
                assert client.get(path_of(made, "/text")).text == "words"
            client.get(path_of(made, "/text"))
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < STOPS_WITHIN_S
            assert server.log.count("tracing_failed") == 1
            assert "Traceback" not in server.log


def test_without_the_extra_the_server_says_what_to_install(tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "PATH": "/usr/bin:/bin"}
    ended = subprocess.run(
        [*BARE, "serve", "--port", "0", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.endswith(
        "coscribe: OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: "
        "pip install 'coscribe[tracing]'\n"
    )


def test_another_protocol_is_refused_by_name(tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    ended = subprocess.run(
        [sys.executable, "-m", "coscribe", "serve", "--port", "0", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf" in ended.stderr


def test_where_nobody_asks_for_traces_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "coscribe"]
    with CoscribeServer(tmp_path, command=command) as server, server.client() as client:
        new_document(client, text="words")
    assert "coscribe.serving" in server.log
    assert "opentelemetry.sdk" not in server.log
    assert "coscribe.tracing" not in server.log
