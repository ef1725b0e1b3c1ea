"""A session's messages to its room, whichever carrier they came by: a slice of them, until something is in the way."""

from __future__ import annotations

from collections.abc import Sequence

from coscribe.core.session import Session
from coscribe.rooms.room import Room

# What is read of one session in a turn of the loop: 200 keystrokes with their carets, 2 ms.
MOST_FRAMES = 400
# What the messages of one slice may cost beyond ordinary ones, of 20 us each at most, before others are served: the
# bursts of ten sockets that made a text expensive held everybody up for 11 s.
MOST_EXTRA = 400.0


def tell(room: Room, session: Session, messages: Sequence[bytes]) -> tuple[int, float]:
    """Give a room messages of a session.

    Gives how many it took before something was in the way, and what they cost beyond ordinary ones.
    """
    extra = 0.0
    express = room.express(session)
    number, taken = 0, room.taken
    for message in messages:
        number += 1
        if express is not None and express(session, message):
            continue
        before = room.taken
        extra += room.receive(session, message) - 1.0
        taken += room.taken - before
        express = room.express(session)
        if extra > MOST_EXTRA or room.weighs(session.id):
            break
    room.took(session)
    return number, extra + (room.taken - taken) * (room.cost - 1.0)
