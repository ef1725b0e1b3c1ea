"""Titles that follow their texts: derived where a room pauses, stored one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from coscribe.core.title import SEARCHED, title_of
from coscribe.ports import DocumentChanges, Documents
from coscribe.rooms.room import Room


class Titles:
    """One task for all rooms: a thousand that pause in one moment had a thousand transactions begun, in 20 MB.

    `live` gives a document's room, where it has one still. `failed` hears which document's title could not be stored,
    and why; it is tried again when the next change is.
    """

    def __init__(
        self, documents: Documents, live: Callable[[str], Room | None], failed: Callable[[str, Exception], None]
    ) -> None:
        self._documents = documents
        self._live = live
        self._failed = failed
        # Titles by document, and no rooms: those may be gone before it is their turn.
        self._waiting: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to store."""
        self._task = asyncio.create_task(self._run(), name="titles")

    async def close(self) -> None:
        """Stop; a title that waits is derived again when its document is opened."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def follow(self, room: Room) -> None:
        """Derive a room's title from its durable text, and have it stored where it is another."""
        title = title_of(room.head_text(SEARCHED))
        if title != room.derived_title:
            room.derived_title = title
            self._waiting[room.document_id] = title
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                document_id = next(iter(self._waiting))
                await self._store(document_id, self._waiting.pop(document_id))

    async def _store(self, document_id: str, title: str) -> None:
        changes = DocumentChanges(title=title, title_by_hand=False)
        try:
            changed = await self._documents.change(document_id, changes, None, datetime.now(UTC))
            room = self._live(document_id)
            if changed is not None and room is not None:
                room.retitle(changed[0].title)
        except Exception as error:  # noqa: BLE001 - whatever it was, other titles are still to be stored
            self._failed(document_id, error)
            room = self._live(document_id)
            if room is not None and room.derived_title == title:  # else a newer one waits already
                room.derived_title = None
