"""Several workers of one address: any of them serves any document, and whoever writes by requests finds his session."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.documents import feed_url, new_document, socket_url, text_of
from tests.support.redis import RedisServer
from tests.support.server import COMMAND, CoscribeServer
from tests.support.typist import HttpTypist, Typist
from tests.support.viewer import Viewer
from tests.support.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

WORKERS = 3


@pytest.fixture
def server(tmp_path: Path, postgres_url: str, own_redis: RedisServer) -> Iterator[CoscribeServer]:
    """A server of three workers."""
    with CoscribeServer(tmp_path, workers=WORKERS, database_url=postgres_url, redis_url=own_redis.url) as server:
        yield server


def workers_of(pid: int) -> set[int]:
    """The processes that a process has made, those that have ended aside."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, _, rest = stat.read_text().partition(" ")
            state, parent = rest.rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.add(int(number))
    return found


def running() -> set[int]:
    """Every process there is."""
    return {int(folder.name) for folder in Path("/proc").glob("[0-9]*")}


def measured(server: CoscribeServer, name: str, **labels: str) -> dict[str, float]:
    """What each worker says of a metric, of samples with these labels."""
    with server.client() as reader:
        text = reader.get("/metrics").raise_for_status().text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found: dict[str, float] = {}
    for sample in samples:
        if sample.name == name and labels.items() <= sample.labels.items():
            worker = sample.labels["worker"]
            found[worker] = found.get(worker, 0.0) + sample.value
    return found


async def test_people_at_all_workers_write_one_text(server: CoscribeServer) -> None:
    document_id = new_document(server)
    async with AsyncExitStack() as stack:
        people: list[Typist] = [
            await stack.enter_async_context(Typist(socket_url(server, document_id))) for _ in range(8)
        ]
        for carrier in ("stream", "poll"):
            for _ in range(3):
                person = HttpTypist(socket_url(server, document_id), carrier)
                people.append(await stack.enter_async_context(person))
        viewer = await stack.enter_async_context(Viewer(feed_url(server, document_id)))
        for person in people:
            await person.wait_synced()
        sessions = measured(server, "coscribe_sessions")
        by_requests = [measured(server, "coscribe_sessions", carrier=carrier) for carrier in ("stream", "poll")]
        for letter in "abcde":
            for person in people:
                await person.insert(0, letter)
        for person in people:
            await person.wait_saved()
            await person.wait(lambda person=person: len(person.text) == 5 * len(people))  # type: ignore[misc]
        text = str(people[0].text)
        await viewer.wait_text(text)

        assert {str(person.text) for person in people} == {text}
        assert text_of(server, document_id) == text
    assert sum(sessions.values()) == len(people)
    assert len([count for count in sessions.values() if count]) > 1
    # All sessions by requests of a document are at its worker, whoever they came to.
    assert sorted(sum(each.values()) for each in by_requests) == [3, 3]
    assert len({worker for each in by_requests for worker, count in each.items() if count}) == 1


async def test_a_worker_that_ends_is_started_again_and_nothing_saved_is_lost(server: CoscribeServer) -> None:
    document_id = new_document(server)
    before = workers_of(server.pid)
    assert len(before) == WORKERS
    for round_ in range(WORKERS):
        async with Typist(socket_url(server, document_id)) as ann:
            await ann.wait_synced()
            await ann.insert(len(ann.text), f"{round_}")
            await ann.wait_saved()
        os.kill(sorted(before)[round_], signal.SIGKILL)
        await until(lambda: len(workers_of(server.pid)) == WORKERS, within_s=30)

    await until(lambda: not before & workers_of(server.pid), within_s=30)
    await until(lambda: len(measured(server, "coscribe_sessions")) == WORKERS, within_s=30)
    assert text_of(server, document_id) == "012"
    assert server.log.count("worker_ended") == WORKERS


def test_a_worker_that_stands_still_does_not_keep_the_metrics_of_the_others_back(server: CoscribeServer) -> None:
    frozen = min(workers_of(server.pid))
    os.kill(frozen, signal.SIGSTOP)
    try:
        while True:  # a connection may come to the one that stands still
            with suppress(httpx.TimeoutException):
                answer = httpx.get(f"{server.url}/metrics", timeout=10.0, trust_env=False)
                break
    finally:
        os.kill(frozen, signal.SIGCONT)
    told = {part.partition('"')[0] for part in answer.text.split('worker="')[1:]}
    assert len(told) == WORKERS - 1


async def test_the_stop_is_a_servers_and_takes_all_of_them(server: CoscribeServer) -> None:
    document_id, pids = new_document(server), workers_of(server.pid)
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(Typist(socket_url(server, document_id))) for _ in range(6)]
        for person in people:
            await person.wait_synced()
        assert server.stop() == -signal.SIGTERM
        for person in people:
            await person.wait(lambda person=person: person.closed is not None)  # type: ignore[misc]
    assert {person.closed[0] for person in people if person.closed} == {1012}
    assert not pids & running()


async def test_workers_end_when_what_keeps_them_is_killed(server: CoscribeServer) -> None:
    pids = workers_of(server.pid)
    server.kill()
    await until(lambda: not pids & running(), within_s=30)


async def test_nobody_is_somebody_else_by_the_header_of_workers(server: CoscribeServer) -> None:
    forged = {"X-Coscribe-Handed-On": "0" * 64 + " http 192.0.2.1 1"}
    with server.client() as visitor:
        assert visitor.get("/api/v1/documents", headers=forged).status_code == 200
    await until(lambda: "path=/api/v1/documents status=200" in server.log)  # written when the answer is out
    assert "192.0.2.1" not in server.log


def test_a_request_with_a_body_where_none_belongs_is_answered(server: CoscribeServer) -> None:
    with server.client() as visitor:
        for number in range(2 * WORKERS):
            answer = visitor.request("GET", f"/poll/{number}", params={"session": "x" * 22}, content=b"body")
            assert answer.status_code == 404
    assert "Traceback" not in server.log


def test_an_upload_that_stalls_has_an_end_at_whatever_worker(server: CoscribeServer) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    says = {"Host": f"{host}:{port}", "Origin": server.url, "Content-Type": "application/octet-stream"}
    head = "".join(f"{name}: {value}\r\n" for name, value in (says | {"Content-Length": "500000"}).items())
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection((host, int(port)), 40)) for _ in range(6)]
        for number, line in enumerate(lines):
            path = f"/frames/{number}?session={'x' * 22}&n=1"
            line.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\nabc".encode())
        answers = {line.recv(100).split(b" ", 2)[1] for line in lines}
    assert answers <= {b"401", b"404", b"408"}
    assert b"408" in answers
    assert "Traceback" not in server.log


def test_a_start_that_is_broken_off_ends_at_once(tmp_path: Path, postgres_url: str, own_redis: RedisServer) -> None:
    settings = {"COSCRIBE_DATABASE_URL": postgres_url, "COSCRIBE_REDIS_URL": own_redis.url}
    command = [*COMMAND, "serve", "--port", "0", "--workers", "8", "--data-dir", str(tmp_path)]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL) as starting:
        while len(workers_of(starting.pid)) < 3:
            assert starting.poll() is None
        starting.terminate()
        assert starting.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "SQLite is written by one process"),
        ({"database_url": "postgresql+asyncpg://x@127.0.0.1:1/x"}, "set COSCRIBE_REDIS_URL"),
    ],
    ids=["sqlite", "no redis"],
)
def test_where_several_cannot_serve_the_start_says_why(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    environment = {f"COSCRIBE_{name.upper()}": value for name, value in settings.items()}
    done = subprocess.run(
        [*COMMAND, "serve", "--port", "0", "--workers", "2", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 1
    assert words in done.stderr


def test_a_worker_that_cannot_start_ends_the_start(tmp_path: Path, postgres_url: str) -> None:
    settings = {"COSCRIBE_DATABASE_URL": postgres_url, "COSCRIBE_REDIS_URL": "nonsense://x"}
    done = subprocess.run(
        [*COMMAND, "serve", "--port", "0", "--workers", "2", "--data-dir", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60, env=os.environ | settings,
    )  # fmt: skip
    assert done.returncode == 1
    assert "A worker could not start" in done.stderr
    assert "COSCRIBE_REDIS_URL cannot be used" in done.stderr
