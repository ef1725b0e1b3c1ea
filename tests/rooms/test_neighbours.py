"""Servers that ring each other: what is stored and who is here comes at once; a lost bell costs nothing but time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from tests.rooms.building import Building, a_reader, enter, eventually, waiting
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import framed, one, presence, typed

from coscribe.bus.memory import MemoryBus, Switch
from coscribe.core.bells import Alive, Stored, encode
from coscribe.core.protocol import AwarenessUpdate, decode
from coscribe.core.session import Session
from coscribe.model import Document, Principal
from coscribe.rooms import elsewhere, lookout, neighbours
from coscribe.rooms import presence as upkeep
from coscribe.rooms.room import Room
from coscribe.storage.engine import Database

Servers = tuple[Building, Building]


@pytest.fixture
async def servers(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Servers]:
    """Two registries on one database and one bus, which look at the log by themselves next to never."""
    monkeypatch.setattr(lookout, "_EVERY_S", 3600.0)
    switch = Switch()
    here, there = [Building(sqlite, is_shared=True, bus=MemoryBus(name, switch)) for name in ("here", "there")]
    yield here, there
    for server in (here, there):
        await server.close()


async def both(servers: Servers, document: Document) -> tuple[Room, Room]:
    """The document's room at each server, held."""
    return tuple([(await server.registry.acquire(document)).room for server in servers])  # type: ignore[return-value]


def caret(client: int, clock: int, state: dict[str, object]) -> bytes:
    """A frame that tells a client's state."""
    return presence((client, clock, json.dumps(state)))


def states(session: Session) -> dict[int, dict[str, object] | None]:
    """The awareness states that a session was told, the newest of each client."""
    told: dict[int, dict[str, object] | None] = {}
    for frame in session.outbox.take():
        if frame[0] == 1:
            message = decode(frame)
            assert isinstance(message, AwarenessUpdate)
            told |= {entry.client: json.loads(entry.state) for entry in message.entries}
    return told


async def test_what_is_stored_here_is_read_there_at_once_and_without_the_database(servers: Servers) -> None:
    here, there = servers
    near, far = await both(servers, await here.document())
    ann, ben = enter(near, "ann"), enter(far, "ben", BEN)
    reads = len(there.log.read_from)

    near.sessions.receive(ann, framed(2, one(5, 0, typed("hi"))))
    await eventually(lambda: far.seq == 1)
    near.sessions.receive(ann, framed(2, one(5, 2, typed("!", after=(5, 1)))))
    await eventually(lambda: far.seq == 2)

    assert far.text == "hi!"
    assert framed(2, one(5, 0, typed("hi"))) in ben.outbox.take()
    assert len(there.log.read_from) == reads


async def test_a_bell_behind_one_that_was_lost_has_the_log_read(servers: Servers) -> None:
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    assert there.bus is not None
    ann = enter(near, "ann")
    there.bus.leave(f"d.{document.id}")
    near.sessions.receive(ann, framed(2, one(5, 0, typed("hi"))))
    await eventually(lambda: near.is_settled)
    there.bus.follow(f"d.{document.id}")

    near.sessions.receive(ann, framed(2, one(5, 2, typed("!", after=(5, 1)))))
    await eventually(lambda: far.seq == 2)

    assert far.text == "hi!"


async def test_an_entry_that_comes_along_while_it_is_read_is_taken_in_once(servers: Servers) -> None:
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    assert there.bus is not None
    there.bus.leave(f"d.{document.id}")
    ann = enter(near, "ann")
    near.sessions.receive(ann, framed(2, one(5, 0, typed("a"))))
    await eventually(lambda: near.is_settled)
    entries = await here.log.read(document.id, 1, after=0)
    there.log.readable.clear()
    reads = len(there.log.read_from)
    far.standing.heard(1)
    await eventually(lambda: len(there.log.read_from) > reads)
    far.standing.heard(1, entries)
    there.log.readable.set()
    await eventually(lambda: far.seq == 1)
    there.bus.follow(f"d.{document.id}")

    near.sessions.receive(ann, framed(2, one(5, 1, typed("b", after=(5, 0)))))
    await eventually(lambda: far.seq == 2)

    assert (far.text, there.told) == ("ab", [])


async def test_a_bell_for_another_generation_ends_the_room_and_an_older_one_nothing(servers: Servers) -> None:
    here, _ = servers
    document = await here.document()
    near, far = await both(servers, document)
    ben = enter(far, "ben", BEN)
    assert here.bus is not None

    here.bus.publish(f"d.{document.id}", encode(Stored(document.id, 0, 7)))
    here.bus.publish(f"d.{document.id}", b"\x63 of a later version")
    here.bus.publish(f"d.{document.id}", encode(Stored(document.id, 2, 1)))
    await eventually(lambda: ben.outbox.closing is not None)

    assert ben.outbox.closing is not None
    assert ben.outbox.closing.code == 4409
    assert near.seq == 0


async def test_people_at_one_server_see_those_at_the_other_come_move_and_go(servers: Servers) -> None:
    here, _there = servers
    near, far = await both(servers, await here.document())
    ann, ben = enter(near, "ann"), enter(far, "ben", BEN)
    reader = await a_reader(far)
    await waiting(reader)

    near.sessions.receive(ann, caret(5, 1, {"line": 3, "user": {"name": "Mallory"}}))
    heard: dict[int, dict[str, object] | None] = {}

    def hears(client: int) -> bool:
        heard.update(states(ben))
        return client in heard

    await eventually(lambda: hears(5))
    state = heard.pop(5)
    assert state is not None
    assert state["line"] == 3
    assert state["user"] == {**state["user"], "id": ANN.id, "name": ANN.name}  # type: ignore[dict-item]
    assert [person["id"] for person in far.people] == [ANN.id]
    assert far.people[0]["role"] == "editor"

    near.sessions.leave(ann)
    await eventually(lambda: hears(5))
    assert heard[5] is None
    assert far.people == []


async def test_who_comes_later_is_told_of_those_at_the_other_server(servers: Servers) -> None:
    here, there = servers
    document = await here.document()
    near = (await here.registry.acquire(document)).room
    ann = enter(near, "ann")
    near.sessions.receive(ann, caret(5, 1, {"line": 3}))
    await eventually(lambda: bool(near.people))

    far = (await there.registry.acquire(document)).room
    await eventually(lambda: bool(far.people))

    assert [person["id"] for person in far.people] == [ANN.id]


async def test_whoever_moves_to_another_server_is_there_once(servers: Servers) -> None:
    here, _ = servers
    near, far = await both(servers, await here.document())
    ann = enter(near, "ann")
    near.sessions.receive(ann, caret(5, 1, {"line": 1}))
    await eventually(lambda: bool(far.people))

    again = enter(far, "again")
    far.sessions.receive(again, caret(5, 2, {"line": 2}))
    await eventually(lambda: [person["line"] for person in near.people] == [2])

    near.sessions.leave(ann)  # her old line is found to be dead
    await eventually(lambda: [person["line"] for person in far.people] == [2])
    assert [person["line"] for person in near.people] == [2]


async def test_a_name_that_was_changed_here_is_shown_there(servers: Servers) -> None:
    here, _ = servers
    near, far = await both(servers, await here.document())
    near.sessions.receive(enter(near, "ann"), caret(5, 1, {"line": 1}))
    await eventually(lambda: bool(far.people))

    here.registry.neighbours.renamed(Principal(ANN.id, ANN.kind, "Anna", 3))
    await eventually(lambda: far.people[0]["name"] == "Anna")


async def test_those_at_a_server_that_falls_silent_vanish(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_ALIVE_EVERY_S", 0.02)
    monkeypatch.setattr(neighbours, "_GONE_AFTER_S", 0.1)
    here, there = servers
    near, far = await both(servers, await here.document())
    near.sessions.receive(enter(near, "ann"), caret(5, 1, {"line": 1}))
    await eventually(lambda: bool(far.people))
    assert there.registry.neighbours.count == 1
    assert here.bus is not None

    await here.bus.close()
    monkeypatch.setattr(here.bus, "publish", lambda topic, payload: None)
    await eventually(lambda: not far.people)

    assert there.registry.neighbours.count == 0


async def test_what_bells_told_nobody_of_is_told_again(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    enter(far, "ben", BEN)
    assert there.bus is not None
    there.bus.leave(f"d.{document.id}")
    near.sessions.receive(enter(near, "ann"), caret(5, 1, {"line": 1}))
    await eventually(lambda: bool(near.people))
    there.bus.follow(f"d.{document.id}")
    assert far.people == []

    there.registry.neighbours.again()
    await eventually(lambda: bool(far.people))


async def test_presence_is_told_again_now_and_then(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_REFRESH_S", 0.02)
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    assert there.bus is not None
    there.bus.leave(f"d.{document.id}")
    near.sessions.receive(enter(near, "ann"), caret(5, 1, {"line": 1}))
    await eventually(lambda: bool(near.people))
    there.bus.follow(f"d.{document.id}")
    await eventually(lambda: bool(far.people))


async def test_a_message_of_nobody_is_only_life(servers: Servers) -> None:
    here, there = servers
    assert here.bus is not None
    here.bus.publish("all", encode(Alive()))
    await eventually(lambda: there.registry.neighbours.count == 1)


async def test_a_bell_that_fails_is_told_and_the_next_one_is_heard(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = servers
    near, far = await both(servers, await here.document())

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(far.standing, "heard", broken)
    ann = enter(near, "ann")
    near.sessions.receive(ann, framed(2, one(5, 0, typed("hi"))))
    await eventually(lambda: bool(there.told))
    monkeypatch.undo()
    near.sessions.receive(ann, framed(2, one(5, 2, typed("!", after=(5, 1)))))
    await eventually(lambda: far.seq == 2)

    assert [event for event, _ in there.told] == ["bell_failed"]


async def test_whoever_opens_a_document_asks_again_who_is_there(servers: Servers) -> None:
    here, there = servers
    document = await here.document()
    near = (await here.registry.acquire(document)).room
    near.sessions.receive(enter(near, "ann"), caret(5, 1, {"line": 1}))
    await eventually(lambda: bool(near.people))
    assert there.bus is not None
    # What is followed on Redis is heard a moment later.
    monkey, there.bus.follow = there.bus.follow, lambda topic: None  # type: ignore[method-assign]
    far = (await there.registry.acquire(document)).room
    await asyncio.sleep(0.01)
    assert far.people == []
    monkey(f"d.{document.id}")

    await eventually(lambda: bool(far.people))


async def test_who_left_while_nobody_could_be_told_is_forgotten_after_a_while(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_ALIVE_EVERY_S", 0.02)
    monkeypatch.setattr(elsewhere, "_OLD_S", 0.1)
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    ann = enter(near, "ann")
    near.sessions.receive(ann, caret(5, 1, {"line": 1}))
    await eventually(lambda: bool(far.people))
    assert here.bus is not None
    there.bus.leave(f"d.{document.id}")  # type: ignore[union-attr]
    near.sessions.leave(ann)

    await eventually(lambda: not far.people)

    assert there.registry.neighbours.count == 1
    assert far.elsewhere.roles == {}


async def test_a_server_that_stops_tells_that_nobody_is_there_any_more(servers: Servers) -> None:
    here, _ = servers
    near, far = await both(servers, await here.document())
    near.sessions.receive(enter(near, "ann"), caret(5, 1, {"line": 1}))
    await eventually(lambda: bool(far.people))

    await here.registry.close()
    await eventually(lambda: not far.people)
