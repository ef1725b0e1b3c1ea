"""The state and the position that it is given with belong together, also while people type (rule D1)."""

from __future__ import annotations

import asyncio

import httpx
from pycrdt import Doc, Text
from tests.support.documents import new_document, socket_url
from tests.support.server import CoscribeServer
from tests.support.typist import Typist

_READS = 15


async def test_a_state_read_while_people_type_is_that_of_its_entity_tag(server: CoscribeServer) -> None:
    document_id = new_document(server, "x" * 100_000)
    async with (
        Typist(socket_url(server, document_id)) as person,
        httpx.AsyncClient(base_url=f"{server.url}/api/v1/documents/{document_id}", timeout=60) as reader,
    ):
        await person.wait_synced()
        typing = asyncio.create_task(_type(person))
        states = [await reader.get("/state") for _ in range(_READS)]
        typing.cancel()
        await asyncio.gather(typing, return_exceptions=True)
        for state in states:
            seq = int(state.headers["ETag"].strip('"').split(".")[1])
            text = (await reader.get("/text", params={"at": seq})).text
            assert _text_of(state.content) == text


async def _type(person: Typist) -> None:
    while True:
        await person.insert(0, "a")
        # A few frames are always on their way, so that there is never a moment with nothing to save.
        await person.wait(lambda: person.sent - person.acked < 20)


def _text_of(state: bytes) -> str:
    doc: Doc[Text] = Doc()
    text = doc.get("content", type=Text)
    doc.apply_update(state)
    return str(text)
