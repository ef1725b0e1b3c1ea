"""People who come and go: they type, read, follow and call, in documents that are opened, left and removed."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.support.documents import feed_url, socket_url
from tests.support.ledger import Ledger
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.viewer import Viewer
from tests.support.writers import Writer

# Documents that are there at a time; most of them are left alone for longer than a room lives.
_DOCUMENTS = 24
# After so many visits a document is checked and removed for good, and another one made.
_VISITS = 60


@dataclass
class Place:
    """A document that people visit, with the ledger of what they typed there."""

    document_id: str
    ledger: Ledger
    visits: int = 0
    inside: int = 0
    after: asyncio.Event = field(default_factory=asyncio.Event)


class Crowd:
    """`people` visitors at a time, from one seed. `visits` and `words` count what they did."""

    def __init__(self, server: CoscribeServer, folder: Path, seed: int) -> None:
        self.visits = 0
        self.words = 0
        self.removed = 0
        self._server = server
        self._folder = folder
        self._random = random.Random(seed)
        self._places: list[Place] = []
        # One guest owns all documents; a page of ours would send the same origin.
        self._guest = httpx.AsyncClient(
            base_url=server.url, headers={"Origin": server.url}, timeout=60, trust_env=False
        )

    async def __aenter__(self) -> Crowd:
        for _ in range(_DOCUMENTS):
            await self._open_place()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._guest.aclose()
        for place in self._places:
            place.ledger.__exit__()

    async def live(self, people: int, seconds: float) -> None:
        """Come and go for so long."""
        end = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as tasks:
            for _ in range(people):
                tasks.create_task(self._person(end))

    async def check(self) -> None:
        """Every ledger is right, and the copies of typist, reader and REST have one SHA-256."""
        for place in self._places:
            text = await self._text(place)
            place.ledger.check(text)
            url = socket_url(self._server, place.document_id)
            async with Typist(url) as typist, Viewer(feed_url(self._server, place.document_id)) as viewer:
                await typist.wait_synced()
                await viewer.wait_event("snapshot")
                copies = {hashlib.sha256(copy.encode()).hexdigest() for copy in (text, str(typist.text), viewer.text)}
            assert len(copies) == 1, place.document_id

    async def _person(self, end: float) -> None:
        visits: list[Callable[[Place, str], Awaitable[None]]] = [self._type, self._type, self._watch, self._call]
        while asyncio.get_running_loop().time() < end:
            place = self._random.choice(self._places)
            self.visits += 1
            place.visits += 1
            place.inside += 1
            try:
                await self._random.choice(visits)(place, f"a{self.visits}")
            finally:
                place.inside -= 1
            if place.visits >= _VISITS and not place.inside and place in self._places:
                await self._remove(place)
            # A breath, not a wait: with it the server has a quarter of a core to do.
            await asyncio.sleep(self._random.uniform(0.05, 0.25))

    async def _type(self, place: Place, name: str) -> None:
        """Type some words; leave properly, or cut the line in the middle."""
        writer = Writer(name, socket_url(self._server, place.document_id), place.ledger)
        await writer.connect()
        for _ in range(self._random.randrange(1, 12)):
            await writer.write(self._random.choice([0, None]))
            self.words += 1
        if self._random.random() < 0.2:
            writer.typist.abort()
        else:
            await writer.typist.wait_saved()
        writer.note_acks()
        await writer.typist.disconnect()

    async def _watch(self, place: Place, _name: str) -> None:
        """Follow by an event stream for a moment."""
        saved = place.ledger.saved
        async with Viewer(feed_url(self._server, place.document_id)) as viewer:
            await viewer.wait_event("snapshot")
            place.ledger.check(viewer.text, saved)

    async def _call(self, place: Place, name: str) -> None:
        """Read, append a word and list over REST."""
        saved = place.ledger.saved
        place.ledger.check(await self._text(place), saved)
        word = place.ledger.next_word(name)
        place.ledger.typed(name, word)
        self.words += 1
        edits = {"edits": [{"op": "append", "text": word}]}
        (await self._guest.patch(f"{_address(place)}/text", json=edits)).raise_for_status()
        place.ledger.acked(name, 1)
        (await self._guest.get("/api/v1/documents")).raise_for_status()

    async def _open_place(self) -> None:
        answer = await self._guest.post("/api/v1/documents", json={})
        answer.raise_for_status()
        document_id = str(answer.json()["id"])
        self._places.append(Place(document_id, Ledger(self._folder / document_id)))

    async def _remove(self, place: Place) -> None:
        self._places.remove(place)
        place.ledger.check(await self._text(place))
        place.ledger.__exit__()
        (await self._guest.delete(_address(place))).raise_for_status()
        (await self._guest.delete(_address(place), params={"permanent": True})).raise_for_status()
        self.removed += 1
        await self._open_place()

    async def _text(self, place: Place) -> str:
        answer = await self._guest.get(f"{_address(place)}/text")
        answer.raise_for_status()
        return answer.text


def _address(place: Place) -> str:
    return f"/api/v1/documents/{place.document_id}"
