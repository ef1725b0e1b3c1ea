"""What happened to documents: stored together with the change that it tells of, then told to everybody who listens."""

from __future__ import annotations

from datetime import UTC, datetime

from coscribe.errors import NotFound
from coscribe.model import Activity, ActivityKind, Document, NewActivity, Principal
from coscribe.ports import DocumentChanges, Documents
from coscribe.rooms.hub import ActivityHub
from coscribe.rooms.registry import Registry

# What a change is called, and what is worth telling of it.
Named = tuple[ActivityKind, dict[str, str]]


class Chronicle:
    """Stores a change with its activity and publishes it to the document's room and to the feed of all documents."""

    def __init__(self, documents: Documents, registry: Registry, hub: ActivityHub) -> None:
        self._documents = documents
        self._registry = registry
        self._hub = hub

    async def create(self, document: Document, author: Principal) -> None:
        """Store a new document."""
        created = NewActivity(
            ActivityKind.CREATED, author.id, author.name, document.created_at, {"title": document.title}
        )
        self._tell(await self._documents.create(document, created))

    async def change(
        self, document_id: str, changes: DocumentChanges, author: Principal, named: Named | None
    ) -> Document:
        """Store `changes` and what people call them; raises NotFound when the document is gone."""
        now = datetime.now(UTC)
        entry = NewActivity(named[0], author.id, author.name, now, dict(named[1])) if named else None
        changed = await self._documents.change(document_id, changes, entry, now)
        if changed is None:
            raise NotFound("There is no such document.")
        document, stored = changed
        if stored is not None:
            self._tell(stored)
        return document

    async def write(self, document_id: str, kind: ActivityKind, author: Principal, **data: str) -> Document:
        """Store an activity that changes none of the document's own fields."""
        return await self.change(document_id, DocumentChanges(), author, (kind, data))

    def _tell(self, activity: Activity) -> None:
        if self._hub.store(activity) and (room := self._registry.live(activity.document_id)) is not None:
            room.announce(activity)
