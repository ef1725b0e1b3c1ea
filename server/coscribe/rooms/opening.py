"""Opening a document: from its rows to a room, without what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from coscribe.core.bounds import Limits
from coscribe.core.exchange import Exchange
from coscribe.core.intake import Accepted, Intake
from coscribe.core.update import scan
from coscribe.errors import Unavailable
from coscribe.model import Document, Place, new_id
from coscribe.ports import Activities, Archive, Bus, Documents, Principals, UpdateLog
from coscribe.rooms.authors import Authors
from coscribe.rooms.compaction import Tail
from coscribe.rooms.feed import Feed, Position, Sources
from coscribe.rooms.history import Restored, restore
from coscribe.rooms.means import Means
from coscribe.rooms.measuring import Spans
from coscribe.rooms.replay import Replayer
from coscribe.rooms.room import Owner, Room

# What a keystroke takes in the log: bytes of entries that are there already are not known.
_KEYSTROKE_BYTES = 40


@dataclass(frozen=True, slots=True)
class Storage:
    """The ports that rooms live on.

    `is_shared` says that other servers write the same log; `bus` rings them, and is None where that is left to chance.
    """

    log: UpdateLog
    documents: Documents
    activities: Activities
    principals: Principals
    archive: Archive
    is_shared: bool = False
    bus: Bus | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A room as it was opened, and what stands in the log behind its snapshot."""

    room: Room
    tail: Tail
    title_by_hand: bool


@dataclass(frozen=True, slots=True)
class Opener:
    """Makes rooms. `damaged` hears of each document that something is wrong with, and of what it is; `span` is around
    each that is opened.
    """

    storage: Storage
    limits: Limits
    means: Means
    owner: Owner
    damaged: Callable[[str, str], None]
    span: Spans

    async def rehearse(self) -> None:
        """Read what there is of a document that is none. Raises Unavailable."""
        place = Place(new_id(), 1)
        await self.storage.documents.get(place.document_id)
        await restore(self.storage.log, place, 1)
        await self.storage.log.client_ids(place.document_id, place.generation)
        await self.storage.activities.head(place.document_id)

    async def open(self, document_id: str, *, careful: bool) -> Opened:
        """Make a document's room from the log. Raises Unavailable."""
        with self.span("load") as span:
            span.note(document_id=document_id)
            opened = await self._open(document_id, careful=careful)
            span.note(seq=opened.room.seq, entries=opened.tail.entries, snapshot_bytes=opened.tail.snapshot_bytes)
        return opened

    async def _open(self, document_id: str, *, careful: bool) -> Opened:
        if (wrong := await self.storage.archive.mend_head(document_id)) is not None:
            self.damaged(document_id, wrong)
        current = await self.storage.documents.get(document_id)
        if current is None:
            raise Unavailable("The document was just removed.")
        restored = await restore(self.storage.log, Place(current.id, current.generation), current.seq)
        room = await self._room(current, restored)
        room.sessions.careful = careful
        behind = current.seq - restored.snapshot_seq
        tail = Tail(restored.snapshot_bytes, behind, _KEYSTROKE_BYTES * behind)
        return Opened(room, tail, current.title_by_hand)

    async def _room(self, current: Document, restored: Restored) -> Room:
        owners = await self.storage.log.client_ids(current.id, current.generation)
        last_activity = await self.storage.activities.head(current.id)
        waiting = await self._waiting(restored)
        intake = Intake(
            restored.replica, seq=current.seq, owners=owners, limits=self.limits, now=lambda: datetime.now(UTC)
        )
        intake.shelve(waiting)
        exchange = Exchange(current.generation, intake, self.means.deliveries)
        if restored.whole is not None:
            exchange.answers.begin(restored.whole, is_all=restored.snapshot_seq == current.seq)
        room = Room(current.id, exchange, self.means, self.owner)
        room.title = current.title
        room.damage = restored.damage
        distrusted = -1
        if restored.damage is not None:
            self.damaged(current.id, restored.damage)
            distrusted = current.seq
        position = Position(current.generation, current.seq, last_activity)
        room.open(Feed(position, self._sources(room), distrusted=distrusted))
        return room

    async def _waiting(self, restored: Restored) -> list[Accepted]:
        """What builds on lost entries, ready to enter once a client brings those."""
        entries = restored.waiting
        authors = Authors(self.storage.principals)
        await authors.learn(entries)
        return [
            Accepted(entry.payload, scan(entry.payload), authors.of(entry), entry.session_id, is_live=False)
            for entry in entries
        ]

    def _sources(self, room: Room) -> Sources:
        replayer = Replayer(self.storage.log, self.storage.principals, room.document_id, room.generation)
        activities = self.storage.activities
        return Sources(
            snapshot=lambda: (room.title, room.text),
            people=room.tell_people,
            replay=replayer.changes,
            activities=lambda after, after_seq: activities.of_document(
                room.document_id, after=after, after_seq=after_seq
            ),
        )
