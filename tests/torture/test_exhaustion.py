"""What a machine runs out of: files, memory, disk, time (F26 to F28); and sockets that say nothing (threat row 4)."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.documents import new_document, socket_url, text_of
from tests.support.figures import figures, refused
from tests.support.proof import Proof
from tests.support.server import COMMAND, CoscribeServer
from tests.support.typist import Typist

_FILES = 300


def limited(files: int) -> list[str]:
    """The command in a process that may have so many files open."""
    return ["/bin/sh", "-c", f'ulimit -n {files}; exec "$@"', sys.executable, *COMMAND]


async def _connection(server: CoscribeServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(server.url)
    return await asyncio.open_connection(address.hostname, address.port)


async def _asked(server: CoscribeServer) -> tuple[int, dict[str, Any], str]:
    """What a new connection hears: status, problem, Retry-After."""
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(f"{server.url}/api/v1/me")
        return answer.status_code, answer.json(), answer.headers.get("retry-after", "")


@pytest.mark.proof(
    promise="A server that runs out of files turns new visitors away in clear words and serves those who are there",
    faults="F26",
    how="a process with 300 files, twice as many connections as that, people typing meanwhile",
)
async def test_f26_without_files_new_visitors_are_turned_away_and_the_others_stay(proof: Proof, tmp_path: Path) -> None:
    floods = proof.rounds(1, 10)
    turned_away = 0.0
    with CoscribeServer(tmp_path, command=limited(_FILES)) as server:
        document_id = new_document(server)
        async with Typist(socket_url(server, document_id)) as one, Typist(socket_url(server, document_id)) as two:
            await one.wait_synced()
            await two.wait_synced()
            for flood in range(floods):
                async with AsyncExitStack() as stack:
                    for _ in range(2 * _FILES):
                        with suppress(ConnectionError):
                            _, writer = await _connection(server)
                            stack.enter_context(closing(writer))
                            writer.write(b"GET / HTTP/1.1\r\n")
                    status, problem, retry_after = await _asked(server)
                    assert (status, problem["limit"]) == (503, "max_connections")
                    assert problem["detail"] == "Too many connections are open."
                    assert int(retry_after) > 0
                    await one.insert(0, f"{flood};")
                    await one.wait_saved()
                    await two.insert(len(two.text), "x")
                    await two.wait_saved()
                while (await _asked(server))[0] != 200:
                    pass  # until the server has noticed that the flood is gone
            async with Typist(socket_url(server, document_id)) as late:
                await late.wait_synced()
                assert str(late.text) == str(one.text)
            found = figures(server.url)
            turned_away = found["coscribe_refused_total{limit=max_connections}"]
            assert found["coscribe_process_open_fds"] < _FILES
        assert "Traceback" not in server.log
        assert server.log.count("connections_full") == floods
    proof.told(connections=floods * 2 * _FILES, turned_away=int(turned_away))


@pytest.mark.proof(
    promise="Connections that say nothing take nobody's place but their own network's",
    faults="row 4",
    how="silent connections up to the limit of an address; from another address the server answers as always",
)
async def test_row_4_silent_connections_take_only_the_places_of_their_address(proof: Proof, tmp_path: Path) -> None:
    silent = proof.rounds(200, 2000)
    settings = {"max_connections_per_address": silent // 2, "trusted_proxies": '["127.0.0.2"]'}
    with CoscribeServer(tmp_path, **settings) as server:
        before = server.memory_bytes
        async with AsyncExitStack() as stack:
            ends = []
            for _ in range(silent):
                reader, writer = await _connection(server)
                stack.enter_context(closing(writer))
                ends.append(stack.enter_context(_cancelled(asyncio.create_task(_ended(reader)))))
            # Half of them are beyond the limit.
            while sum(end.done() for end in ends) < silent // 2:
                await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
            transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
            async with httpx.AsyncClient(transport=transport, timeout=30) as elsewhere:
                assert (await elsewhere.get(f"{server.url}/health/ready")).status_code == 200
                text = (await elsewhere.get(f"{server.url}/metrics")).text
                assert f'{{limit="max_connections_per_address"}} {silent // 2}.0' in text
            grown = server.memory_bytes - before
        assert grown < 16 * 2**20
    proof.told(connections=silent, memory_bytes=grown)


@contextmanager
def _cancelled(task: asyncio.Task[None]) -> Iterator[asyncio.Task[None]]:
    try:
        yield task
    finally:
        task.cancel()


async def _ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()


async def test_f27_without_memory_no_further_document_is_opened_until_one_is_closed(tmp_path: Path) -> None:
    # One byte is too little for everything: only ever one document is open.
    with CoscribeServer(tmp_path, max_memory_bytes=1) as server:
        first, second = new_document(server), new_document(server)
        async with Typist(socket_url(server, first)) as person:
            await person.wait_synced()
            async with Typist(socket_url(server, second)) as other:
                await other.wait(lambda: other.closed is not None)
                assert other.closed == (
                    1013, "The server has no memory left for one more document; try again in a moment.",
                )  # fmt: skip
            with server.client() as reader:
                answer = reader.get(f"/api/v1/documents/{second}/text")
                assert (answer.status_code, answer.json()["limit"]) == (503, "max_memory_bytes")
                assert int(answer.headers["retry-after"]) > 0
            await person.insert(0, "goes on")
            await person.wait_saved()
        with server.client() as reader:
            while reader.get(f"/api/v1/documents/{second}/text").status_code != 200:
                pass  # until the server has noticed that nobody is there
        assert refused(server.url, "max_memory_bytes") >= 2
        assert "memory_high" in server.log
        assert text_of(server, first) == "goes on"


@pytest.mark.proof(
    promise="A server near its bound of memory lets go of documents nobody has open, and stays near it",
    faults="F27",
    how="documents of 1 MB are read, one after the other, by a process bound to 30 MB more than it starts with",
)
async def test_f27_reading_many_documents_stays_near_the_bound(proof: Proof, tmp_path: Path) -> None:
    documents = proof.rounds(6, 60)
    with CoscribeServer(tmp_path) as server:
        ids = [new_document(server, f"{number}\n" + "line of words\n" * 75_000) for number in range(documents)]
    server = CoscribeServer(tmp_path)
    server.start()
    bound = server.memory_bytes + 30 * 2**20
    server.stop()
    server.configure(max_memory_bytes=bound)
    highest = 0
    with server:
        for document_id in ids:
            assert text_of(server, document_id).endswith("words\n")
            highest = max(highest, server.memory_bytes)
        assert figures(server.url)["coscribe_rooms{phase=live}"] < documents
    assert highest < bound + 40 * 2**20
    proof.told(documents=documents, bound_mb=bound // 2**20, highest_mb=highest // 2**20)


@pytest.mark.proof(
    promise="A server that stood still for five seconds loses nobody and nothing, and says so",
    faults="F28",
    how="SIGSTOP under typing; sockets stay open, the stall is counted and logged",
)
async def test_f28_a_stalled_server_disconnects_nobody(proof: Proof, tmp_path: Path) -> None:
    stall_s = proof.rounds(2, 5)
    with CoscribeServer(tmp_path) as server:
        document_id = new_document(server)
        async with AsyncExitStack() as stack:
            people = [await stack.enter_async_context(Typist(socket_url(server, document_id))) for _ in range(20)]
            for person in people:
                await person.wait_synced()
            with server.paused():
                until = time.monotonic() + stall_s
                while time.monotonic() < until:
                    await people[0].insert(0, "x")
                    await asyncio.sleep(0.05)  # typing, ten strokes a second
            for person in people:
                await person.wait_text(str(people[0].text))
            await people[0].wait_saved()
            assert all(person.closed is None for person in people)
            found = figures(server.url)
            assert found["coscribe_loop_stalls_total"] >= 1
            assert found["coscribe_loop_lag_seconds"] > stall_s / 2
            assert found["coscribe_sessions{carrier=websocket}"] == len(people)
        assert "loop_stalled" in server.log
        assert text_of(server, document_id) == str(people[0].text)


def test_an_almost_full_disk_is_told_before_it_is_full(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, min_free_bytes=2**60) as server, server.client() as probe:
        ready = probe.get("/health/ready")
        while "warning" not in ready.json():  # the first look is a moment after the start
            ready = probe.get("/health/ready")
        assert ready.status_code == 200
        assert "are free on the disk" in ready.json()["warning"]
        assert "disk_low" in server.log
        assert figures(server.url)["coscribe_disk_low_total"] == 1


def test_the_home_page_waits_for_no_disk(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path) as server, server.client() as visitor:
        lock = sqlite3.connect(Path(server.data_dir) / "coscribe.db", isolation_level=None)
        with closing(lock):
            lock.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            assert visitor.get("/").status_code == 200
            # A guest cannot be stored meanwhile, for which the database's own patience is five seconds.
            assert time.monotonic() - began < 4
            answer = visitor.get("/api/v1/me")
            assert answer.status_code == 503
            assert answer.json()["detail"] == "Storage cannot be written to at the moment."
            lock.execute("ROLLBACK")
        assert visitor.get("/api/v1/me").status_code == 200
