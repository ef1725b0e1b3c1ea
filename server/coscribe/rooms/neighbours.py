"""The other servers of the same database: rung when something is stored here or somebody moves, and heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from coscribe.core.bells import (
    Alive,
    Happened,
    Message,
    Present,
    Renamed,
    Stored,
    Who,
    decode,
    encode,
)
from coscribe.errors import Malformed
from coscribe.model import Principal
from coscribe.ports import Bus
from coscribe.rooms.room import Room
from coscribe.rooms.saving import Saved

_ALL = "all"
_ALIVE_EVERY_S = 2.0
# Whoever was at a server that is not heard for so long is gone; three of its words may be lost.
_GONE_AFTER_S = 8.0
_ASK_AGAIN_S = 0.5
# Entries ride along in a bell up to so many bytes: whoever has the one before need not read the log.
_HINT_BYTES = 16 * 2**10
# Rooms that are asked about between two turns of the loop, once the bus is there again.
_TOGETHER = 100


class Rooms(Protocol):
    """What neighbours need of the registry."""

    @property
    def rooms(self) -> Sequence[Room]:
        """Every live room."""
        ...

    def live(self, document_id: str) -> Room | None:
        """The room of a document, when it has one."""
        ...


class Neighbours:
    """Tells other servers and hears them; without a bus there is nobody."""

    def __init__(self, bus: Bus | None, rooms: Rooms, failed: Callable[[Exception], None]) -> None:
        self._bus = bus
        self._rooms = rooms
        self._failed = failed
        # Hears that others have stored an activity.
        self.happened_elsewhere: Callable[[], None] = lambda: None
        # When each of them was heard, by the loop's clock.
        self._heard_at: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many other servers there are, as far as they are heard."""
        return len(self._heard_at)

    def start(self) -> None:
        """Begin to hear and to tell."""
        if self._bus is not None:
            self._bus.follow(_ALL)
            self._bus.start(self._hear, self.again)
            self._task = asyncio.create_task(self._run(), name="neighbours")

    async def close(self) -> None:
        """Tell that nobody is here any more, and stop."""
        if self._bus is None or self._task is None:
            return
        tasks = [task for task in (self._task, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for room in self._rooms.rooms:
            self._told(Present(room.document_id, (), is_all=True))
        await self._bus.close()

    # What is told

    def opened(self, room: Room) -> None:
        """A room lives: hear of its document, and who is in it elsewhere."""
        if self._bus is not None:
            self._bus.follow(_topic(room.document_id))
            room.elsewhere.tell(self._told)
            self._ask(room)
            # The first answers may come before anything of this document is heard.
            asyncio.get_running_loop().call_later(_ASK_AGAIN_S, self._ask, room)

    def _ask(self, room: Room) -> None:
        if self._rooms.live(room.document_id) is room:
            self._tell(room.document_id, Who(room.document_id))

    def closed(self, room: Room) -> None:
        """A room has gone."""
        if self._bus is not None:
            room.elsewhere.end()
            self._told(Present(room.document_id, (), is_all=True))
            self._bus.leave(_topic(room.document_id))

    def stored(self, room: Room, saved: Saved) -> None:
        """A commit of a room is in the log."""
        if self._bus is not None:
            entries = tuple(saved.entries()) if saved.payload_bytes <= _HINT_BYTES else ()
            last = saved.first + saved.count - 1
            self._tell(room.document_id, Stored(room.document_id, room.generation, last, entries))

    def happened(self) -> None:
        """An activity was stored."""
        if self._bus is not None:
            self._bus.publish(_ALL, encode(Happened()))

    def renamed(self, principal: Principal) -> None:
        """A principal has another name or colour."""
        if self._bus is not None:
            self._bus.publish(_ALL, encode(Renamed(principal)))

    def _told(self, present: Present) -> None:
        self._tell(present.document_id, present)

    def _tell(self, document_id: str, message: Message) -> None:
        if self._bus is not None:
            self._bus.publish(_topic(document_id), encode(message))

    # What is heard

    def again(self) -> None:
        """The bus is there again: who was told meanwhile is asked for, and told."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all(), name="ask neighbours")

    async def _ask_all(self) -> None:
        rooms = [room for room in self._rooms.rooms if room.sessions or room.feed.readers]
        for at, room in enumerate(rooms):
            self._ask(room)
            self._told(room.elsewhere.all())
            if at % _TOGETHER == 0:
                await asyncio.sleep(0.01)

    def _hear(self, _topic: str, sender: str, payload: bytes) -> None:
        self._heard_at[sender] = asyncio.get_running_loop().time()
        try:
            self._take(sender, decode(payload))
        except Malformed:
            return  # a later version has a word that this one does not know
        except Exception as error:  # noqa: BLE001 - the end of hearing would be worse than one bell that was not heard
            self._failed(error)

    def _take(self, sender: str, message: Message) -> None:
        match message:
            case Stored() | Present() | Who():
                if (room := self._rooms.live(message.document_id)) is not None:
                    self._hear_of(room, sender, message)
            case Happened():
                self.happened_elsewhere()
            case Renamed(principal):
                for room in tuple(self._rooms.rooms):
                    room.rename(principal)
            case Alive():
                pass

    def _hear_of(self, room: Room, sender: str, message: Stored | Present | Who) -> None:
        match message:
            case Stored(_, generation, seq, entries):
                if generation == room.generation:
                    room.standing.heard(seq, entries)
                elif generation > room.generation:
                    room.replaced(generation)
            case Present():
                room.elsewhere.hear(sender, message)
            case Who():
                self._told(room.elsewhere.all())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self._bus is not None:
                self._bus.publish(_ALL, encode(Alive()))
            await asyncio.sleep(_ALIVE_EVERY_S)
            try:
                self._forget_silent(loop.time())
            except Exception as error:  # noqa: BLE001 - nobody would be told any more that this server lives
                self._failed(error)

    def _forget_silent(self, now: float) -> None:
        gone = [sender for sender, heard_at in self._heard_at.items() if now - heard_at > _GONE_AFTER_S]
        for sender in gone:
            del self._heard_at[sender]
        for room in tuple(self._rooms.rooms):
            for sender in gone:
                room.elsewhere.forget(sender)
            room.elsewhere.forget_old()


def _topic(document_id: str) -> str:
    return f"d.{document_id}"
