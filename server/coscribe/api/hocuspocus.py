"""The WebSocket carrier of dialect 2, at `/hocuspocus`: one socket, several documents, a token for each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

from starlette.requests import HTTPConnection

from coscribe.api.frames import BINARY, frame
from coscribe.api.gates import Place
from coscribe.api.handshake import Handshake
from coscribe.api.line import Line
from coscribe.api.lines import Lines
from coscribe.api.pace import Pace
from coscribe.api.switchboard import Switchboard
from coscribe.api.wiring import Wiring
from coscribe.core.session import Session
from coscribe.rooms.sessions import Sessions

# Providers take slashes off the end of their address, but for those that are told not to.
PATHS = frozenset(("/hocuspocus", "/hocuspocus/"))


class HocuspocusLine(Line):
    """A line for which a switchboard is its session, and the sessions of its room."""

    __slots__ = ("_board",)

    def __init__(
        self, lines: Lines, board: Switchboard, pace: Pace, most_bytes: int, ended: Callable[[int], None]
    ) -> None:
        # It has what a line asks of the sessions of a room, and nothing else of them.
        super().__init__(lines, cast(Sessions, board), pace, most_bytes, ended)
        self._board = board

    def _denied(self, reason: str) -> bytes:
        del reason
        return b""  # a socket that is ended for a reason tells it in its close

    def _sign(self) -> bytes:
        return frame(BINARY, self._board.sign)


def take_socket(handshake: Handshake, connection: HTTPConnection, wiring: Wiring) -> None:
    """Hand an accepted socket over to its line; nobody needs to be known before the first token. Raises Unavailable."""
    place = wiring.gates.stranger(connection)
    pace = Pace(wiring.rates, None, wiring.watch)
    board = Switchboard(wiring, connection, pace)
    ended = partial(_ended, board, place, handshake.left)
    line = HocuspocusLine(wiring.lines, board, pace, wiring.settings.max_frame_bytes, ended)
    if not handshake.hand_over(line, cast(Session, board)):
        place.leave()
        board.leave(1006)


def _ended(board: Switchboard, place: Place, left: Callable[[], None], code: int) -> None:
    """The line is gone."""
    try:
        place.leave()
        board.leave(code)
    finally:
        left()
