"""The rendered texts of documents that somebody reads: rendered once a position, shared by all readers."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections import OrderedDict
from dataclasses import dataclass
from html import unescape

from coscribe.rooms.room import Room
from coscribe.services.rendering import rendered

# 200 documents with a few KB each are nothing; 64 MB keeps a handful of the largest.
MOST_DOCUMENTS = 200
MOST_BYTES = 64 * 2**20

# Takes a fifth of the time of level 6 and comes within a tenth of its size.
_GZIP_LEVEL = 2
_SUMMARY_FROM = 4_000
_SUMMARY_MOST = 200
_TAG = re.compile(r"<[^>]*>?")


@dataclass(frozen=True, slots=True)
class Rendering:
    """A document's text at a position as HTML, in UTF-8, also compressed: made once, sent to every reader."""

    generation: int
    seq: int
    html: str
    body: bytes
    compressed: bytes

    @property
    def size(self) -> int:
        """What it costs to keep, in bytes."""
        return 2 * len(self.body) + len(self.compressed)

    @property
    def summary(self) -> str:
        """The first words of the text, as plain text on one line."""
        words = unescape(_TAG.sub("", self.html[:_SUMMARY_FROM])).split()
        return " ".join(words)[:_SUMMARY_MOST]


def _rendering(generation: int, seq: int, text: str) -> Rendering:
    html = rendered(text)
    body = html.encode()
    return Rendering(generation, seq, html, body, gzip.compress(body, _GZIP_LEVEL, mtime=0))


class _Place:
    """One document's newest rendering. Its lock lets one reader render while the others wait for the result."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.rendering: Rendering | None = None


class Renderings:
    """The newest rendering of the documents that were read last."""

    def __init__(self, *, most_documents: int = MOST_DOCUMENTS, most_bytes: int = MOST_BYTES) -> None:
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._most_documents = most_documents
        self._most_bytes = most_bytes

    async def of(self, room: Room) -> Rendering:
        """The room's committed text as HTML. Parsing runs in a thread, so that nobody's typing waits for it."""
        place = self._places.setdefault(room.document_id, _Place())
        self._places.move_to_end(room.document_id)
        async with place.lock:
            generation, seq = room.generation, room.seq
            found = place.rendering
            if found is None or (found.generation, found.seq) != (generation, seq):
                found = await asyncio.to_thread(_rendering, generation, seq, room.text)
                place.rendering = found
                self._make_room()
        return found

    def _make_room(self) -> None:
        """Forget what was read longest ago; one that is being rendered goes on for those who wait for it."""
        sizes = {key: place.rendering.size for key, place in self._places.items() if place.rendering}
        total = sum(sizes.values())
        while len(self._places) > 1 and (total > self._most_bytes or len(self._places) > self._most_documents):
            key, _ = self._places.popitem(last=False)
            total -= sizes.get(key, 0)
