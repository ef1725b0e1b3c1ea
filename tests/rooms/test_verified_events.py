"""What a reader makes of a snapshot and the events behind it is, after every action, what a fresh reader is told."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from pycrdt import Doc, Text
from tests.rooms.building import PATIENCE_S, Building, a_reader, enter
from tests.rooms.test_feed import insert, rename
from tests.support.people import ANN, BEN
from tests.support.proof import Proof
from tests.support.viewer import apply_ops
from tests.support.wire_bytes import framed, presence

from coscribe.core.session import Session
from coscribe.model import Document, Principal, Role
from coscribe.rooms import presence as telling
from coscribe.rooms.feed_reader import FeedEvent, FeedReader
from coscribe.rooms.room import Room

STEPS = 25


class Follower:
    """A reader's state, made of events alone."""

    def __init__(self, reader: FeedReader) -> None:
        self.reader = reader
        self.text = self.title = ""
        self.seq = 0
        self.position: str | None = None
        self.people: dict[str, dict[str, Any]] = {}

    @property
    def state(self) -> tuple[object, ...]:
        return self.text, self.title, self.seq, self.people

    async def hear(self, timeout_s: float) -> bool:
        """Take one event; False where none came."""
        event = await self.reader.next(timeout_s)
        if event is not None:
            self._take(event, json.loads(event.data))
        return event is not None

    def _take(self, event: FeedEvent, data: dict[str, Any]) -> None:
        self.position = event.position or self.position
        match event.event:
            case "snapshot":
                self.text, self.title, self.seq = data["text"], data["title"], data["seq"]
            case "text":
                self.text, self.seq = apply_ops(self.text, data["ops"]), data["seq"]
            case "activity" if data["kind"] == "renamed":
                self.title = data["data"]["title"]
            case "presence" if "people" in data:
                self.people = {person["client"]: person for person in data["people"]}
            case "presence":
                self._move(data)

    def _move(self, data: dict[str, Any]) -> None:
        # Who comes while others are told of somebody has him in its list, and hears of him too.
        for how in ("joined", "moved"):
            if how in data:
                self.people[data[how]["client"]] = data[how]
        if "left" in data:
            self.people.pop(data["left"]["client"], None)


class Life:
    """A document in which things happen."""

    def __init__(self, building: Building, document: Document, room: Room, rng: random.Random) -> None:
        self.building, self.document, self.room, self.rng = building, document, room, rng
        self.doc: Doc[Text] = Doc({"content": Text()}, client_id=5)
        self.typist = enter(room, "typist", ANN)
        self.guests: list[tuple[int, Session]] = []
        self.count = 0

    async def act(self) -> None:
        """One action of any kind."""
        self.count += 1
        actions = (self.type, self.type, self.script, self.rename, self.join, self.move, self.leave, self.demote)
        await self.rng.choice(actions)()

    async def type(self) -> None:
        before = self.doc.get_state()
        self.doc["content"].insert(0, self.rng.choice(["a", "é", "😀", "\u2028", "\r\n"]))
        self.room.sessions.receive(self.typist, framed(2, self.doc.get_update(before)))

    async def script(self) -> None:
        await self.room.writers.edit(BEN, insert(self.rng.randrange(len(self.room.text) + 1), "script "))

    async def rename(self) -> None:
        await rename(self.building, self.document, self.room, f"Title {self.count}")

    async def join(self) -> None:
        name = f"guest {self.count}"
        session = enter(self.room, name, Principal(name, BEN.kind, name, 3))
        self.guests.append((1_000 + self.count, session))
        self._tell(-1, 1)

    def _tell(self, guest: int, line: int) -> None:
        client, session = self.guests[guest]
        self.room.sessions.receive(session, presence((client, self.count, json.dumps({"line": line, "cursor": None}))))

    async def move(self) -> None:
        if self.guests:
            self._tell(self.rng.randrange(len(self.guests)), self.rng.randrange(1, 9))

    async def leave(self) -> None:
        if self.guests:
            self.room.sessions.leave(self.guests.pop(self.rng.randrange(len(self.guests)))[1])

    async def demote(self) -> None:
        if self.guests:
            self.room.sessions.set_role(self.rng.choice(self.guests)[1], self.rng.choice((Role.VIEWER, Role.EDITOR)))


async def fresh(room: Room) -> Follower:
    """What somebody is told who comes now."""
    follower = Follower(await a_reader(room))
    while await follower.hear(0.0):
        continue
    follower.reader.close()
    return follower


async def same(room: Room, follower: Follower) -> None:
    """Wait until what was done is told; then a fresh reader knows nothing else."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while (there := (await fresh(room)).state) != follower.state or not room.is_settled:
        assert asyncio.get_running_loop().time() < deadline, f"{follower.state} is not {there}"
        await follower.hear(0.01)


@pytest.mark.proof(
    promise="Who follows a document's events knows all that somebody who opens it now is shown",
    faults="feed",
    how="snapshot and events compared with a fresh snapshot after every action: typing, scripts, titles, people, roles",
)
async def test_events_lead_where_a_fresh_snapshot_stands(
    proof: Proof, building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    # People are told at once, not gathered: the test waits for each of them.
    monkeypatch.setattr(telling, "_TELL_AFTER_S", 0.0)
    monkeypatch.setattr(telling, "_GATHER_S", 0.0)
    for seed in range(proof.rounds(4, 200)):
        rng = random.Random(seed)
        document = await building.document()
        async with building.registry.hold(document) as room:
            life = Life(building, document, room, rng)
            follower = Follower(await a_reader(room))
            for _ in range(STEPS):
                await life.act()
                await same(room, follower)
                if rng.random() < 0.1:
                    follower.reader.close()
                    follower.reader = await a_reader(room, after=follower.position)
