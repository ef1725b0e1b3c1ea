"""A WebSocket server that sends back what it hears, on the protocol classes, limits and pings of the real one.

Test suites of the protocol itself want an echo, which no address of ours is. `python -m tests.support.echo` prints
where it listens and ends with SIGTERM.
"""

from __future__ import annotations

import socket

import uvicorn
from starlette.types import Receive, Scope, Send

from coscribe.api.door import Door
from coscribe.config import Settings
from coscribe.metrics import Metrics
from coscribe.serving import uvicorn_config
from coscribe.telemetry import watcher


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


class _Echo(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        print(f"Echo is ready at ws://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)


def main() -> None:
    """Serve until a signal says stop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings, metrics = Settings(), Metrics()
        door = Door(settings, metrics, watcher(metrics))
        _Echo(uvicorn_config(echo, settings, door)).run(sockets=[listener])


if __name__ == "__main__":
    main()
