"""Words by which documents are found: they follow texts within a minute, one document after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from coscribe.core.words import WORDED, listed_words
from coscribe.model import Place
from coscribe.ports import Documents
from coscribe.rooms.errands import Errands
from coscribe.rooms.room import Room

# Between two times that the words of one text are stored while it is written.
EVERY_S = 60.0
# Rooms that have ended, each with up to 200 KB of text; the words of more are made when they are opened again.
_MOST_WAITING = 500


@dataclass(frozen=True, slots=True)
class _Text:
    """What a text is searched by. A room that has ended leaves this: its memory must not wait for its words."""

    place: Place
    seq: int
    head: str


class Searching:
    """The words of all rooms, made when it is their turn, so that a thousand pauses are not one long one.

    `failed` hears which document's words could not be stored, and why; they are tried again with the next change that
    is a minute away, when the room is let go, and when it is opened.
    """

    def __init__(
        self, documents: Documents, failed: Callable[[str, Exception], None], every_s: float = EVERY_S
    ) -> None:
        self._documents = documents
        self._every_s = every_s
        # A live room's text is read when it is its turn, for many may wait at once.
        self._errands: Errands[Room | _Text] = Errands("searching", self._make, failed)
        # When the words of a text may be stored again, for those that were of late.
        self._resting: dict[str, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Begin to store."""
        self._errands.start()

    async def close(self) -> None:
        """Stop; words that wait are made again when their document is opened."""
        for timer in self._resting.values():
            timer.cancel()
        await self._errands.close()

    def follow(self, room: Room) -> None:
        """Have the words of a room's durable text stored, now or when those before are old enough."""
        if room.document_id not in self._resting:
            self._errands.ask(room.document_id, room)
            self._resting[room.document_id] = asyncio.get_running_loop().call_later(
                self._every_s, self._rested, room, room.seq
            )

    def let_go(self, room: Room) -> None:
        """Have the last words of a room stored that has ended."""
        timer = self._resting.pop(room.document_id, None)
        if timer is not None:
            timer.cancel()
        self._errands.drop(room.document_id)
        if room.seq > (room.worded or 0) and len(self._errands) < _MOST_WAITING:
            self._errands.ask(room.document_id, _text_of(room))

    def _rested(self, room: Room, seq: int) -> None:
        del self._resting[room.document_id]
        if room.seq != seq:
            self.follow(room)

    async def _make(self, _document_id: str, wanted: Room | _Text) -> None:
        await (self._store(wanted) if isinstance(wanted, _Text) else self._follow(wanted))

    async def _follow(self, room: Room) -> None:
        if room.worded is None:
            room.worded = await self._documents.worded(room.document_id)
        if room.seq > room.worded:
            now = _text_of(room)
            await self._store(now)
            room.worded = now.seq

    async def _store(self, text: _Text) -> None:
        await self._documents.store_words(text.place, text.seq, listed_words(text.head))


def _text_of(room: Room) -> _Text:
    return _Text(Place(room.document_id, room.generation), room.seq, room.head_text(WORDED))
