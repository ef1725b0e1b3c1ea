"""A room's life is one machine: every phase, every turn."""

from __future__ import annotations

from itertools import product

import pytest
from tests.rooms.building import Building, enter, eventually, notices
from tests.support.people import ANN
from tests.support.wire_bytes import framed, one, typed

from coscribe.core.splices import Splice
from coscribe.errors import Unavailable
from coscribe.rooms.phase import Life, Phase

ALLOWED = {
    (Phase.LOADING, Phase.LIVE),
    (Phase.LOADING, Phase.CLOSED),
    (Phase.LIVE, Phase.DEGRADED),
    (Phase.LIVE, Phase.DRAINING),
    (Phase.LIVE, Phase.CLOSED),
    (Phase.DEGRADED, Phase.LIVE),
    (Phase.DEGRADED, Phase.DRAINING),
    (Phase.DEGRADED, Phase.CLOSED),
    (Phase.DRAINING, Phase.CLOSED),
}


@pytest.mark.parametrize(("before", "after"), [*product(Phase, Phase)])
def test_every_turn_is_allowed_or_changes_nothing(before: Phase, after: Phase) -> None:
    life = Life(before)
    assert life.turn(after) is ((before, after) in ALLOWED)
    assert life.phase is (after if (before, after) in ALLOWED else before)
    assert life.is_open is (life.phase in {Phase.LIVE, Phase.DEGRADED})


async def test_a_room_lives_degrades_recovers_drains_and_closes(building: Building) -> None:
    document = await building.document()
    async with building.registry.hold(document) as room:
        assert room.phase is Phase.LIVE
        ann = enter(room, "ann")
        building.log.failures = 1
        room.sessions.receive(ann, framed(2, one(5, 0, typed("hi"))))
        await eventually(lambda: room.phase is Phase.DEGRADED)
        await eventually(lambda: room.phase is Phase.LIVE)

        ann.outbox.take()
        room.drain()

        assert room.phase is Phase.DRAINING
        assert [notice["kind"] for notice in notices(ann.outbox.take())] == ["draining"]
        assert ann.outbox.closing is not None
        assert ann.outbox.closing.code == 1012
        room.sessions.receive(enter(room, "late"), framed(2, one(6, 0, typed("late"))))
        with pytest.raises(Unavailable):
            await room.writers.edit(ANN, lambda _: [Splice(0, 0, "late")])
        room.close(1012, "")
        assert room.phase is Phase.CLOSED
        assert room.text == "hi"
