"""An event stream's connection: readers that take nothing, leave or talk, and sources that end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from tests.support.documents import new_document
from tests.support.figures import figures
from tests.support.people import ANN
from tests.support.server import CoscribeServer
from tests.support.sse import event_stream
from tests.support.waiting import until

from coscribe.api import event_line
from coscribe.api.event_line import EventLine
from coscribe.api.events import ActivityReader, _Relay
from coscribe.api.gates import Place
from coscribe.api.lines import Lines
from coscribe.api.sse import KEEPALIVE, LAST, PREAMBLE, chunk, event_bytes
from coscribe.app import database_url, running
from coscribe.config import Settings
from coscribe.core.units import Units
from coscribe.errors import Unavailable
from coscribe.ports import Activities
from coscribe.rooms.feed_reader import FeedEvent, FeedReader
from coscribe.storage.migrate import upgrade

PATIENCE_S = 10.0
ONE = FeedEvent("text", "1.2.3", '{"a":1}')
TWO = FeedEvent("presence", None, "{}")


class Stream:
    """A server of one stream over TCP, and its reader's end of the connection."""

    def __init__(self, lines: Lines, head: bytes) -> None:
        self.lines = lines
        self.head = head
        self.source = FeedReader(ANN, Units.UTF16, None)
        self.ended = asyncio.Event()
        self.line = EventLine(lines, self.source, self.ended.set)
        self.connections: set[object] = set()
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    def begin(self) -> asyncio.Protocol:
        stream = self

        class Head(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.Transport)
                transport.write(stream.head)
                stream.line.begin(transport, stream.connections)

        return Head()

    async def read(self, whole: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            assert await self.reader.readexactly(len(whole)) == whole

    async def wait_ended(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.ended.wait()
        assert not self.connections
        assert len(self.lines) == 0


@asynccontextmanager
async def a_stream(keepalive_s: float = 60.0, head: bytes = b"") -> AsyncIterator[Stream]:
    lines = Lines(keepalive_s, 2**20)
    stream = Stream(lines, head)
    server = await asyncio.get_running_loop().create_server(stream.begin, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    stream.reader, stream.writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield stream
    finally:
        stream.writer.close()
        server.close()
        await lines.close()


async def test_events_come_in_chunks_and_the_end_in_good_order() -> None:
    async with a_stream() as stream:
        await stream.read(PREAMBLE)
        stream.source.offer(ONE)
        stream.source.offer(TWO)
        await stream.read(chunk(event_bytes(ONE)) + chunk(event_bytes(TWO)))
        stream.source.close()
        await stream.read(LAST)
        assert await stream.reader.read() == b""
        stream.writer.close()
        await stream.wait_ended()


async def test_what_was_asked_for_comes_first() -> None:
    async with a_stream() as stream:
        await stream.read(PREAMBLE)
        stream.source.offer(TWO)
        stream.source.prepend([ONE])
        await stream.read(chunk(event_bytes(ONE)) + chunk(event_bytes(TWO)))


async def test_a_silent_stream_gives_signs_of_life() -> None:
    async with a_stream(keepalive_s=0.1) as stream:
        await stream.read(PREAMBLE + KEEPALIVE + KEEPALIVE)


async def _fill(stream: Stream) -> None:
    """Events until the connection takes no more; the reader reads nothing."""
    large = FeedEvent("text", "1.1.1", "x" * 900_000)
    async with asyncio.timeout(PATIENCE_S):
        while stream.line._unsent is None:  # nothing but the transport knows that
            if not stream.source.is_waiting:
                stream.source.offer(large)
            await asyncio.sleep(0)


async def test_a_reader_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_line, "STALL_S", 0.02)
    async with a_stream(keepalive_s=0.1) as stream:
        await _fill(stream)
        await stream.wait_ended()


async def test_a_reader_that_takes_what_it_is_sent_late_is_not_cut() -> None:
    async with a_stream(keepalive_s=0.1) as stream:
        await _fill(stream)
        async with asyncio.timeout(PATIENCE_S):
            while stream.line._unsent is not None:
                await stream.reader.read(2**20)
            stream.source.offer(ONE)
            seen = b""
            while chunk(event_bytes(ONE)) not in seen:
                seen = seen[-100:] + await stream.reader.read(2**20)


async def test_a_head_that_fills_the_connection_is_noticed() -> None:
    async with a_stream(head=b"x" * 20_000_000) as stream:
        async with asyncio.timeout(PATIENCE_S):
            while stream.line._transport is None:  # noqa: ASYNC110 - nobody tells that a connection was made
                await asyncio.sleep(0)
        assert stream.line._unsent is not None
        for _ in range(300):
            stream.source.offer(ONE)
        assert stream.source.is_closed, "what it is not sent counts"


async def test_a_reader_that_owes_too_much_is_ended_and_cut_if_it_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_line, "STALL_S", 0.02)
    async with a_stream(keepalive_s=0.1) as stream:
        await _fill(stream)
        for _ in range(300):
            stream.source.offer(ONE)
        assert stream.source.is_closed
        await stream.wait_ended()


async def test_a_slow_reader_gets_all_that_it_was_sent_before_its_stream_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_line, "STALL_S", 0.2)
    async with a_stream(keepalive_s=0.1) as stream:
        await _fill(stream)
        stream.source.close()
        began = asyncio.get_running_loop().time()
        last = b""
        async with asyncio.timeout(60):
            while part := await stream.reader.read(16_384):
                last = (last + part)[-len(LAST) :]
                await asyncio.sleep(0.01)  # a line of 1.6 MB/s
        assert last == LAST
        assert asyncio.get_running_loop().time() - began > 0.4, "it took longer than a stall may last"
        stream.writer.close()
        await stream.wait_ended()


async def test_what_a_reader_owes_is_counted_in_bytes() -> None:
    async with a_stream() as stream:
        stream.source.offer(FeedEvent("text", "1.1.1", "日" * 300_000))
        assert not stream.source.is_closed
        stream.source.offer(FeedEvent("text", "1.2.1", "日" * 100_000))
        assert stream.source.is_closed


async def test_a_stream_that_ended_leaves_nothing_for_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        async with a_stream() as stream:
            await stream.read(PREAMBLE)
            stream.writer.close()
            await stream.wait_ended()
            del stream.line
        assert not [one for one in gc.get_objects() if isinstance(one, EventLine)]
    finally:
        gc.enable()


async def test_a_reader_that_leaves_ends_the_stream() -> None:
    async with a_stream() as stream:
        await stream.read(PREAMBLE)
        stream.writer.close()
        await stream.wait_ended()
        stream.source.offer(ONE)  # to nobody


async def test_a_reader_that_talks_without_end_is_cut() -> None:
    async with a_stream() as stream:
        await stream.read(PREAMBLE)
        stream.writer.write(b"x" * 10_000)
        stream.source.offer(ONE)
        await stream.read(chunk(event_bytes(ONE)))
        stream.writer.write(b"x" * 100_000)
        await stream.wait_ended()


async def test_a_stop_ends_the_stream_in_good_order_and_cuts_who_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_line, "_STOP_WITHIN_S", 0.02)
    async with a_stream() as stream:
        await stream.read(PREAMBLE)
        stream.line.shutdown()
        await stream.read(LAST)
        stream.writer.close()
        await stream.wait_ended()
    async with a_stream() as stream:
        await _fill(stream)
        stream.line.shutdown()
        await stream.wait_ended()


def test_an_event_is_three_fields_and_an_empty_line() -> None:
    assert event_bytes(ONE) == b'event: text\nid: 1.2.3\ndata: {"a":1}\n\n'
    assert event_bytes(TWO) == b"event: presence\ndata: {}\n\n"
    assert chunk(b"0123456789abcdef") == b"10\r\n0123456789abcdef\r\n"


class FailingActivities:
    """Activities whose storage has gone."""

    async def head(self, document_id: str | None = None) -> int:
        raise Unavailable("the log is away")


async def test_a_source_that_fails_ends_the_stream(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data_dir=tmp_path)
    await asyncio.to_thread(upgrade, database_url(settings))
    async with running(settings, asyncio.Event()) as wiring:
        broken = replace(wiring, activities=cast(Activities, FailingActivities()))
        place = Place()
        seat = _Relay(ActivityReader(broken, ANN.id), place).begin(broken)
        woken = asyncio.Event()
        seat.source.wake = woken.set
        async with asyncio.timeout(PATIENCE_S):
            await woken.wait()
        assert seat.source.is_closed
        assert "the log is away" in caplog.text
        seat.leave()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoscribeServer]:
    with CoscribeServer(tmp_path_factory.mktemp("streams"), max_feed_readers=1) as server:
        yield server


async def _raw(server: CoscribeServer, *requests: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(b"".join(requests))
    return reader, writer


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode()


async def test_a_stream_has_its_connection_for_itself(server: CoscribeServer) -> None:
    document_id = await asyncio.to_thread(new_document, server, "text")
    events = f"/api/v1/documents/{document_id}/events"
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await _raw(server, _get(events))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nconnection: close\r\n" in head.lower()
        assert b"\r\ntransfer-encoding: chunked\r\n" in head.lower()
        assert b"\r\nx-content-type-options: nosniff\r\n" in head.lower()
        assert (await reader.readexactly(len(PREAMBLE))) == PREAMBLE
        writer.close()
        await writer.wait_closed()
        reader, writer = await _raw(server, _get(events), _get("/health/ready"))
        assert b"An event stream takes a connection for itself" in await reader.readuntil(b"}")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        reader, writer = await _raw(server, _get(events), b"GET /hea")
        assert b"An event stream takes a connection for itself" in await reader.readuntil(b"}")
        writer.close()
        await writer.wait_closed()


async def test_an_ended_stream_gives_its_place_back(server: CoscribeServer) -> None:
    document_id = await asyncio.to_thread(new_document, server, "text")
    events = f"/api/v1/documents/{document_id}/events"
    with server.client() as client:
        for _ in range(3):
            with event_stream(client, events) as stream:
                stream.until("snapshot")
                assert client.get(events, headers={"Accept": "text/event-stream"}).status_code == 503
            while figures(server.url)["coscribe_feed_readers{carrier=stream}"]:
                pass  # until the server has noticed that the reader has left
    await until(lambda: f" stream method=GET path={events} " in server.log)
