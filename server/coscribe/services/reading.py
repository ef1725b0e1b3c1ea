"""The rendered texts of documents that somebody reads: rendered once a position, shared by all readers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from coscribe.rooms.room import Room
from coscribe.services.rendering import rendered

# 200 documents with a few KB each are nothing; 64 MB keeps a handful of the largest.
MOST_DOCUMENTS = 200
MOST_CHARACTERS = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Rendering:
    """A document's text at a position as HTML."""

    generation: int
    seq: int
    html: str


class _Place:
    """One document's newest rendering. Its lock lets one reader render while the others wait for the result."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.rendering: Rendering | None = None


class Renderings:
    """The newest rendering of the documents that were read last."""

    def __init__(self, *, most_documents: int = MOST_DOCUMENTS, most_characters: int = MOST_CHARACTERS) -> None:
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._most_documents = most_documents
        self._most_characters = most_characters

    async def of(self, room: Room) -> Rendering:
        """The room's committed text as HTML. Parsing runs in a thread, so that nobody's typing waits for it."""
        place = self._places.setdefault(room.document_id, _Place())
        self._places.move_to_end(room.document_id)
        async with place.lock:
            generation, seq = room.generation, room.seq
            found = place.rendering
            if found is None or (found.generation, found.seq) != (generation, seq):
                found = Rendering(generation, seq, await asyncio.to_thread(rendered, room.text))
                place.rendering = found
                self._make_room()
        return found

    def _make_room(self) -> None:
        """Forget what was read longest ago; one that is being rendered goes on for those who wait for it."""
        sizes = {key: len(place.rendering.html) for key, place in self._places.items() if place.rendering}
        total = sum(sizes.values())
        while len(self._places) > 1 and (total > self._most_characters or len(self._places) > self._most_documents):
            key, _ = self._places.popitem(last=False)
            total -= sizes.get(key, 0)
