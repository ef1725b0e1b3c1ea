"""The fault proxy does what its weather says: a quiet proxy would make every proof of the network green."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.fault_proxy import CALM, FaultProxy, Weather
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

_MESSAGES = 200
_SEED = 6


@asynccontextmanager
async def proxied(**options: int) -> AsyncIterator[tuple[FaultProxy, ClientConnection, list[bytes]]]:
    """A client, by way of a proxy, of a server that keeps what it hears and sends it back."""
    heard: list[bytes] = []

    async def echo(socket: ServerConnection) -> None:
        async for message in socket:
            assert isinstance(message, bytes)
            heard.append(message)
            await socket.send(message)

    async with (
        serve(echo, "127.0.0.1", 0, compression=None) as server,
        FaultProxy(next(iter(server.sockets)).getsockname()[1], seed=options.get("seed", _SEED)) as proxy,
        # A client that keeps all it hears: a full queue would hold up the pongs behind it.
        connect(f"ws://127.0.0.1:{proxy.port}/", max_queue=None, proxy=None, ping_interval=None) as client,
    ):
        yield proxy, client, heard


def _numbered(count: int = _MESSAGES) -> list[bytes]:
    return [f"{number:05}".encode() * 20 for number in range(count)]


async def _through(weather: Weather, seed: int = _SEED) -> tuple[list[bytes], dict[str, int]]:
    """What a server heard of numbered messages in this weather."""
    async with proxied(seed=seed) as (proxy, client, heard):
        proxy.set(up=weather)
        for message in _numbered():
            await client.send(message)
        # Control frames are never dropped nor late: behind this one all messages have met their weather.
        await (await client.ping())
        for _ in range(_MESSAGES - proxy.passed["dropped"] + proxy.passed["duplicated"]):
            async with asyncio.timeout(10):
                await client.recv()
        return heard, proxy.passed


async def test_calm_weather_changes_nothing() -> None:
    assert (await _through(CALM))[0] == _numbered()


async def test_messages_are_dropped_doubled_and_overtaken_by_one_seed() -> None:
    weather = Weather(drop=0.1, duplicate=0.1, late=0.2, late_s=0.05)
    heard, passed = await _through(weather)
    assert len(heard) == _MESSAGES - passed["dropped"] + passed["duplicated"]
    assert passed["dropped"] > 5
    assert passed["duplicated"] > 5
    assert sorted(heard) != heard
    again = (await _through(weather))[1]
    assert again == passed
    assert (await _through(weather, seed=_SEED + 1))[1] != passed


async def test_bytes_are_slow_and_cut_small_but_whole() -> None:
    async with proxied() as (proxy, client, heard):
        proxy.set(up=Weather(slice_bytes=7, latency_s=0.05, jitter_s=0.05), down=Weather(bytes_per_s=20_000))
        began = time.monotonic()
        await client.send(b"x" * 10_000)
        async with asyncio.timeout(10):
            assert await client.recv() == b"x" * 10_000
        assert time.monotonic() - began > 0.5
        assert heard == [b"x" * 10_000]


async def test_a_frozen_line_goes_on_and_a_lost_one_never() -> None:
    async with proxied() as (proxy, client, heard):
        proxy.set(up=Weather(frozen=True))
        await client.send(b"waits")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.recv()
        proxy.set(down=Weather(lost=True))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.recv()
        assert heard == [b"waits"]
        proxy.set()
        await client.send(b"is heard")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.recv()
        assert heard == [b"waits", b"is heard"]
        client.transport.abort()


async def test_a_cut_resets_both_ends() -> None:
    async with proxied() as (proxy, client, _):
        proxy.cut()
        async with asyncio.timeout(10):
            await client.wait_closed()
        assert client.close_code == 1006
