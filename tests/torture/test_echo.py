"""The echo that Autobahn's test suite judges is our line, and sends back what it hears."""

from __future__ import annotations

from tests.torture.autobahn import echo
from websockets.asyncio.client import connect


async def test_it_sends_back_messages_of_both_kinds() -> None:
    with echo() as url:
        async with connect(url, compression=None, proxy=None) as line:
            for message in (b"\x00\x02\x03", "größer", b"", bytes(range(256)) * 300):
                await line.send(message)
                assert await line.recv() == message
            await (await line.ping())
