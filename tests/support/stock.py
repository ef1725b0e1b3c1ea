"""The npm `y-websocket` client as a process, spoken to in JSON lines."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

_PROGRAM = Path(__file__).parents[2] / "web" / "tests" / "clients" / "stock-client.mjs"
_WITHIN_S = 30


class StockClient:
    """One client of major version 2 or 3."""

    def __init__(self, major: int, url: str, document_id: str) -> None:
        self._arguments = (str(major), url.replace("http", "ws", 1) + "/ws", document_id)
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> StockClient:
        node = shutil.which("node")
        assert node is not None, "Node.js is needed"
        self._process = await asyncio.create_subprocess_exec(
            node, str(_PROGRAM), *self._arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        return self

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
