"""The recorder on a log that fails: group commit, retries, what is told, and what is never acked too early."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence

import pytest
from tests.rooms.building import Building, a_reader, acks, enter, eventually, notices, waiting
from tests.support.people import ANN, BEN, NOW
from tests.support.wire_bytes import framed, one, typed

from coscribe.core.bounds import Limits
from coscribe.core.intake import Accepted, Intake
from coscribe.core.replica import Replica
from coscribe.core.reserve import ENTRY_OVERHEAD
from coscribe.core.splices import Splice
from coscribe.core.tally import Tally
from coscribe.core.update import scan
from coscribe.errors import Unavailable
from coscribe.model import Append, Appended, Behind, Entry, NewEntry, Replaced, Unstored
from coscribe.ports import Meet
from coscribe.rooms import recorder, registry
from coscribe.rooms.recorder import Recorder
from coscribe.storage.engine import Database

HI = one(5, 0, typed("hi"))
MORE = one(5, 2, typed("!", after=(5, 1)))
LATER = one(5, 3, typed("?", after=(5, 2)))


def at_start(text: str) -> list[Splice]:
    return [Splice(0, 0, "x")]


async def test_what_comes_in_during_a_commit_goes_into_the_next_one(building: Building) -> None:
    documents = [await building.document() for _ in range(3)]
    building.log.open.clear()
    writes = []
    for document in documents:
        async with building.registry.hold(document) as room:
            writes.append(asyncio.create_task(room.writers.edit(ANN, at_start)))
            await building.log.arrived.wait()
            writes.append(asyncio.create_task(room.writers.edit(BEN, at_start)))
    await asyncio.sleep(0)

    building.log.open.set()
    written = await asyncio.gather(*writes)

    first, second = building.log.appends
    assert [append.document_id for append in first] == [documents[0].id]
    assert sorted(append.document_id for append in second) == sorted(document.id for document in documents)
    assert [answer.seq for answer in written[:2]] == [1, 2]
    for document in documents:
        stored = await building.documents.get(document.id)
        assert stored is not None
        assert stored.seq == 2


async def test_d3_d8_nothing_is_acked_while_the_log_fails_and_everybody_is_told(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN)
        building.log.failures = 2
        room.sessions.receive(ann, framed(2, HI))
        heard: list[bytes] = []

        def degraded() -> bool:
            heard.extend(ben.outbox.take())
            return bool(notices(heard))

        await eventually(degraded)
        room.sessions.receive(ann, framed(2, MORE))  # people go on typing
        assert acks(ann.outbox.take()) == []
        assert (room.seq, room.text) == (0, "")
        assert framed(2, HI) in heard
        assert notices(heard)[0]["kind"] == "degraded"

        await eventually(lambda: room.seq == 2)

        frames = ann.outbox.take()
        assert acks(frames)[-1][:2] == b"\x71\x02"
        assert [notice.get("recovered") for notice in notices(frames)][-1] is True
        assert room.text == "hi!"
        assert building.log.failures == 0


async def test_an_outage_is_told_when_it_begins_each_minute_and_when_it_is_over(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        return [event for event, _ in building.told if event.startswith("recording")]

    async with building.registry.hold(await building.document()) as room:
        ann = enter(room, "ann")
        building.log.failures = 2
        room.sessions.receive(ann, framed(2, HI))
        await eventually(lambda: room.is_settled)
        assert told() == ["recording_failed", "recording_resumed"]
        monkeypatch.setattr(recorder, "_TELL_EVERY_S", 0.05)
        building.log.failures = 2
        room.sessions.receive(ann, framed(2, MORE))
        await eventually(lambda: room.is_settled)
    assert told()[2:] == ["recording_failed", "recording_failed", "recording_resumed"]


async def test_what_a_stop_leaves_unsaved_is_told(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_CLOSE_WITHIN_S", 0.05)
    building = Building(sqlite)
    async with building.registry.hold(await building.document()) as room:
        building.log.failures = 1000
        room.sessions.receive(enter(room, "ann"), framed(2, HI))
        await eventually(lambda: building.registry.trouble is not None)
        await building.registry.close()
    assert building.told[-1] == ("stopped_unsaved", {"documents": 1})


async def test_a_commit_whose_answer_was_lost_is_found_in_the_log_and_stands_there_once(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        building.log.lost_answers = 1
        room.sessions.receive(ann, framed(2, HI))
        await eventually(lambda: room.text == "hi")

        assert acks(ann.outbox.take())[-1] == b"\x71\x01\x01"
        stored = await building.documents.get(document.id)
        assert stored is not None
        assert room.seq == stored.seq == 1
        room.sessions.receive(ann, framed(2, MORE))
        await eventually(lambda: room.seq == 2)
        assert room.text == "hi!"
        entries = await building.log.read(document.id, 1, after=0)
        assert [entry.payload for entry in entries] == [HI, MORE]


async def test_readers_hear_once_of_a_commit_whose_answer_was_lost(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        reader = await a_reader(room)
        await waiting(reader)
        building.log.lost_answers = 1
        room.sessions.receive(enter(room, "ann"), framed(2, HI))
        await eventually(lambda: room.text == "hi")

        told = [event for event in await waiting(reader) if event.event == "text"]
        assert [json.loads(event.data)["ops"] for event in told] == [[{"insert": "hi"}]]


async def test_a_room_whose_last_commit_was_found_in_the_log_can_be_let_go(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        building.log.lost_answers = 1
        room.sessions.receive(enter(room, "ann"), framed(2, HI))
        await eventually(lambda: room.is_settled)
    async with asyncio.timeout(5):
        await building.registry.drop(document.id, code=4404, reason="Gone.")


async def test_d8_a_room_that_holds_too_much_is_read_only_until_it_can_save(sqlite: Database) -> None:
    building = Building(sqlite, unsaved_bytes=len(HI) + ENTRY_OVERHEAD)
    try:
        async with building.registry.hold(await building.document()) as room:
            ann = enter(room, "ann")
            building.log.failures = 1
            room.sessions.receive(ann, framed(2, HI))
            room.sessions.receive(ann, framed(2, MORE))
            heard: list[bytes] = []

            def read_only() -> bool:
                heard.extend(ann.outbox.take())
                return "read-only" in [notice["kind"] for notice in notices(heard)]

            await eventually(read_only)
            room.sessions.receive(ann, framed(2, LATER))
            [refused] = notices(ann.outbox.take())
            assert (refused["kind"], refused["limit"], refused["frame"]) == ("refused", "max_unsaved_bytes", 3)
            await eventually(lambda: room.seq == 2)
            # What was refused comes again in answer to this step 1.
            assert any(frame[:2] == b"\x00\x00" for frame in ann.outbox.take())
            room.sessions.receive(ann, framed(1, LATER))
            await eventually(lambda: room.text == "hi!?")
    finally:
        await building.close()


async def test_d8_what_was_turned_away_is_asked_for_when_there_is_room_and_not_sooner(sqlite: Database) -> None:
    building = Building(sqlite, unsaved_bytes=len(HI) + ENTRY_OVERHEAD)
    try:
        async with building.registry.hold(await building.document()) as room:
            ann = enter(room, "ann")
            ann.outbox.take()
            building.log.open.clear()
            room.sessions.receive(ann, framed(2, HI))
            await building.log.arrived.wait()
            # Behind the first commit it alone is more than the room may keep.
            room.sessions.receive(ann, framed(2, one(5, 2, typed("!" * 2 * ENTRY_OVERHEAD, after=(5, 1)))))
            room.sessions.receive(ann, framed(2, one(5, 2 + 2 * ENTRY_OVERHEAD, typed("?", after=(5, 3)))))
            building.log.open.set()
            await eventually(lambda: room.is_settled)

            *_, first, last, asked = ann.outbox.take()
            assert (first, last) == (b"\x71\x01\x01", b"\x71\x03\x02")
            assert asked[:2] == b"\x00\x00"
    finally:
        await building.close()


async def test_a_writer_whose_document_is_purged_meanwhile_is_told(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        building.log.open.clear()
        writing = asyncio.create_task(room.writers.edit(ANN, at_start))
        await building.log.arrived.wait()
        await building.documents.purge(document.id)
        building.log.open.set()

        with pytest.raises(Unavailable):
            await writing
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 4404
    assert building.registry.live(document.id) is None
    with pytest.raises(Unavailable):
        async with building.registry.hold(document):
            pass


async def test_closing_commits_what_was_accepted_in_the_very_same_turn(sqlite: Database) -> None:
    building = Building(sqlite)
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        room.sessions.receive(ann, framed(2, HI))
        await building.registry.close()

        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 1012
        assert acks(ann.outbox.take()) == [b"\x71\x01\x01"]
    [entry] = await building.log.read(document.id, 1, after=0)
    assert (entry.payload, entry.principal_id, entry.session_id) == (HI, "ann", "ann")
    with pytest.raises(Unavailable):
        async with building.registry.hold(document):
            pass


async def test_dropping_commits_what_was_accepted(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        reader = await a_reader(room)
        room.sessions.receive(ann, framed(2, HI))

        await building.registry.drop(document.id, code=4404, reason="It is in the trash.")

        assert building.registry.live(document.id) is None
        assert ann.outbox.closing is not None
        assert (ann.outbox.closing.code, ann.outbox.closing.reason) == (4404, "It is in the trash.")
        assert len(await building.log.read(document.id, 1, after=0)) == 1
        with pytest.raises(StopAsyncIteration):
            await reader.next(1.0)
        room.sessions.receive(ann, framed(2, MORE))  # a late frame goes nowhere
        with pytest.raises(Unavailable):
            await room.writers.edit(ANN, at_start)
    await building.registry.drop(document.id, code=4404, reason="again")
    async with building.registry.hold(document) as again:
        assert again.text == "hi"


async def test_client_ids_are_bound_in_the_log(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        room.sessions.receive(enter(room, "ann"), framed(2, HI))
        await eventually(lambda: room.seq == 1)
    await building.registry.drop(document.id, code=1001, reason="")
    async with building.registry.hold(document) as room:
        ben = enter(room, "ben", BEN)
        room.sessions.receive(ben, framed(2, MORE))
        assert notices(ben.outbox.take())[0]["kind"] == "fork"


class SickRoom:
    """A room that fails at whatever it is told."""

    def __init__(self, append: Append) -> None:
        self.document_id = append.document_id
        self._append: Append | None = append

    @property
    def has_more(self) -> bool:
        return self.take_append() is not None

    @property
    def is_ready(self) -> bool:
        return self.has_more

    def take_append(self) -> Append | None:
        return self._append

    def overtaken(self, seq: int) -> None:
        raise RuntimeError(str(seq))

    async def meet(self, seq: int, entries: Sequence[Entry]) -> Append | None:
        raise RuntimeError(f"{seq}: {entries}")

    def delayed(self, reason: str) -> None:
        raise RuntimeError(reason)

    def unstored(self, reason: str) -> None:
        raise RuntimeError(reason)

    def committed(self, appended: Appended) -> None:
        self._append = None
        raise RuntimeError("committed")

    def spoiled(self) -> None:
        raise RuntimeError("spoiled")

    def lost(self) -> None:
        raise RuntimeError("lost")

    def replaced(self, generation: int) -> None:
        raise RuntimeError(str(generation))


async def test_a_room_that_fails_at_what_it_is_told_does_not_end_the_saving_of_others(building: Building) -> None:
    first, second = await building.document(), await building.document()
    failures: list[Exception] = []
    recorder = Recorder(building.log, failures.append, lambda *_: None)
    recorder.start()
    building.log.failures = 1
    for document in (first, second):
        entry = NewEntry(ANN.id, "s", NOW, HI)
        recorder.submit(SickRoom(Append(document.id, document.generation, (entry,), (), ())))
    for document in (first, second):
        await recorder.settled(document.id)
        assert len(await building.log.read(document.id, document.generation, after=0)) == 1
    assert [str(failure) for failure in failures] == [
        "The disk is full.",
        *["The disk is full."] * 2,
        *["committed", "spoiled"] * 2,
    ]
    await recorder.close(1.0)


class PatientRoom(SickRoom):
    """A room that waits for its append, whatever it is told."""

    def __init__(self, append: Append) -> None:
        super().__init__(append)
        self.told: list[str] = []

    def take_append(self) -> Append | None:
        return None if "committed" in self.told or "lost" in self.told else super().take_append()

    def committed(self, appended: Appended) -> None:
        self.told.append("committed")

    def spoiled(self) -> None:
        self.told.append("spoiled")

    def lost(self) -> None:
        self.told.append("lost")


async def test_a_document_that_rests_is_not_opened_while_an_append_of_it_is_on_its_way(building: Building) -> None:
    document = await building.document()
    real, refused = building.log.append, False
    arrived, answer = asyncio.Event(), asyncio.Event()

    async def append(
        batch: Sequence[Append], meet: Meet | None = None
    ) -> list[Appended | Replaced | Behind | Unstored | None]:
        nonlocal refused
        if not refused:
            refused = True
            return [Unstored("no")]
        arrived.set()
        await answer.wait()
        return await real(batch, meet)

    building.log.append = append  # type: ignore[method-assign]
    recorder = Recorder(building.log, lambda _: None, lambda *_: None)
    recorder.start()
    room = PatientRoom(Append(document.id, document.generation, (NewEntry(ANN.id, "s", NOW, HI),), (), ()))
    recorder.submit(room)
    await eventually(lambda: room.told == ["spoiled"])
    recorder.submit(room)
    await arrived.wait()
    opening = asyncio.create_task(recorder.settled(document.id))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not opening.done()
    answer.set()
    await opening
    assert room.told == ["spoiled", "committed"]
    await recorder.close(1.0)


def test_what_a_room_gave_up_counts_no_more_against_what_all_may_hold() -> None:
    unsaved = Tally(2**20)
    intake = Intake(Replica(1), seq=0, owners={}, limits=Limits(2**20, 2**20, unsaved=unsaved), now=lambda: NOW)
    intake.accept(Accepted(HI, scan(HI), ANN, "s"))
    assert unsaved.bytes > 0
    intake.close()
    assert unsaved.bytes == 0
    intake.accept(Accepted(MORE, scan(MORE), ANN, "s"))
    intake.abandon()
    intake.close()
    assert unsaved.bytes == 0


class BusyRoom(PatientRoom):
    """A room with something new as often as it is asked; it notes when."""

    def __init__(self, append: Append) -> None:
        super().__init__(append)
        self.asked_at: list[float] = []

    def take_append(self) -> Append | None:
        self.asked_at.append(asyncio.get_running_loop().time())
        return self._append

    @property
    def has_more(self) -> bool:
        return len(self.asked_at) < 6

    def committed(self, appended: Appended) -> None:
        del appended


@pytest.mark.parametrize(("tick_s", "beat_s"), [(0.0, 0.04), (0.002, 0.008), (0.1, 0.075)])
async def test_commits_have_a_beat_and_where_rooms_flush_at_a_tick_a_shorter_one_than_that(
    building: Building, tick_s: float, beat_s: float
) -> None:
    document = await building.document()
    recorder = Recorder(building.log, lambda _: None, lambda *_: None, lambda: tick_s)
    recorder.start()
    entry = NewEntry(ANN.id, "s", NOW, HI)
    room = BusyRoom(Append(document.id, document.generation, (entry,), (), ()))
    recorder.submit(room)
    await recorder.settled(document.id)
    await recorder.close(1.0)
    beats = [after - before for before, after in itertools.pairwise(room.asked_at)]
    assert len(beats) >= 5
    assert min(beats) > beat_s - 0.001
    if tick_s > beat_s:
        assert min(beats) < tick_s  # else what a tick brings would wait for the next
