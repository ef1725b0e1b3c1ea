"""Two servers on one log: each shows what the other stored, in the order of the log, and nothing acked is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count

import pytest
from sqlalchemy import delete, update
from tests.rooms.building import Building, a_reader, acks, enter, eventually, notices, waiting
from tests.support.fault_proxy import FaultProxy, Weather
from tests.support.people import ANN, BEN
from tests.support.postgres import PostgresServer
from tests.support.viewer import apply_ops
from tests.support.wire_bytes import framed, one, typed

from coscribe.core.session import Session
from coscribe.core.splices import Splice
from coscribe.model import Document
from coscribe.rooms import lookout
from coscribe.rooms.feed_reader import FeedReader
from coscribe.rooms.history import replica_at
from coscribe.rooms.room import Room
from coscribe.storage.engine import Database
from coscribe.storage.migrate import upgrade
from coscribe.storage.tables import documents, updates

Servers = tuple[Building, Building]


@pytest.fixture
async def servers(database: Database) -> AsyncIterator[Servers]:
    """Two registries on one database."""
    servers = Building(database, is_shared=True), Building(database, is_shared=True)
    yield servers
    for server in servers:
        await server.close()


@pytest.fixture
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one server stores the other finds only by an append that comes too late, or by a bell."""
    monkeypatch.setattr(lookout, "_EVERY_S", 3600.0)


async def both(servers: Servers, document: Document) -> tuple[Room, Room]:
    """The document's room at each server, held."""
    return tuple([(await server.registry.acquire(document)).room for server in servers])  # type: ignore[return-value]


async def followed(reader: FeedReader, text: str) -> tuple[str, list[int]]:
    """What a reader of the feed makes of a text by the events that wait for it, and at which seqs."""
    seqs = []
    for event in await waiting(reader):
        data = json.loads(event.data)
        if event.event == "text":
            text = apply_ops(text, data["ops"])
            seqs.append(data["seq"])
    return text, seqs


async def type_on(room: Room, session: Session) -> None:
    """Type a letter each 5 ms, for ever."""
    for at in count():
        room.sessions.receive(session, framed(2, one(5, at, typed("a", after=(5, at - 1) if at else None))))
        await asyncio.sleep(0.005)


async def test_what_one_server_stored_the_other_tells_its_people_and_readers(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "_EVERY_S", 0.01)
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    ann, ben = enter(near, "ann"), enter(far, "ben", BEN)
    reader = await a_reader(far)
    await waiting(reader)

    near.sessions.receive(ann, framed(2, one(5, 0, typed("hi"))))
    await eventually(lambda: far.seq == 1)

    assert framed(2, one(5, 0, typed("hi"))) in ben.outbox.take()
    assert far.text == "hi"
    assert await followed(reader, "") == ("hi", [1])
    # What is Ann's there is hers here.
    far.sessions.receive(ben, framed(2, one(5, 2, typed("!", after=(5, 1)))))
    assert notices(ben.outbox.take())[0]["kind"] == "fork"
    assert there.told == []


async def test_what_both_stored_at_once_is_in_the_log_once_and_in_one_order(
    servers: Servers, nobody_looks: None
) -> None:
    here, _there = servers
    document = await here.document()
    near, far = await both(servers, document)
    ann, ben = enter(near, "ann"), enter(far, "ben", BEN)
    readers = [await a_reader(near), await a_reader(far)]
    for reader in readers:
        await waiting(reader)

    for at in range(20):
        near.sessions.receive(ann, framed(2, one(5, at, typed("a", after=(5, at - 1) if at else None))))
        far.sessions.receive(ben, framed(2, one(6, at, typed("b", after=(6, at - 1) if at else None))))
        await eventually(lambda: near.is_settled or far.is_settled)
    for room in (near, far):
        await eventually(lambda room=room: room.is_settled)  # type: ignore[misc]
    head = (await here.log.heads([document.id]))[document.id].seq
    for room in (near, far):
        room.standing.heard(head)
        await eventually(lambda room=room: room.seq == head)  # type: ignore[misc]

    entries = await here.log.read(document.id, 1, after=0)
    assert [entry.seq for entry in entries] == list(range(1, head + 1))
    text = (await replica_at(here.log, document.id, 1, head)).text
    assert near.text == far.text == text
    assert sorted(text) == sorted("a" * 20 + "b" * 20)
    assert acks(ann.outbox.take())[-1][:2] == acks(ben.outbox.take())[-1][:2] == b"\x71\x14"
    for reader in readers:
        told, seqs = await followed(reader, "")
        assert told == text
        assert seqs[-1] == head


async def test_a_reader_sees_the_text_of_the_log_at_every_seq_while_both_write(
    servers: Servers, nobody_looks: None
) -> None:
    here, _there = servers
    document = await here.document()
    near, far = await both(servers, document)
    ann, ben = enter(near, "ann"), enter(far, "ben", BEN)
    reader = await a_reader(near)
    await waiting(reader)

    here.log.open.clear()
    near.sessions.receive(ann, framed(2, one(5, 0, typed("near"))))  # is told here, and waits for the log
    await here.log.arrived.wait()
    far.sessions.receive(ben, framed(2, one(6, 0, typed("far"))))
    await eventually(lambda: far.seq == 1)
    here.log.open.set()
    await eventually(lambda: near.seq == 2)

    text = ""
    for event in await waiting(reader):
        data = json.loads(event.data)
        if event.event == "text":
            text = apply_ops(text, data["ops"])
            assert text == (await replica_at(here.log, document.id, 1, data["seq"])).text
    assert near.text == text
    assert framed(2, one(6, 0, typed("far"))) in ann.outbox.take()


async def test_an_answer_that_was_lost_while_another_server_wrote_stores_nothing_twice(
    servers: Servers, nobody_looks: None
) -> None:
    here, _there = servers
    document = await here.document()
    near, far = await both(servers, document)
    ann, ben = enter(near, "ann"), enter(far, "ben", BEN)
    far.sessions.receive(ben, framed(2, one(6, 0, typed("b"))))
    await eventually(lambda: far.is_settled)
    near.standing.heard(1)
    await eventually(lambda: near.seq == 1)

    here.log.lost_answers = 1
    near.sessions.receive(ann, framed(2, one(5, 0, typed("a"))))
    await eventually(lambda: here.log.lost_answers == 0)
    far.sessions.receive(ben, framed(2, one(6, 1, typed("c", after=(6, 0)))))
    await eventually(lambda: near.is_settled and far.is_settled)
    near.standing.heard(3)
    await eventually(lambda: near.seq == 3)

    assert sorted(near.text) == ["a", "b", "c"]
    assert near.text == far.text
    assert len(await here.log.read(document.id, 1, after=0)) == 3
    assert acks(ann.outbox.take()) != []


async def test_d10_two_histories_of_one_client_id_are_not_both_acked(servers: Servers, nobody_looks: None) -> None:
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    ann, again = enter(near, "ann"), enter(far, "again")
    there.log.open.clear()
    far.sessions.receive(again, framed(2, one(5, 0, typed("yes"))))
    await there.log.arrived.wait()
    near.sessions.receive(ann, framed(2, one(5, 0, typed("no!"))))
    await eventually(lambda: near.is_settled)

    there.log.open.set()
    await eventually(lambda: again.outbox.closing is not None)

    closing = again.outbox.closing
    assert closing is not None
    assert closing.code == 1011
    assert acks(again.outbox.take()) == []
    assert acks(ann.outbox.take()) != []
    async with there.registry.hold(document) as room:
        assert (room.text, room.seq) == ("no!", 1)
        session = enter(room, "back")
        room.sessions.receive(session, framed(2, one(5, 0, typed("yes"))))
        assert notices(session.outbox.take())[0]["kind"] == "fork"


async def test_d10_a_client_id_is_of_whom_the_log_has_it_of(servers: Servers, nobody_looks: None) -> None:
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    ann, ben = enter(near, "ann"), enter(far, "ben", BEN)
    there.log.open.clear()
    far.sessions.receive(ben, framed(2, one(5, 0, typed("ben"))))
    await there.log.arrived.wait()
    near.sessions.receive(ann, framed(2, one(5, 0, typed("ann"))))
    await eventually(lambda: near.is_settled)

    there.log.open.set()
    await eventually(lambda: ben.outbox.closing is not None)

    assert (await here.log.client_ids(document.id, 1))[5] == ANN.id
    assert acks(ben.outbox.take()) == []


async def test_who_comes_is_shown_what_another_server_stored_a_moment_ago(servers: Servers, nobody_looks: None) -> None:
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    written = await near.writers.edit(ANN, lambda text: [Splice(0, 0, "hi")])

    current = await here.documents.get(document.id)
    assert current is not None
    async with there.registry.hold(current) as room:
        assert room is far
        assert (room.seq, room.text) == (written.seq, "hi")


async def test_a_document_that_another_server_removed_ends_here(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "_EVERY_S", 0.01)
    here, there = servers
    document = await here.document()
    _, far = await both(servers, document)
    ben = enter(far, "ben", BEN)

    await here.documents.purge(document.id)
    await eventually(lambda: ben.outbox.closing is not None)

    assert ben.outbox.closing is not None
    assert ben.outbox.closing.code == 4404
    assert there.registry.live(document.id) is None


async def test_nobody_is_let_into_a_room_that_ended_while_he_waited_for_it(
    servers: Servers, nobody_looks: None
) -> None:
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    await near.writers.edit(ANN, lambda text: [Splice(0, 0, "hi")])
    current = await here.documents.get(document.id)
    assert current is not None
    there.log.readable.clear()
    coming = asyncio.create_task(there.registry.acquire(current))
    await eventually(lambda: bool(there.log.read_from))

    far.stray("what stands here is not what the log leads to")
    there.log.readable.set()
    held = await asyncio.wait_for(coming, 10)

    assert held.room is not far
    assert there.registry.live(document.id) is held.room
    assert held.room.text == "hi"


async def test_a_log_that_lost_its_end_has_its_rooms_made_anew(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a change to a standby that had not got the last commits."""
    here, _ = servers
    document = await here.document()
    room = (await here.registry.acquire(document)).room
    for letter in "abc":
        await room.writers.edit(ANN, lambda text, letter=letter: [Splice(len(text), 0, letter)])
    ann = enter(room, "ann")
    async with here.database.write() as connection:
        await connection.execute(delete(updates).where(updates.c.seq == 3))
        await connection.execute(update(documents).values(seq=2))

    room.sessions.receive(ann, framed(2, one(5, 0, typed("d"))))
    await eventually(lambda: ann.outbox.closing is not None)

    assert ann.outbox.closing is not None
    assert ann.outbox.closing.code == 1011
    assert acks(ann.outbox.take()) == []
    current = await here.documents.get(document.id)
    assert current is not None
    async with here.registry.hold(current) as again:
        assert (again.seq, again.text) == (2, "ab")


async def test_a_log_that_leads_to_another_text_than_was_told_is_not_followed(
    servers: Servers, nobody_looks: None
) -> None:
    here, there = servers
    document = await here.document()
    near, far = await both(servers, document)
    await near.writers.edit(ANN, lambda text: [Splice(0, 0, "one")])
    near.standing.heard(1)
    far.standing.heard(1)
    await eventually(lambda: far.seq == 1)
    async with here.database.write() as connection:
        await connection.execute(delete(updates).where(updates.c.seq == 1))
    ben = enter(far, "ben", BEN)
    there.log.open.clear()
    far.sessions.receive(ben, framed(2, one(6, 0, typed("b"))))
    await there.log.arrived.wait()
    ann = enter(near, "ann")
    near.sessions.receive(ann, framed(2, one(5, 0, typed("a"))))
    await eventually(lambda: near.is_settled)

    there.log.open.set()  # it comes too late, and a second replica is made from the log
    await eventually(lambda: ben.outbox.closing is not None)

    assert ("room_strayed", "the log leads to another text than was told") in [
        (event, fields.get("reason")) for event, fields in there.told
    ]


@pytest.mark.postgres
async def test_whoever_types_a_letter_has_his_turn_beside_one_who_types_on(
    own_cluster: PostgresServer, nobody_looks: None
) -> None:
    """Commits that take as long as the pause between them leave no gap for others, who are not even rung here."""
    await asyncio.to_thread(upgrade, await asyncio.to_thread(own_cluster.new_database, "template0"))
    async with AsyncExitStack() as stack:
        slow = await stack.enter_async_context(FaultProxy(own_cluster.port or 0, seed=1))
        databases = [Database.open(own_cluster.url_at(slow.port, "test_1")) for _ in range(2)]
        here, there = [Building(database, is_shared=True) for database in databases]
        for closing in (*databases, here, there):
            stack.push_async_callback(closing.close)
        near, far = await both((here, there), await here.document())
        slow.set(Weather(latency_s=0.005), Weather(latency_s=0.005))
        typing = asyncio.create_task(type_on(near, enter(near, "ann")))
        ben = enter(far, "ben", BEN)
        await eventually(lambda: near.seq > 0)

        for at in range(10):
            tries = len(there.log.appends)
            far.sessions.receive(ben, framed(2, one(6, at, typed("b", after=(6, at - 1) if at else None))))
            await eventually(lambda: far.is_settled)
            # Whoever comes too late, and then meets what he missed; once more where that takes its time.
            assert len(there.log.appends) <= tries + 3
        typing.cancel()
