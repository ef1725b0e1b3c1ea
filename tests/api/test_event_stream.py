"""The stream's response over a line that takes nothing, or whose reader leaves: ASGI spoken by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Message, Scope

from coscribe.api import event_stream
from coscribe.api.event_stream import EventStream, event_bytes
from coscribe.api.wiring import Wiring
from coscribe.app import database_url, running
from coscribe.config import Settings
from coscribe.errors import NotFound, Unavailable
from coscribe.services.access import NOBODY
from coscribe.storage.migrate import upgrade


@pytest.fixture
async def wiring(tmp_path: Path) -> AsyncIterator[Wiring]:
    settings = Settings(data_dir=tmp_path, max_feed_readers=1)
    await asyncio.to_thread(upgrade, database_url(settings))
    async with running(settings, asyncio.Event()) as wiring:
        yield wiring


class Line:
    """One connection: takes `takes` messages and then nothing more, until it is cut."""

    def __init__(self, takes: int = 1000) -> None:
        self.takes = takes
        self.taken: list[Message] = []
        self.left = asyncio.Event()
        self.was_cut = False
        self.got = asyncio.Event()

    @property
    def scope(self) -> Scope:
        return {"type": "http", "state": {"coscribe.abort": self._abort}}

    def _abort(self) -> None:
        self.was_cut = True
        self.left.set()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.taken) >= self.takes:
            await asyncio.Event().wait()
        self.taken.append(message)
        self.got.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.taken)

    @property
    def has_ended(self) -> bool:
        return bool(self.taken) and self.taken[-1].get("more_body") is False


class Source:
    """Chunks, and whether they were closed."""

    def __init__(self, *chunks: bytes | Exception, then_waits: bool = True) -> None:
        self._chunks = chunks
        self._then_waits = then_waits
        self.is_closed = False

    async def run(self) -> AsyncGenerator[bytes, None]:
        try:
            for chunk in self._chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
            if self._then_waits:
                await asyncio.Event().wait()
        finally:
            self.is_closed = True


async def serve(wiring: Wiring, source: Source, line: Line) -> None:
    async with asyncio.timeout(10):
        await EventStream(wiring, wiring.gates.reader(HTTPConnection(line.scope), NOBODY), source.run())(
            line.scope, line.receive, line.send
        )


async def test_a_stream_whose_events_end_ends_in_good_order(wiring: Wiring) -> None:
    line, source = Line(), Source(b"one", b"two", then_waits=False)
    await serve(wiring, source, line)
    assert line.taken[0]["status"] == 200
    assert line.body == b"onetwo"
    assert line.has_ended
    assert source.is_closed


@pytest.mark.parametrize("takes", [1, 2, 3])
async def test_a_reader_that_takes_nothing_is_cut(wiring: Wiring, monkeypatch: pytest.MonkeyPatch, takes: int) -> None:
    monkeypatch.setattr(event_stream, "STALL_S", 0.02)
    line, source = Line(takes), Source(b"one", b"two", b"three")
    await serve(wiring, source, line)
    assert line.was_cut
    assert not line.has_ended
    assert source.is_closed
    assert wiring.gates.readers == 0


async def test_a_reader_that_leaves_ends_the_stream(wiring: Wiring) -> None:
    line, source = Line(), Source(b"one")
    serving = asyncio.create_task(serve(wiring, source, line))
    await line.got.wait()
    line.left.set()
    await serving
    assert source.is_closed
    assert not line.was_cut
    assert wiring.gates.readers == 0


async def test_a_stop_ends_the_stream_in_good_order(wiring: Wiring) -> None:
    line, source = Line(), Source(b"one")
    serving = asyncio.create_task(serve(wiring, source, line))
    await line.got.wait()
    wiring.stop.set()
    await serving
    assert line.body == b"one"
    assert line.has_ended
    assert not line.was_cut


async def test_a_stop_cuts_a_reader_that_takes_nothing(wiring: Wiring) -> None:
    line, source = Line(takes=1), Source(b"one")
    serving = asyncio.create_task(serve(wiring, source, line))
    await line.got.wait()
    wiring.stop.set()
    await serving
    assert line.was_cut


async def test_what_fails_before_the_first_chunk_is_told_before_anything_is_sent(wiring: Wiring) -> None:
    line = Line()
    with pytest.raises(NotFound):
        await serve(wiring, Source(NotFound("There is no such document.")), line)
    assert line.taken == []
    assert wiring.gates.readers == 0


async def test_what_fails_later_ends_the_stream(wiring: Wiring, caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    await serve(wiring, Source(b"one", Unavailable("the log is away")), line)
    assert line.has_ended
    assert "the log is away" in caplog.text


async def test_a_full_house_takes_no_more(wiring: Wiring) -> None:
    first = Line()
    serving = asyncio.create_task(serve(wiring, Source(b"one"), first))
    await first.got.wait()
    with pytest.raises(Unavailable):
        await serve(wiring, Source(b"one"), Line())
    first.left.set()
    await serving
    await serve(wiring, Source(b"one", then_waits=False), Line())


def test_an_event_is_three_fields_and_an_empty_line() -> None:
    assert event_bytes("text", "1.2.3", '{"a":1}') == b'event: text\nid: 1.2.3\ndata: {"a":1}\n\n'
    assert event_bytes("presence", None, "{}") == b"event: presence\ndata: {}\n\n"
