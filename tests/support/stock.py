"""Stock clients from npm as processes, spoken to in JSON lines: `y-websocket` and `@hocuspocus/provider`."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

_PROGRAMS = Path(__file__).parents[2] / "web" / "tests" / "clients"
_WITHIN_S = 30


class _NodeClient:
    """A program of Node's that answers each command with one line."""

    def __init__(self, program: str, *arguments: str) -> None:
        self._arguments = (str(_PROGRAMS / program), *arguments)
        self._process: asyncio.subprocess.Process | None = None

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        await process.stdin.wait_closed()
        async with asyncio.timeout(_WITHIN_S):
            await process.wait()
        assert process.stdout is not None
        await process.stdout.read()

    async def _start(self) -> None:
        node = shutil.which("node")
        assert node is not None, "Node.js is needed"
        self._process = await asyncio.create_subprocess_exec(
            node, *self._arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )

    async def ask(self, command: str, **arguments: Any) -> Any:
        """Give a command and wait for its answer."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
        async with asyncio.timeout(_WITHIN_S):
            line = await process.stdout.readline()
        assert line, f"the client ended at {command}"
        return json.loads(line)


class StockClient(_NodeClient):
    """`y-websocket` of major version 2 or 3, or `@y/websocket` 4, which asks for its own updates back."""

    def __init__(self, major: int, url: str, document_id: str) -> None:
        super().__init__("stock-client.mjs", str(major), url.replace("http", "ws", 1) + "/ws", document_id)

    async def __aenter__(self) -> StockClient:
        await self._start()
        return self


class HocuspocusClient(_NodeClient):
    """`@hocuspocus/provider` of major version 3 or 4, one socket for all its documents: `at` says which is meant."""

    def __init__(self, major: int, url: str, *document_ids: str, token: str = "") -> None:
        address = url.replace("http", "ws", 1) + "/hocuspocus"
        super().__init__("hocuspocus-client.mjs", str(major), address, ",".join(document_ids), token)

    async def __aenter__(self) -> HocuspocusClient:
        await self._start()
        return self
