"""A server that is measured: a process of its own on a port and in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from coscribe.config import PREFIX
from coscribe.errors import Unavailable

_READY = re.compile(r"http://127\.0\.0\.1:(\d+)")
_WITHIN_S = 30.0
# The end of its log, where it did not start.
_LINES = 3


class OwnServer:
    """`coscribe serve` for as long as the `async with` lasts; default settings but for its place."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="coscribe-bench-")
        self._process: asyncio.subprocess.Process | None = None
        self.port = 0

    async def __aenter__(self) -> OwnServer:
        log = Path(self._folder.name) / "log"
        # What is set for the server of this machine is not for this one, its database least of all.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "OTEL_"))}
        with log.open("wb") as file:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "coscribe", "serve", "--port", "0", "--data-dir", self._folder.name,
                stdout=asyncio.subprocess.PIPE, stderr=file, env={**inherited, f"{PREFIX}LOG_LEVEL": "warning"},
            )  # fmt: skip
        try:
            self.port = await self._announced(self._process)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        if self.port == 0:
            told = " ".join(log.read_text("utf-8").splitlines()[-_LINES:])
            await self.__aexit__(None, None, None)
            raise Unavailable(f"The server that is to be measured did not start: {told}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        self._folder.cleanup()

    @staticmethod
    async def _announced(process: asyncio.subprocess.Process) -> int:
        """The port that it says it listens on, 0 where it ends or says nothing."""
        if process.stdout is None:
            return 0
        try:
            async with asyncio.timeout(_WITHIN_S):
                async for line in process.stdout:
                    if found := _READY.search(line.decode()):
                        return int(found[1])
        except TimeoutError:
            pass
        return 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid if self._process is not None else 0
