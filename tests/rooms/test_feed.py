"""The feed: snapshot, exact resumption from every position, budgets, and the order of activity."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.contracts.values import NOW, an_activity
from tests.core.test_committed import follow
from tests.rooms.building import Building, a_reader, enter, eventually, take, waiting
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import framed, one, presence, typed

from coscribe.core.splices import Splice
from coscribe.core.units import Units
from coscribe.model import Activity, ActivityKind, Document
from coscribe.ports import DocumentChanges
from coscribe.rooms import feed
from coscribe.rooms.feed import Position
from coscribe.rooms.feed_reader import FeedEvent
from coscribe.rooms.room import Room


def insert(at: int, text: str) -> Any:
    return lambda _: [Splice(at, 0, text)]


async def rename(building: Building, document: Document, room: Room, title: str) -> Activity:
    """What a service does: store the change with its activity, then announce it."""
    new = an_activity(ActivityKind.RENAMED, principal_id="ann", name="Ann", data={"title": title})
    changed = await building.documents.change(document.id, DocumentChanges(title=title), new, NOW)
    assert changed is not None
    assert changed[1] is not None
    room.announce(changed[1])
    return changed[1]


async def stored_only(building: Building, document: Document, title: str) -> Activity:
    """An activity that is stored and not announced yet."""
    new = an_activity(ActivityKind.RENAMED, principal_id="ann", name="Ann", data={"title": title})
    changed = await building.documents.change(document.id, DocumentChanges(title=title), new, NOW)
    assert changed is not None
    assert changed[1] is not None
    return changed[1]


class Mirror:
    """A reader's own copy of text and activity, as a dashboard keeps it."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.text = ""
        self.seq = -1
        self.activities: list[str] = []
        self.position = ""

    def take(self, events: list[FeedEvent]) -> None:
        for event in events:
            data = json.loads(event.data)
            if event.event == "snapshot":
                self.text, self.seq = data["text"], data["seq"]
            elif event.event == "text":
                assert data["seq"] > self.seq
                self.text, self.seq = follow(self.text, data["ops"], self.units), data["seq"]
            elif event.event == "activity":
                self.activities.append(data["id"])
            if event.position is not None:
                self.position = event.position

    def copy(self) -> Mirror:
        other = Mirror(self.units)
        other.__dict__ |= self.__dict__ | {"activities": list(self.activities)}
        return other


async def test_a_reader_starts_with_a_snapshot_and_who_is_here(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        room.sessions.receive(enter(room, "ann"), presence((5, 1, "{}")))
        await room.writers.edit(ANN, insert(0, "é😀\u2028\x85\u2029\x00"))
        snapshot, people = await waiting(await a_reader(room))

    assert (snapshot.event, snapshot.position) == ("snapshot", "1.1.2")
    assert json.loads(snapshot.data) == {"seq": 1, "title": "Untitled", "text": "é😀\u2028\x85\u2029\x00"}
    assert snapshot.data.splitlines() == [snapshot.data]  # no line end of any kind forges an event
    assert (people.event, people.position) == ("presence", None)
    assert {person["id"] for person in json.loads(people.data)["people"]} == {"ann"}


@pytest.mark.parametrize("units", list(Units))
async def test_a_reader_resumes_exactly_from_every_position(building: Building, units: Units) -> None:
    document = await building.document()
    mirror = Mirror(units)
    stands: list[Mirror] = []
    async with building.registry.hold(document) as room:
        reader = await a_reader(room, units=units)
        for at, author in enumerate([ANN, BEN, BEN, ANN, ANN, BEN]):
            await room.writers.edit(author, insert(at, "é😀"))
            if at % 2:
                await rename(building, document, room, f"Title {at}")
            await room.writers.edit(author, lambda _: [Splice(1, 1, "עa"), Splice(2, 0, "👩\u200d🚀")])
        for event in await waiting(reader):
            mirror.take([event])
            if event.position is not None:
                stands.append(mirror.copy())
        assert mirror.text == room.text
        assert len(mirror.activities) == 5  # three titles; "edited" once for each author

        assert len(stands) == 18
        for stand in stands:
            await _resumes(room, stand.copy(), mirror)

    await building.registry.drop(document.id, code=1001, reason="")
    async with building.registry.hold(document) as room:  # a feed made anew from the log
        for stand in stands:
            await _resumes(room, stand.copy(), mirror)


async def _resumes(room: Room, stand: Mirror, wanted: Mirror) -> None:
    reader = await a_reader(room, after=stand.position, units=stand.units)
    events = await waiting(reader)
    assert events[-1].event == "presence"
    assert "snapshot" not in [event.event for event in events]
    stand.take(events)
    assert (stand.text, stand.seq) == (wanted.text, wanted.seq)
    assert sorted(stand.activities) == sorted(wanted.activities)
    assert len(set(stand.activities)) == len(stand.activities)
    assert stand.position == wanted.position
    reader.close()


async def test_a_position_may_leave_the_activity_out(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        await room.writers.edit(ANN, insert(0, "a"))
        await room.writers.edit(ANN, insert(1, "b"))
        text, people = await waiting(await a_reader(room, after="1.1"))
    assert json.loads(text.data) == {
        "seq": 2,
        "by": {"id": "ann", "name": "Ann"},
        "ops": [{"retain": 1}, {"insert": "b"}],
    }
    assert people.event == "presence"


@pytest.mark.parametrize(
    "after",
    ["1.7", "1.1.99", "2.1", "0.0", "1", "", "a.b", "1.-1", "1.1.1.1", "١.١", "1." + "9" * 50, "1.1." + "9" * 50],
)
async def test_d5_a_position_that_cannot_be_continued_gets_a_snapshot(building: Building, after: str) -> None:
    async with building.registry.hold(await building.document()) as room:
        await room.writers.edit(ANN, insert(0, "a"))
        first, *_ = await waiting(await a_reader(room, after=after))
    assert first.event == "snapshot"


async def test_a_reader_that_was_away_for_too_long_gets_a_snapshot(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coscribe.rooms.replay._MAX_REPLAYED", 3)
    document = await building.document()
    async with building.registry.hold(document) as room:
        for at in range(5):
            await room.writers.edit(ANN, insert(at, "a"))
    await building.registry.drop(document.id, code=1001, reason="")
    async with building.registry.hold(document) as room:
        assert [event.event for event in await waiting(await a_reader(room, after="1.1"))] == ["snapshot", "presence"]
        text, *_ = await waiting(await a_reader(room, after="1.2"))
        assert text.event == "text"


async def test_text_that_is_not_durable_is_not_told(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        reader = await a_reader(room)
        await waiting(reader)
        building.log.open.clear()
        room.sessions.receive(enter(room, "ann"), framed(2, one(5, 0, typed("hi"))))
        await building.log.arrived.wait()
        assert await waiting(reader) == []
        building.log.open.set()
        text, activity = await take(reader, 2)
    assert (text.event, text.position) == ("text", "1.1.1")
    assert (activity.event, activity.position) == ("activity", "1.1.2")


async def test_a_stalled_reader_is_closed_at_its_257th_event(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        reader = await a_reader(room)
        quick = await a_reader(room)
        await waiting(quick)
        for at in range(256):
            room.feed.publish_presence({"moved": {"line": at}})
        assert reader in room.feed.readers
        assert len(await waiting(quick)) == 256
        room.feed.publish_presence({"moved": {"line": 257}})
        assert list(room.feed.readers) == [quick]
        with pytest.raises(StopAsyncIteration):
            await reader.next(0)
        assert len(await waiting(quick)) == 1


async def test_a_stalled_reader_is_closed_beyond_a_megabyte(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        reader = await a_reader(room)
        await waiting(reader)
        for _ in range(3):
            room.feed.publish_presence({"moved": "x" * 500_000})
        with pytest.raises(StopAsyncIteration):
            await reader.next(0)


async def test_what_a_reader_asked_for_does_not_count_against_its_budget(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        (await a_reader(room)).close()  # what is told is kept for who was here
        session = enter(room, "ann")
        for clock in range(300):
            origin = (5, clock - 1) if clock else None
            room.sessions.receive(session, framed(2, one(5, clock, typed("a", after=origin))))
            await eventually(lambda clock=clock: room.seq == clock + 1)  # type: ignore[misc]
        reader = await a_reader(room, after="1.0.1")
        await room.writers.edit(BEN, insert(0, "b"))
        events = await waiting(reader)
        assert len([event for event in events if event.event == "text"]) == 301
        for _ in range(256):
            room.feed.publish_presence({})
        assert reader in room.feed.readers


async def test_more_missed_activities_than_storage_tells_at_once(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        made = [str((await rename(building, document, room, f"Title {at}")).id) for at in range(300)]
        events = await waiting(await a_reader(room, after="1.0.1"))
    told = [json.loads(event.data)["id"] for event in events if event.event == "activity"]
    assert told == made


async def test_activities_are_told_once_also_when_they_come_late(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        reader = await a_reader(room)
        await waiting(reader)
        first = await stored_only(building, document, "One")
        second = await stored_only(building, document, "Two")
        room.announce(second)
        room.announce(first)
        room.announce(second)
        events = await waiting(reader)
    assert [json.loads(event.data)["id"] for event in events] == [str(second.id), str(first.id)]
    assert [event.position for event in events] == [f"1.0.{second.id}"] * 2


async def test_an_activity_stands_behind_the_text_of_its_seq(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        (await a_reader(room)).close()  # what is told is kept for who was here
        await room.writers.edit(ANN, insert(0, "a"))
        await rename(building, document, room, "Between")
        await room.writers.edit(ANN, insert(0, "b"))
        events = await waiting(await a_reader(room, after="1.0.1"))
    assert [event.event for event in events] == ["text", "activity", "activity", "text", "presence"]
    kinds = [json.loads(event.data)["kind"] for event in events if event.event == "activity"]
    assert kinds == ["edited", "renamed"]
    assert [event.position for event in events] == ["1.1.1", "1.1.2", "1.1.3", "1.2.3", None]


async def test_an_activity_does_not_tell_the_documents_id(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        await room.writers.edit(ANN, insert(0, "a"))
        events = await waiting(await a_reader(room, after="1.0.0"))
    assert len(events) == 4
    assert not any(document.id in event.data for event in events)


async def test_presence_is_told_as_it_changes(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        reader = await a_reader(room)
        await waiting(reader)
        ann = enter(room, "ann")
        for clock, state, kind, line in [
            (1, '{"line":3}', "joined", 3),
            (2, '{"line":4,"state":"idle"}', "moved", 4),
            (3, '{"line":true}', "moved", None),
            (3, "null", "left", None),
        ]:
            room.sessions.receive(ann, presence((5, clock, state)))
            [event] = await take(reader, 1)
            [(told, person)] = json.loads(event.data).items()
            assert told == kind
            if kind != "left":
                assert (person["id"], person["line"], person["role"]) == ("ann", line, "editor")


async def test_silence_is_told_as_none_and_the_end_as_the_end(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        reader = await a_reader(room)
        await waiting(reader)
        assert await reader.next(0.001) is None
        room.feed.close()
        assert not room.feed.readers
        with pytest.raises(StopAsyncIteration):
            await reader.next(10)


@pytest.mark.parametrize(
    ("text", "position"),
    [("1.2", Position(1, 2)), ("1.2.3", Position(1, 2, 3)), ("01.2", Position(1, 2)), ("1.2.", None), (" 1.2", None)],
)
def test_positions(text: str, position: Position | None) -> None:
    assert Position.parse(text) == position
    assert str(Position(1, 2)) == "1.2"
    assert str(Position(1, 2, 0)) == "1.2.0"


async def test_what_was_stored_before_the_room_was_loaded_is_not_told_again(building: Building) -> None:
    document = await building.document()
    early = await stored_only(building, document, "Early")
    async with building.registry.hold(document) as room:
        reader = await a_reader(room)
        await take(reader, 2)
        # Whoever stored it comes to announce it only now.
        room.announce(early)
        late = await rename(building, document, room, "Late")
        event = await reader.next(1.0)
    assert event is not None
    assert json.loads(event.data)["id"] == str(late.id)


async def test_what_is_kept_for_readers_that_come_back_is_bounded_in_bytes(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        (await a_reader(room)).close()  # what is told is kept for who was here
        await room.writers.edit(ANN, insert(0, "first "))
        for _ in range(8):
            await room.writers.edit(ANN, insert(6, "x" * 700_000))
            await room.writers.edit(ANN, lambda text: [Splice(6, len(text) - 6, "")])
        building.log.read_from.clear()
        near = await a_reader(room, f"{room.generation}.{room.seq - 2}")
        assert [event.event for event in await take(near, 2)] == ["text", "text"]
        assert not building.log.read_from
        far = await a_reader(room, f"{room.generation}.1")
        assert (await take(far, 1))[0].event == "text"
        assert building.log.read_from


async def test_nothing_is_kept_where_nobody_reads(building: Building, monkeypatch: pytest.MonkeyPatch) -> None:
    async with building.registry.hold(await building.document()) as room:
        for letter in "abc":
            await room.writers.edit(ANN, insert(0, letter))
        assert not room.feed._recent
        reader = await a_reader(room, f"{room.generation}.1")
        assert "text" in [event.event for event in await waiting(reader)]
        assert building.log.read_from
        await room.writers.edit(ANN, insert(0, "d"))
        assert len(room.feed._recent) == 1
        reader.close()
        await room.writers.edit(ANN, insert(0, "e"))
        assert len(room.feed._recent) == 2, "it may come back"
        quiet = await a_reader(room)
        room.feed._read_at = float("-inf")  # for a long time nothing was told
        quiet.close()
        await room.writers.edit(ANN, insert(0, "e"))
        assert len(room.feed._recent) == 3, "so may this one"
        monkeypatch.setattr(feed, "_KEPT_FOR_S", 0.0)
        await room.writers.edit(ANN, insert(0, "f"))
        assert not room.feed._recent
