"""The upkeep of awareness: y-protocols forgets a state after 30 s without news (rule P9)."""

from __future__ import annotations

import pytest
from tests.rooms.building import Building, enter, eventually
from tests.support.people import ANN, BEN

from coscribe.core.protocol import AwarenessEntry, encode_awareness
from coscribe.core.session import Session


def clocks(session: Session) -> list[int]:
    """The clocks of client 7 in what the session was told; a message of one entry begins with 01 length 01 07."""
    return [frame[4] for frame in session.outbox.take() if frame[0] == 1 and frame[2:4] == b"\x01\x07"]


async def test_states_are_repeated_to_others_and_not_to_who_is_alone(
    building: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coscribe.rooms.presence._REFRESH_S", 0.01)
    async with building.registry.hold(await building.document()) as room:
        ann = enter(room, "ann", ANN)
        room.sessions.receive(ann, encode_awareness([AwarenessEntry(7, 1, "{}")]))
        asked: list[bytes] = []

        def is_asked_twice() -> bool:
            asked.extend(frame for frame in ann.outbox.take() if frame[:2] == b"\x00\x00")
            return len(asked) == 2

        await eventually(is_asked_twice)  # eight rounds, in which she is alone
        ben = enter(room, "ben", BEN)
        told: list[int] = []

        def has_heard() -> bool:
            told.extend(clocks(ben))
            return len(told) > 2

        await eventually(has_heard)
        assert told[0] == 2
        assert told == sorted(set(told))
