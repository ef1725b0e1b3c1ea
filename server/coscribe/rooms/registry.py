"""All rooms of this process: one single-flight load per document, rooms that nobody holds go after a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from coscribe.core.audience import Deliveries
from coscribe.core.bounds import Limits
from coscribe.errors import Unavailable
from coscribe.model import Document, Entry, Place
from coscribe.rooms.compaction import Compactor, Upkeep
from coscribe.rooms.held import Held, loaded
from coscribe.rooms.hub import ActivityHub
from coscribe.rooms.lookout import Lookout
from coscribe.rooms.means import Means
from coscribe.rooms.measuring import Measures
from coscribe.rooms.neighbours import Neighbours
from coscribe.rooms.opening import Opener, Storage
from coscribe.rooms.recorder import Recorder
from coscribe.rooms.room import Owner, Room
from coscribe.rooms.saving import Saved
from coscribe.rooms.searching import Searching
from coscribe.rooms.snapshotting import Readers, Shown
from coscribe.rooms.titles import Titles
from coscribe.rooms.troubles import Troubles, Watcher
from coscribe.rooms.turns import Turns
from coscribe.rooms.workshop import Workshop

# Accepted updates get this long to become durable at shutdown; the whole exit must fit in 5 s.
_CLOSE_WITHIN_S = 3.0
# A loaded room waits at least this long for whoever asked for it, however short empty rooms are to stay.
_UNHELD_S = 5.0
# Documents whose engine failed, and that are not well yet: each is one line of the log at least.
_MOST_SUSPECTS = 1000
_NO_MEMORY = "The server has no memory left for one more document; try again in a moment."
_TIGHT_RETRY_S = 10


class Registry:
    """The rooms, their recorder and their compactor."""

    def __init__(
        self,
        storage: Storage,
        hub: ActivityHub,
        *,
        limits: Limits,
        idle_s: float,
        watch: Watcher,
        measures: Measures | None = None,
    ) -> None:
        self._hub = hub
        self._idle_s = idle_s
        self._watch = watch
        self._measures = measures or Measures()
        # Asked before a document is opened: whether the process has memory for one more.
        self.has_memory: Callable[[], bool] = lambda: True
        self.turns = Turns()
        self._troubles = told = Troubles(watch)
        self._recorder = Recorder(
            storage.log, told.recording_failed, told.damaged, lambda: self.turns.tick_s, self._measures
        )
        self._compactor = Compactor(storage.log, storage.archive, self._upkeep())
        self._workshop = Workshop(watch)
        self._held: dict[str, Held] = {}
        self._loading: dict[str, asyncio.Task[Held]] = {}
        self._suspects: dict[str, None] = {}
        self._closing = False
        # Rooms that ended since somebody took out the garbage: their parts refer to each other.
        self.let_go = 0
        # How often a document was taken from everybody.
        self.drops = 0
        # What sessions were given of updates, since the start.
        self.deliveries = Deliveries()
        # The other servers, as far as they are heard.
        self.neighbours = Neighbours(storage.bus, self, told.bell_failed)
        self._lookout = Lookout(storage.log, lambda: self.rooms, told.bell_failed) if storage.is_shared else None
        self._titles = Titles(storage.documents, self.live, told.title_failed)
        self._searching = Searching(storage.documents, told.words_failed)
        self._opener = self._opens(storage, limits)

    def _upkeep(self) -> Upkeep:
        return Upkeep(
            lambda document_id: document_id in self._held,
            self._troubles.snapshot_failed,
            Readers(self._shown, self._moved),
            is_busy=lambda: self.turns.tick_s > 0,
            span=self._measures.span,
        )

    def _opens(self, storage: Storage, limits: Limits) -> Opener:
        means = Means(self._recorder, storage.log, self._workshop, self.turns, storage.principals, self.deliveries)
        owner = Owner(
            self._failed, self._strayed, self._doubted, self._forget, self._paused, self._saved, self._hub.store
        )
        return Opener(storage, limits, means, owner, self._troubles.damaged, self._measures.span)

    async def rehearse(self) -> None:
        """Open a document that is none. Raises Unavailable."""
        await self._opener.rehearse()

    def start(self) -> None:
        """Begin to record."""
        self._recorder.start()
        self._compactor.start()
        self._titles.start()
        self._searching.start()
        if self._lookout is not None:
            self._lookout.start()
        self.neighbours.start()

    async def close(self) -> None:
        """End every session (1012: come back), commit what was accepted, stop."""
        self._closing = True
        self._hub.close()
        if self._lookout is not None:
            await self._lookout.close()
        for loading in tuple(self._loading.values()):
            loading.cancel()
        rooms = self.rooms
        for room in rooms:
            room.drain()
        left = await self._recorder.close(_CLOSE_WITHIN_S)
        if left:
            self._watch("stopped_unsaved", documents=left)
        for room in rooms:
            room.close(1012, "The server is restarting.")
        await self.neighbours.close()
        await self._workshop.close()
        await self._compactor.close()
        await self._titles.close()
        await self._searching.close()

    @property
    def rooms(self) -> Sequence[Room]:
        """Every live room."""
        return [held.room for held in self._held.values()]

    @property
    def trouble(self) -> Exception | None:
        """Why accepted changes cannot be stored now, None while all is well."""
        return self._recorder.trouble

    def live(self, document_id: str) -> Room | None:
        """The room of a document, when it has one."""
        held = self._held.get(document_id)
        return held.room if held is not None else None

    @asynccontextmanager
    async def hold(self, document: Document) -> AsyncIterator[Room]:
        """`acquire` a document's room, and keep it while inside. Raises Unavailable."""
        held = await self.acquire(document)
        try:
            yield held.room
        finally:
            self.release(held)

    async def acquire(self, document: Document) -> Held:
        """Open a document's room, or find it, and keep it until `release`. Raises Unavailable.

        It is up with the document as it was read: whoever was answered by another server a moment ago finds his work.
        """
        while True:
            held = await self._open(document)
            if self._held.get(document.id) is not held:
                continue  # it ended before its first holder came to run
            held.hold()
            try:
                await held.room.standing.caught_up(document.seq)
            except BaseException:  # who asked may be cancelled meanwhile
                self.release(held)
                raise
            if self._held.get(document.id) is held:
                return held
            self.release(held)  # it ended meanwhile, and nobody would ever end who came into it

    def release(self, held: Held) -> None:
        """Let go of a room; when nobody holds it any more it goes after a while."""
        held.holders -= 1
        if held.holders == 0 and self._held.get(held.room.document_id) is held:
            held.expire_after(self._idle_s, self._expire)

    async def _open(self, document: Document) -> Held:
        if self._closing:
            raise Unavailable("The server is restarting.")
        while (held := self._held.get(document.id)) is None:
            loading = self._loading.get(document.id)
            if loading is None and not self.has_memory():
                self._watch("refused", limit="max_memory_bytes")
                raise Unavailable(_NO_MEMORY, retry_after_s=_TIGHT_RETRY_S, limit="max_memory_bytes")
            if loading is None:
                loading = asyncio.create_task(self._load(document), name=f"load {document.id}")
                self._loading[document.id] = loading
                loading.add_done_callback(lambda _: self._loading.pop(document.id, None))
            return await loaded(loading)
        if held.room.generation < document.generation:
            held.room.replaced(document.generation)
            return await self._open(document)
        return held

    async def _load(self, document: Document) -> Held:
        # A room that failed or was dropped may still have accepted updates on their way to the log.
        await self._recorder.settled(document.id)
        opened = await self._opener.open(document.id, careful=document.id in self._suspects)
        held = Held(opened.room, opened.tail)
        self._held[document.id] = held
        self.neighbours.opened(opened.room)
        # Not left to the callback: whoever waits and finds the room gone again would wait for this without end.
        self._loading.pop(document.id, None)
        # Whoever asked for it may be gone by now; the first to hold it stops the clock.
        held.expire_after(max(self._idle_s, _UNHELD_S), self._expire)
        if opened.room.seq and not opened.title_by_hand:
            # The last stop may have come between a change and its title; a new document has one before its text.
            opened.room.derived_title = opened.room.title
            self._titles.follow(opened.room)
        if opened.room.seq:
            # Nor are the words stored of what was written before that stop, or by a version without them.
            self._searching.follow(opened.room)
        self._compactor.rest(Place(document.id, opened.room.generation), opened.room.seq, opened.tail)
        return held

    def _expire(self, held: Held) -> None:
        if held.holders or self._held.get(held.room.document_id) is not held:
            return
        if not held.room.is_settled:
            held.expire_after(max(self._idle_s, _UNHELD_S), self._expire)
            return
        self._let_go(held)
        self._suspects.pop(held.room.document_id, None)  # it went well up to its end
        held.room.close(1001, "Nobody is here.")

    def evict_idle(self) -> None:
        """Let go of every room that nobody holds, without waiting for its time."""
        for held in tuple(self._held.values()):
            if held.expiry is not None:
                held.stop_clock()
                self._expire(held)

    async def drop(self, document_id: str, *, code: int, reason: str) -> None:
        """End a document's sessions and its room; returns when what it accepted is durable."""
        self.drops += 1
        held = self._held.get(document_id)
        if held is not None:
            self._let_go(held)
            held.room.end_sessions(code, reason)
            held.room.close(code, reason)
            await self._recorder.settled(document_id)

    # What rooms tell

    def _failed(self, room: Room) -> None:
        """Drop a room whose engine failed; the next one applies updates one by one until it knows which it was."""
        self._watch("engine_failed", document_id=room.document_id, again=room.sessions.careful)
        if len(self._suspects) >= _MOST_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]
        self._suspects[room.document_id] = None
        self._forget(room)

    def _strayed(self, room: Room, reason: str) -> None:
        self._watch("room_strayed", document_id=room.document_id, reason=reason)
        self._forget(room)

    def _doubted(self, room: Room) -> None:
        if self._compactor.doubt(Place(room.document_id, room.generation), room.seq):
            room.answer_anew()

    def _shown(self, place: Place) -> Shown | None:
        room = self.live(place.document_id)
        return room.shown() if room is not None and room.generation == place.generation else None

    def _moved(self, place: Place, seq: int, entry: Entry | None) -> None:
        """The log has come to a seq, by a text that was written anew: rooms read it as what other servers store."""
        if entry is not None:
            self._watch("text_rewritten", document_id=place.document_id, seq=seq)
        room = self.live(place.document_id)
        if room is not None and room.generation == place.generation:
            room.standing.heard(seq, (entry,) if entry is not None else ())

    def _forget(self, room: Room) -> None:
        """Drop a closed room; the next to ask gets another."""
        held = self._held.get(room.document_id)
        if held is not None and held.room is room:
            self._let_go(held)

    def _let_go(self, held: Held) -> None:
        del self._held[held.room.document_id]
        self.neighbours.closed(held.room)
        self._searching.let_go(held.room)
        self.let_go += 1
        held.stop_clock()

    def _saved(self, room: Room, saved: Saved) -> None:
        self._measures.saved(saved)
        self.neighbours.stored(room, saved)
        if self.trouble is None:
            self._troubles.recording_works()
        held = self._held.get(room.document_id)
        if held is not None and held.room is room:
            held.tail.add(saved.count, saved.payload_bytes)
            self._compactor.consider(Place(room.document_id, room.generation), room.seq, held.tail)

    def _paused(self, room: Room) -> None:
        self._titles.follow(room)
        self._searching.follow(room)
