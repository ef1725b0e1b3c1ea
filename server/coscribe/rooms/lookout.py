"""Looks at where the documents of all rooms stand in the log, for bells that were not heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from coscribe.errors import Unavailable
from coscribe.model import Head
from coscribe.ports import UpdateLog
from coscribe.rooms.room import Room

# How long what another server stored can go unseen while somebody is in the document.
_EVERY_S = 2.0
# Documents that are asked for in one query.
_TOGETHER = 500


class Lookout:
    """One task for all rooms that somebody is in, where other servers write the same log."""

    def __init__(
        self, log: UpdateLog, rooms: Callable[[], Collection[Room]], failed: Callable[[Exception], None]
    ) -> None:
        self._log = log
        self._rooms = rooms
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="lookout")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            rooms = [room for room in self._rooms() if room.sessions or room.feed.readers]
            for start in range(0, len(rooms), _TOGETHER):
                try:
                    await self._look(rooms[start : start + _TOGETHER])
                except Exception as error:  # noqa: BLE001 - the end of this task would be the end of looking
                    self._failed(error)

    async def _look(self, rooms: Sequence[Room]) -> None:
        known = [room.head for room in rooms]
        try:
            heads = await self._log.heads([room.document_id for room in rooms])
        except Unavailable:
            return  # whoever writes is told; the next round is not far
        for room, seq in zip(rooms, known, strict=True):
            _tell(room, heads.get(room.document_id), seq)


def _tell(room: Room, head: Head | None, known: int) -> None:
    """Tell a room where its document stands, None for one that is gone, and how far it was known before."""
    if head is None:
        room.lost()
    elif head.generation != room.generation:
        room.replaced(head.generation)
    elif head.seq < known:
        room.stray("the log stands before what was read of it")
    else:
        room.standing.heard(head.seq)
