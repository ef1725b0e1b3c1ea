"""Clients of event streams that know nothing of Coscribe: `curl -N`, npm's `eventsource`, Python's `httpx-sse`."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse
from tests.support.documents import new_document
from tests.support.server import CoscribeServer

_EVENTSOURCE = Path(__file__).parents[2] / "web" / "tests" / "clients" / "eventsource-client.mjs"
# What breaks lines somewhere, and what is none of a program's business.
AWKWARD = "a\r\nb\u2028c\u2029d\x00e\ufeff\x85 data: x\nevent: y\n\n😀"
LF = AWKWARD.replace("\r\n", "\n")


def stream_of(server: CoscribeServer, document_id: str) -> str:
    return f"{server.url}/api/v1/documents/{document_id}/events"


async def put(server: CoscribeServer, document_id: str, text: str) -> None:
    async with httpx.AsyncClient(base_url=server.url, headers={"Origin": server.url}) as client:
        answer = await client.put(
            f"/api/v1/documents/{document_id}/text", content=text.encode(), headers={"Content-Type": "text/plain"}
        )
        answer.raise_for_status()


async def lines_of(*command: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while raw := await process.stdout.readline():
                yield raw.decode().rstrip("\n")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_curl_shows_events_as_they_come(server: CoscribeServer) -> None:
    document_id = new_document(server, AWKWARD)
    curl = shutil.which("curl")
    assert curl is not None
    seen: list[str] = []
    async for line in lines_of(curl, "-sN", stream_of(server, document_id)):
        seen.append(line)
        if line.startswith("data: ") and "snapshot" in seen[-3]:
            assert json.loads(line[6:])["text"] == LF
            await put(server, document_id, "second")
        if line == "event: text":
            break
    assert seen[0] == "retry: 2000"


@pytest.mark.node
async def test_eventsource_of_npm_reads_awkward_texts_and_comes_back_by_itself(own_server: CoscribeServer) -> None:
    document_id = new_document(own_server, AWKWARD)
    node = shutil.which("node")
    assert node is not None
    seqs: list[int] = []
    async for line in lines_of(node, str(_EVENTSOURCE), stream_of(own_server, document_id)):
        kind, position, data = json.loads(line)
        if kind == "snapshot":
            assert (data["text"], position[:4]) == (LF, "1.1.")
            await put(own_server, document_id, "second")
        elif kind == "text":
            seqs.append(data["seq"])
            if seqs == [2]:
                own_server.stop()
                own_server.start()
                await put(own_server, document_id, "third")
            else:
                break
    # No second snapshot: it went on behind what it had heard (F2).
    assert seqs == [2, 3]


async def test_httpx_sse_reads_awkward_texts(server: CoscribeServer) -> None:
    document_id = new_document(server, AWKWARD)
    heard: list[Any] = []
    async with (
        httpx.AsyncClient(timeout=30) as client,
        aconnect_sse(client, "GET", stream_of(server, document_id)) as source,
    ):
        async for event in source.aiter_sse():
            if event.event == "snapshot":
                assert json.loads(event.data)["text"] == LF
                assert event.retry == 2000 or event.retry is None
                await put(server, document_id, "second")
            if event.event == "text":
                heard.append(json.loads(event.data)["seq"])
                break
    assert heard == [2]
