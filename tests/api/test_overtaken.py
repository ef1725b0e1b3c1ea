"""Requests of one session that come in another order than they were sent in, as those of a page that goes away."""

from __future__ import annotations

import asyncio

import httpx
from tests.api.calls import new_document, path_of
from tests.support.server import CoscribeServer
from tests.support.typist import HELLO
from tests.support.wire_bytes import framed, one, typed

from coscribe.core.lib0 import write_bytes

BYTES = {"Content-Type": "application/octet-stream"}
LETTER = framed(2, one(5, 0, typed("a")))


async def test_a_request_that_overtakes_waits_for_the_one_before_it(
    server: CoscribeServer, owner: httpx.Client
) -> None:
    made = new_document(owner, text="")
    async with httpx.AsyncClient(base_url=server.url, headers=dict(owner.headers), cookies=owner.cookies) as client:
        session = (await client.post(f"/sessions/{made['id']}")).json()["session"]

        async def post(number: int, *frames: bytes, last: bool = False) -> int:
            asked = {"session": session, "n": number, "last": last}
            body = b"".join(map(write_bytes, frames))
            return (await client.post(f"/frames/{made['id']}", params=asked, content=body, headers=BYTES)).status_code

        overtaking = asyncio.create_task(post(2, LETTER, last=True))
        await asyncio.wait({overtaking}, timeout=0.2)
        assert not overtaking.done()
        assert await post(1, HELLO) == 204
        assert await overtaking == 204
        # It was the last one.
        assert await post(3) == 404
        await client.get(path_of(made, "/state"))  # waits for what was accepted
        assert (await client.get(path_of(made, "/text"))).text == "a"
