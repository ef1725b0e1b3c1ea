"""Titles that follow their texts: derived where a room pauses, stored one after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from coscribe.core.title import SEARCHED, title_of
from coscribe.ports import DocumentChanges, Documents
from coscribe.rooms.errands import Errands
from coscribe.rooms.room import Room


class Titles:
    """Those of all rooms.

    `live` gives a document's room, where it has one still. `failed` hears which document's title could not be stored,
    and why; it is tried again when the next change is.
    """

    def __init__(
        self, documents: Documents, live: Callable[[str], Room | None], failed: Callable[[str, Exception], None]
    ) -> None:
        self._documents = documents
        self._live = live
        # Titles, and no rooms: those may be gone before it is their turn.
        self._errands: Errands[str] = Errands("titles", self._store, failed)

    def start(self) -> None:
        """Begin to store."""
        self._errands.start()

    async def close(self) -> None:
        """Stop; a title that waits is derived again when its document is opened."""
        await self._errands.close()

    def follow(self, room: Room) -> None:
        """Derive a room's title from its durable text, and have it stored where it is another."""
        title = title_of(room.head_text(SEARCHED))
        if title != room.derived_title:
            room.derived_title = title
            self._errands.ask(room.document_id, title)

    async def _store(self, document_id: str, title: str) -> None:
        changes = DocumentChanges(title=title, title_by_hand=False)
        try:
            changed = await self._documents.change(document_id, changes, None, datetime.now(UTC))
            room = self._live(document_id)
            if changed is not None and room is not None:
                room.retitle(changed[0].title)
        except Exception:
            room = self._live(document_id)
            if room is not None and room.derived_title == title:  # else a newer one waits already
                room.derived_title = None
            raise
