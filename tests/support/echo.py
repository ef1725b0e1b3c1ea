"""A WebSocket server that sends back what it hears, on the handshake and the line of the real one.

Test suites of the protocol itself want an echo, which no address of ours is: here a line has a room that gives back
what it takes, and texts are sent back too. `python -m tests.support.echo` prints where it listens, and
ends with SIGTERM.
"""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from coscribe.api.door import Door
from coscribe.api.frames import TEXT, frame
from coscribe.api.handshake import KEY, Handshake
from coscribe.api.line import Line
from coscribe.api.lines import Lines
from coscribe.api.pace import Pace, Rates
from coscribe.config import Settings
from coscribe.core.outbox import Outbox
from coscribe.core.session import Session
from coscribe.metrics import Metrics
from coscribe.model import ANYONE, Role, new_id
from coscribe.serving import uvicorn_config
from coscribe.telemetry import configure, watcher

# No sign of life of ours may come between what is sent back.
_KEEPALIVE_S = 3600.0


class _Room:
    """What a line asks of its room."""

    def express(self, session: Session) -> None:
        """There is no way but the ordinary one."""

    def took(self, session: Session) -> None:
        """Nothing follows."""

    def receive(self, session: Session, message: bytes) -> float:
        """Send a message back."""
        session.outbox.push_answer([message])
        return 1.0

    def weighs(self, session_id: str) -> bool:
        """Nothing is too much for one turn."""
        return False

    cost, taken = 1.0, 0
    is_behind = False

    def most_of_slice(self, most: int) -> int:
        """As many as there are."""
        return most

    def gather(self, read: object) -> bool:
        """Nothing waits for a tick."""
        return False


class _EchoLine(Line):
    """A line that sends texts back as well; ours refuses them."""

    def _take_text(self, payload: bytes) -> None:
        if self._transport is not None:
            self._transport.write(frame(TEXT, payload))


class _App:
    """The ASGI application."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._watch = watcher(metrics)
        self._lines: Lines
        self._room: Any = _Room()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._lines = Lines(_KEEPALIVE_S, self._settings.max_frame_bytes)
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._lines.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        handshake: Handshake = scope["state"][KEY]
        handshake.accept(None)
        session = Session(new_id(), ANYONE, Role.EDITOR, Outbox(self._settings.max_outbox_bytes))
        pace = Pace(Rates(self._settings), None, self._watch)
        line = _EchoLine(self._lines, self._room, pace, self._settings.max_frame_bytes, lambda code: None)
        handshake.hand_over(line, session)


class _Echo(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        print(f"Echo is ready at ws://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)


def main() -> None:
    """Serve until a signal says stop."""
    configure("warning", as_json=False)  # to stderr: nobody reads more than the first line of what is printed
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings, metrics = Settings(), Metrics()
        door = Door(settings, metrics, watcher(metrics))
        _Echo(uvicorn_config(_App(settings, metrics), settings, door)).run(sockets=[listener])


if __name__ == "__main__":
    main()
