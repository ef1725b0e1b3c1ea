"""Rooms on a real SQLite database, whose log can be made to fail as databases do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.contracts.values import stored
from tests.support.people import ANN, BEN

from coscribe.core.bounds import Limits
from coscribe.core.outbox import Outbox
from coscribe.core.session import Session
from coscribe.core.units import Units
from coscribe.errors import Unavailable
from coscribe.model import (
    Append,
    Appended,
    Behind,
    Damage,
    Document,
    Entry,
    Head,
    Principal,
    Replaced,
    Role,
    Snapshot,
    Unstored,
)
from coscribe.ports import Bus, Meet
from coscribe.rooms.feed_reader import FeedEvent, FeedReader
from coscribe.rooms.hub import ActivityHub
from coscribe.rooms.measuring import Measures
from coscribe.rooms.opening import Storage
from coscribe.rooms.registry import Registry
from coscribe.rooms.room import Room
from coscribe.rooms.snapshotting import Readers
from coscribe.storage.activities import SqlActivities
from coscribe.storage.archive import SqlArchive
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.principals import SqlPrincipals
from coscribe.storage.quarantine import Quarantine
from coscribe.storage.update_log import SqlUpdateLog

PATIENCE_S = 10.0
# A document that nobody is in, and whose text need not be written anew.
NOBODY = Readers(lambda _: None, lambda place, seq, entry: pytest.fail(f"{place} was written anew at {seq}: {entry}"))


class FaultyLog:
    """The real log behind faults: it can fail, lose its answer after the commit, or stand still."""

    def __init__(self, log: SqlUpdateLog) -> None:
        self._log = log
        self.failures = 0
        self.lost_answers = 0
        self.open = asyncio.Event()
        self.open.set()
        self.arrived = asyncio.Event()
        self.appends: list[tuple[Append, ...]] = []
        self.loads = 0
        self.read_from: list[int] = []
        self.unreadable = False
        self.readable = asyncio.Event()
        self.readable.set()

    async def append(
        self, batch: Sequence[Append], meet: Meet | None = None
    ) -> list[Appended | Replaced | Behind | Unstored | None]:
        self.arrived.set()
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise Unavailable("The disk is full.")
        answers = await self._log.append(batch, meet)
        self.appends.append(tuple(batch))
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unavailable("The line to the database broke.")
        return answers

    async def read(
        self, document_id: str, generation: int, *, after: int, upto: int | None = None, limit: int = 1000
    ) -> list[Entry]:
        self.read_from.append(after)
        if self.unreadable:
            raise Unavailable("The disk does not answer.")
        await self.readable.wait()
        return await self._log.read(document_id, generation, after=after, upto=upto, limit=limit)

    async def heads(self, document_ids: Sequence[str]) -> dict[str, Head]:
        return await self._log.heads(document_ids)

    async def client_ids(self, document_id: str, generation: int) -> dict[int, str]:
        self.loads += 1
        return await self._log.client_ids(document_id, generation)

    async def snapshot(self, document_id: str, generation: int, *, upto: int | None = None) -> Snapshot | None:
        return await self._log.snapshot(document_id, generation, upto=upto)

    async def store_snapshot(self, snapshot: Snapshot) -> None:
        await self._log.store_snapshot(snapshot)

    async def set_aside(self, damage: Damage) -> None:
        await self._log.set_aside(damage)


@dataclass
class Building:
    """A registry on a database, and what it said of its background work."""

    database: Database
    idle_s: float = 60.0
    unsaved_bytes: int = 2**20
    # Whether other buildings write the same log.
    is_shared: bool = False
    bus: Bus | None = None
    measures: Measures = field(default_factory=Measures)
    told: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        quarantine = Quarantine(self.database, lambda damage: self.told.append(("quarantined", {"damage": damage})))
        self.log = FaultyLog(SqlUpdateLog(self.database, quarantine))
        self.documents = SqlDocuments(self.database)
        self.activities = SqlActivities(self.database)
        self.principals = SqlPrincipals(self.database)
        self.hub = ActivityHub()
        self.registry = Registry(
            Storage(
                self.log,
                self.documents,
                self.activities,
                self.principals,
                SqlArchive(self.database, quarantine),
                self.is_shared,
                self.bus,
            ),
            self.hub,
            limits=Limits(2**20, self.unsaved_bytes),
            idle_s=self.idle_s,
            watch=self._watch,
            measures=self.measures,
        )
        self.registry.start()

    def _watch(self, event: str, **fields: object) -> None:
        self.told.append((event, fields))

    async def document(self) -> Document:
        """A new document of Ann's."""
        for principal in (ANN, BEN):
            if await self.principals.get(principal.id) is None:
                await self.principals.add(principal)
        return await stored(self.database, title_by_hand=True)

    async def close(self) -> None:
        self.log.open.set()
        await self.registry.close()


async def eventually(condition: Callable[[], bool]) -> None:
    """Give the loop turns until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is made by other tasks of this loop
            await asyncio.sleep(0)


def enter(room: Room, name: str, principal: Principal = ANN, role: Role = Role.EDITOR) -> Session:
    """A session of our own client in the room."""
    session = Session(name, principal, role, Outbox(2**20, lambda: None), is_ours=True)
    room.sessions.join(session)
    session.outbox.take()
    return session


def notices(frames: list[bytes]) -> list[dict[str, Any]]:
    """The notices among frames."""
    found = [frame for frame in frames if frame[0] == 0x73]
    return [json.loads(frame[2 if frame[1] < 0x80 else 3 :]) for frame in found]


def acks(frames: list[bytes]) -> list[bytes]:
    """The acks among frames."""
    return [frame for frame in frames if frame[0] == 0x71]


async def a_reader(
    room: Room, after: str | None = None, units: Units = Units.CODE_POINTS, principal: Principal = BEN
) -> FeedReader:
    """A reader of the room's feed."""
    return await room.feed.reader(principal=principal, after=after, units=units)


async def take(reader: FeedReader, count: int) -> list[FeedEvent]:
    """The next events."""
    events = []
    for _ in range(count):
        event = await reader.next(PATIENCE_S)
        assert event is not None
        events.append(event)
    return events


async def waiting(reader: FeedReader) -> list[FeedEvent]:
    """All events that are there already."""
    events = []
    while (event := await reader.next(0.0)) is not None:
        events.append(event)
    return events
