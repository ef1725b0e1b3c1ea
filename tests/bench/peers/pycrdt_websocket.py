"""pycrdt-websocket behind uvicorn, as its documentation starts it: `python pycrdt_websocket.py PORT`."""

import asyncio
import sys

import uvicorn
import uvloop
from pycrdt.websocket import ASGIServer, WebsocketServer


async def _serve(port: int) -> None:
    # Compression off, as Coscribe has it; the generator does not offer it either.
    rooms = WebsocketServer()
    config = uvicorn.Config(
        ASGIServer(rooms), host="127.0.0.1", port=port, log_level="error", lifespan="off", ws_per_message_deflate=False
    )
    async with rooms:
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
