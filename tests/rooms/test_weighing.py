"""Large updates: examined in another process, taken in a piece a turn, all or none; others type on meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from itertools import pairwise

import pytest
from tests.rooms.building import Building, acks, enter, eventually, notices
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import deletes, framed, item, one, structs, typed, update

from coscribe.core import textedit
from coscribe.core.examination import Examined
from coscribe.core.lib0 import read_bytes
from coscribe.core.replica import Verdict
from coscribe.core.splices import Splice
from coscribe.core.update import EMPTY_UPDATE, scan
from coscribe.errors import EditConflict, InvalidInput, Malformed, PreconditionFailed, Unavailable, UpdateRefused
from coscribe.model import Role
from coscribe.rooms import weighing
from coscribe.rooms.workshop import Workshop

HI = one(5, 0, typed("hi"))
LARGE = one(6, 0, typed("x" * 900_000))
# Letters between the letters of the first 4,000 x: no two of them join.
MANY = one(7, 0, *[typed("a", after=(6, at), before=(6, at + 1)) for at in range(4000)])


def heavy(plan: Callable[[str], Sequence[Splice]]) -> dict[str, object]:
    """Arguments that send a plan to the examiner."""
    return {"plan": plan, "weight": lambda _: 10**9}


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    events: list[str] = []
    workshop = Workshop(lambda event, **_: events.append(event))
    yield workshop
    await workshop.close()
    assert workshop.pid is None


# In the room


async def test_a_large_update_is_taken_in_by_pieces_and_acked_once(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN)
        room.sessions.receive(ann, framed(2, LARGE))
        await room.sessions.settled(ann)
        room.sessions.receive(ann, framed(2, MANY))
        await room.sessions.settled(ann)
        await eventually(lambda: room.is_settled)

        assert len(room.text) == 904_000
        assert room.text.startswith("xa" * 4000)
        assert acks(ann.outbox.take())[-1][:2] == b"\x71\x02"
        frames = ben.outbox.take()
        assert max(map(len, frames)) < 260_000
        [first, second] = [batch for batch in building.log.appends if batch[0].entries]
        assert (len(first[0].entries), len(second[0].entries)) == (4, 19)
        assert {entry.session_id for entry in first[0].entries} == {"ann"}
        assert (6, "ann") in first[0].client_ids
    async with building.registry.hold(document) as room:
        assert len(room.text) == 904_000


async def test_others_type_on_between_the_pieces(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN)
        room.sessions.receive(ann, framed(2, LARGE))
        waiting = asyncio.create_task(room.sessions.settled(ann))
        typed_by_ben = 0
        turns_between = 0
        while not waiting.done():
            if typed_by_ben < 100:
                after = (8, typed_by_ben - 1) if typed_by_ben else None
                room.sessions.receive(ben, framed(2, one(8, typed_by_ben, typed("b", after=after))))
                typed_by_ben += 1
            heard = [frame for frame in ben.outbox.take() if len(frame) > 1000]
            turns_between += bool(heard)
            await asyncio.sleep(0)
        await eventually(lambda: room.is_settled)
        assert turns_between >= 3
        assert room.text.count("b") == typed_by_ben
        assert len(room.text) == 900_000 + typed_by_ben


async def test_after_a_long_piece_others_have_the_loop_for_as_long(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weighing, "_QUICK_S", 0.0)
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN)
        room.sessions.receive(ann, framed(2, LARGE))
        waiting = asyncio.create_task(room.sessions.settled(ann))
        turns, pieces_at = 0, []
        while not waiting.done():
            if any(len(frame) > 1000 for frame in ben.outbox.take()):
                pieces_at.append(turns)
            turns += 1
            await asyncio.sleep(0)
    between = [after - before for before, after in pairwise(pieces_at)]
    assert len(between) >= 2
    assert sum(between) > 20 * len(between)  # one turn each without a rest


async def test_what_is_known_is_acked_and_not_stored_again(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN, Role.VIEWER)
        for session in (ann, ann, ben):
            room.sessions.receive(session, framed(1, LARGE))
            await room.sessions.settled(session)
        await eventually(lambda: room.is_settled)
        assert acks(ann.outbox.take())[-1][:2] == b"\x71\x02"
        assert acks(ben.outbox.take())[-1][:2] == b"\x71\x01"
        assert sum(len(append.entries) for batch in building.log.appends for append in batch) == 4


@pytest.mark.parametrize(
    ("raw", "limit"),
    [
        (update([structs(8, 0, typed("a" * 70_000, after=(9, 0))), structs(9, 0, typed("b", after=(8, 0)))]), "order"),
        (one(8, 0, typed("a" * 1_100_000)), "max_document_bytes"),
        (one(8, 0, typed("a" * 70_000), item(8, b"\x01\x7e")), "content"),
    ],
)
async def test_a_large_update_is_refused_as_a_whole(building: Building, raw: bytes, limit: str) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN)
        room.sessions.receive(ann, framed(2, raw))
        await room.sessions.settled(ann)
        room.sessions.receive(ann, framed(2, HI))
        await eventually(lambda: room.seq == 1)
        [told, ack, *_] = ann.outbox.take()
        assert notices([told])[0] | {"reason": ""} == {"kind": "refused", "reason": "", "limit": limit, "frame": 1}
        assert ack[:2] == b"\x71\x01"
        assert room.text == "hi"
        assert len(ben.outbox.take()) == 1


async def test_a_reader_and_a_fork_are_told_from_a_large_update_too(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben, twin = enter(room, "ann"), enter(room, "ben", BEN, Role.VIEWER), enter(room, "twin")
        room.sessions.receive(ann, framed(2, HI))
        for kind in (1, 2):
            room.sessions.receive(ben, framed(kind, LARGE))
            await room.sessions.settled(ben)
        assert [notice["limit"] for notice in notices(ben.outbox.take())] == ["role", "role"]
        room.sessions.receive(twin, framed(2, one(5, 0, typed("ho" + "x" * 70_000))))
        await room.sessions.settled(twin)
        assert notices(twin.outbox.take())[0]["kind"] == "fork"
        assert twin.outbox.closing is not None
        assert twin.outbox.closing.code == 4409
        room.sessions.receive(ann, framed(2, b"\xff" * 70_000))
        await room.sessions.settled(ann)
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 4400
        await eventually(lambda: room.is_settled)
        assert room.text == "hi"


async def test_a_fork_between_the_pieces_leaves_none_of_them(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN)
        room.sessions.receive(ann, framed(2, LARGE))
        await eventually(lambda: ben.outbox.held_bytes > 100_000)
        taken = scan(read_bytes(ben.outbox.take()[-1], 2)[0]).structs[-1].end
        # Under Ann's id, for the clocks of the next piece.
        room.sessions.receive(ben, framed(1, one(6, taken, typed("z", after=(6, taken - 1)))))
        await room.sessions.settled(ann)
        assert "fork" in {notice["kind"] for notice in notices(ann.outbox.take())}
    async with building.registry.hold(document) as again:
        assert again is not room
        assert again.text == ""


async def test_a_large_update_ahead_of_a_gap_sends_its_author_back(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        room.sessions.receive(ann, framed(2, one(5, 2, typed("x" * 70_000, after=(5, 1)))))
        await room.sessions.settled(ann)
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 1013
        assert acks(ann.outbox.take()) == []


async def test_who_leaves_before_the_examination_takes_his_update_along(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        room.sessions.receive(ann, framed(2, LARGE))
        room.sessions.leave(ann)
        await room.sessions.settled(ann)
        assert room.is_settled
        assert room.text == ""


async def test_who_leaves_while_another_is_weighed_takes_his_update_along(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN)
        room.sessions.receive(ann, framed(2, LARGE))
        room.sessions.receive(ben, framed(2, one(8, 0, typed("b" * 70_000))))
        await asyncio.sleep(0)
        room.sessions.leave(ben)
        await room.sessions.settled(ann)
        await room.sessions.settled(ben)
        await eventually(lambda: room.is_settled)
        assert "b" not in room.text


async def test_what_waits_for_a_rooms_examiner_is_bounded(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        sessions = [enter(room, f"ann {at}") for at in range(5)]
        frame = framed(2, one(8, 0, typed("b" * (15 * 2**20))))
        for session in sessions:
            room.sessions.receive(session, frame)
        for session in sessions:
            await room.sessions.settled(session)
        assert [session.outbox.closing is None for session in sessions] == [True] * 4 + [False]


async def test_a_room_that_closes_between_the_pieces_stores_all_of_them(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben = enter(room, "ann"), enter(room, "ben", BEN)
        room.sessions.receive(ann, framed(2, LARGE))
        await eventually(lambda: bool(ben.outbox.take()))
        assert building.log.appends == []
        await building.registry.drop(document.id, code=1001, reason="")
    async with building.registry.hold(document) as room:
        assert room.text == "x" * 900_000
        assert room.seq == 4


@pytest.mark.parametrize("how", ["drop", "stop"])
async def test_a_room_that_closes_long_before_the_last_piece_stores_none(building: Building, how: str) -> None:
    """Nor what others typed behind the first pieces, nor what waited for these: the log stays causal."""
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann, ben, cat = enter(room, "ann"), enter(room, "ben", BEN), enter(room, "cat", BEN)
        room.sessions.receive(ann, framed(2, LARGE))
        await room.sessions.settled(ann)
        await eventually(lambda: room.is_settled)
        ben.outbox.take()
        room.sessions.receive(cat, framed(2, one(9, 0, typed("c", after=(7, 300)))))
        many = [typed("a", after=(6, at), before=(6, at + 1)) for at in range(12_000)]
        room.sessions.receive(ann, framed(2, one(7, 0, *many)))
        await eventually(lambda: bool(ben.outbox.take()))
        room.sessions.receive(ben, framed(2, one(8, 0, typed("b", after=(7, 0)))))
        if how == "drop":
            await building.registry.drop(document.id, code=1001, reason="")
        else:
            await building.registry.close()
    entries = await building.log.read(document.id, document.generation, after=0)
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    assert acks(ann.outbox.take())[-1][:2] == b"\x71\x01"


async def test_a_server_that_stops_at_an_examination_gives_it_up(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        room.sessions.receive(ann, framed(2, LARGE))
        await asyncio.sleep(0)
        await building.registry.close()
        assert acks(ann.outbox.take()) == []


async def test_scripts_bring_large_updates_too(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        written = await room.writers.submit(ANN, LARGE)
        assert (written.seq, written.changed, len(room.text)) == (4, True, 900_000)
        assert not (await room.writers.submit(ANN, LARGE)).changed
        with pytest.raises(InvalidInput):
            await room.writers.submit(ANN, one(9, 5, typed("x" * 70_000, after=(9, 4))))
        with pytest.raises(Malformed):
            await room.writers.submit(ANN, b"\xff" * 70_000)
        with pytest.raises(UpdateRefused) as refused:
            await room.writers.submit(ANN, one(9, 0, typed("x" * 1_100_000)))
        assert refused.value.limit == "max_document_bytes"
        gone = await room.writers.submit(ANN, update(removed=[deletes(6, *[(2 * at, 1) for at in range(3000)])]))
        assert (gone.changed, len(room.text)) == (True, 897_000)


async def test_a_heavy_plan_is_made_on_a_copy_and_merged(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        await room.writers.edit(ANN, lambda _: [Splice(0, 0, "one two three")])
        editing = asyncio.create_task(room.writers.edit(BEN, **heavy(partial(textedit.diff, new="1 two 3"))))
        await asyncio.sleep(0)
        ann = enter(room, "ann")
        room.sessions.receive(ann, framed(2, one(5, 0, typed("! "))))
        written = await editing
        assert written.changed
        assert sorted(room.text) == sorted("! 1 two 3")
        assert not (await room.writers.edit(BEN, **heavy(partial(textedit.diff, new=room.text)))).changed
        wrong = partial(textedit.apply_edits, edits=[textedit.Insert(at=99, text="x")])
        with pytest.raises(EditConflict) as conflict:
            await room.writers.edit(BEN, **heavy(wrong))
        assert conflict.value.index == 0
        seq = room.seq
        strict = heavy(partial(textedit.diff, new="new"))
        editing = asyncio.create_task(room.writers.edit(BEN, **strict, expect_seq=seq))
        await asyncio.sleep(0)
        room.sessions.receive(ann, framed(2, one(5, 2, typed("?", after=(5, 1)))))
        with pytest.raises(PreconditionFailed):
            await editing
        await eventually(lambda: room.is_settled)
        await room.writers.edit(BEN, **strict, expect_seq=room.seq)
        assert room.text == "new"


async def test_a_heavy_plan_on_a_past_text_is_made_on_a_copy_too(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comparison of 2 MB on the loop held everybody up for 1.5 s."""
    document = await building.document()
    async with building.registry.hold(document) as room:
        base = (await room.writers.edit(ANN, lambda _: [Splice(0, 0, "one two")])).seq
        await room.writers.edit(ANN, lambda _: [Splice(0, 0, "! ")])
        written = await room.writers.edit_at(BEN, base, **heavy(partial(textedit.diff, new="1 two")))
        assert (written.changed, room.text) == (True, "! 1 two")
        same = partial(textedit.diff, new="one two")
        assert not (await room.writers.edit_at(BEN, base, **heavy(same))).changed
        await building.registry.close()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    other = Building(building.database)
    async with other.registry.hold(document) as room:
        with pytest.raises(Unavailable):
            await room.writers.edit_at(BEN, base, **heavy(same))
    await other.close()


# The examiner itself


async def examined(workshop: Workshop, raw: bytes) -> Examined:
    with workshop.line(len(raw)):
        return await workshop.examine(lambda: EMPTY_UPDATE, raw)


async def test_one_examiner_serves_many_and_is_let_go_when_idle() -> None:
    workshop = Workshop(lambda *_, **__: None, idle_s=0.01)
    first, second = await asyncio.gather(examined(workshop, LARGE), examined(workshop, HI))
    assert (first.verdict, len(first.pieces), second.pieces) == (Verdict.NEW, 4, (HI,))
    await eventually(lambda: workshop.pid is None)
    assert (await examined(workshop, HI)).pieces == (HI,)
    await workshop.close()


async def test_an_examiner_is_not_let_go_at_an_update_that_came_just_then() -> None:
    workshop = Workshop(lambda *_, **__: None, idle_s=0.0)
    await examined(workshop, HI)
    await asyncio.sleep(0)  # in this turn its time is over
    coming = asyncio.create_task(examined(workshop, HI))
    assert (await coming).pieces == (HI,)
    await workshop.close()


async def test_an_update_does_not_pay_for_an_examiner_that_ended_before_it() -> None:
    told: list[str] = []
    workshop = Workshop(lambda event, **_: told.append(event))
    await examined(workshop, HI)
    assert workshop.pid is not None
    os.kill(workshop.pid, signal.SIGKILL)
    await eventually(lambda: workshop.pid is None)
    assert (await examined(workshop, HI)).pieces == (HI,)
    assert told == []
    await workshop.close()


async def test_where_no_examiner_can_be_started_an_author_is_to_come_back(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    document = await building.document()
    async with building.registry.hold(document) as room:
        ann = enter(room, "ann")
        room.sessions.receive(ann, framed(2, LARGE))
        await room.sessions.settled(ann)
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 1013


async def test_the_end_of_an_examiner_is_the_refusal_of_one_update() -> None:
    told: list[dict[str, object]] = []
    workshop = Workshop(lambda event, **fields: told.append({"event": event, **fields}))
    await examined(workshop, HI)
    pid = workshop.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    asking = asyncio.create_task(examined(workshop, LARGE))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(UpdateRefused) as refused:
        await asking
    assert refused.value.limit == "work"
    assert told == [{"event": "heavy_failed", "reason": "crash"}]
    assert (await examined(workshop, LARGE)).verdict is Verdict.NEW
    assert workshop.pid not in (None, pid)
    await workshop.close()


async def test_an_examiner_that_says_nothing_is_ended() -> None:
    told: list[dict[str, object]] = []
    workshop = Workshop(lambda event, **fields: told.append({"event": event, **fields}), deadline_s=0.2)
    asking = asyncio.create_task(examined(workshop, HI))
    await eventually(lambda: workshop.pid is not None)
    assert workshop.pid is not None
    os.kill(workshop.pid, signal.SIGSTOP)
    with pytest.raises(UpdateRefused):
        await asking
    assert told == [{"event": "heavy_failed", "reason": "deadline"}]
    assert workshop.pid is None
    await workshop.close()


async def test_a_bomb_ends_the_examiner_at_most(workshop: Workshop) -> None:
    nested = item(8, b"\x01" + b"\x75\x01" * 40_000 + b"\x7e", after=(5, 0))
    with pytest.raises(UpdateRefused) as refused:
        await examined(workshop, one(5, 0, typed("x" * 70_000), nested))
    assert refused.value.limit == "content"
    assert (await examined(workshop, HI)).verdict is Verdict.NEW


async def test_the_line_before_the_examiner_has_an_end(workshop: Workshop) -> None:
    large = one(5, 0, typed("x" * 15 * 2**20))
    waiting = [asyncio.create_task(examined(workshop, large)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await examined(workshop, large)
    assert {found.verdict for found in await asyncio.gather(*waiting)} == {Verdict.NEW}
