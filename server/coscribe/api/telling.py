"""A session's messages to its room, whichever carrier they came by: a slice of them, until something is in the way."""

from __future__ import annotations

from collections.abc import Sequence

from coscribe.core.session import Session
from coscribe.rooms.sessions import Sessions

# What is read of one session in a turn of the loop: 200 keystrokes with their carets, 2 ms.
MOST_FRAMES = 400
# What the messages of one slice may cost beyond ordinary ones, of 20 us each at most, before others are served: the
# bursts of ten sockets that made a text expensive held everybody up for 11 s.
MOST_EXTRA = 400.0


def tell(sessions: Sessions, session: Session, messages: Sequence[bytes]) -> tuple[int, float]:
    """Give a room messages of a session.

    Gives how many it took before something was in the way, and what they cost beyond ordinary ones.
    """
    extra = 0.0
    express = sessions.express(session)
    number, taken = 0, sessions.taken
    for message in messages:
        number += 1
        if express is not None and express(session, message):
            continue
        before = sessions.taken
        extra += sessions.receive(session, message) - 1.0
        taken += sessions.taken - before
        express = sessions.express(session)
        if extra > MOST_EXTRA or sessions.weighs(session.id):
            break
    sessions.took(session)
    return number, extra + (sessions.taken - taken) * (sessions.cost - 1.0)
