"""The load generator, load/main.mjs, as a process of its own on a core of its own. It is asked a line at a time."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from coscribe.bench.machine import GENERATOR_CORE, pinned

_MAIN = Path(__file__).parent / "load" / "main.mjs"
# Young objects of a second of load fit in here: else the collector stops the loop for longer than a keystroke may take.
_NODE = ["node", "--expose-gc", "--max-semi-space-size=64", "--max-old-space-size=8192"]
_WITHIN_S = 300.0

Answer = dict[str, Any]


class GeneratorError(Exception):
    """The generator could not do what it was told."""


class Generator:
    """One generator process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            pinned(GENERATOR_CORE, [*_NODE, str(_MAIN)]), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._rest = b""

    def __enter__(self) -> Generator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def ask(self, command: str, within_s: float = _WITHIN_S, **how: Any) -> Answer:
        """Have something done and give what came of it; raises GeneratorError."""
        self.tell(command, **how)
        return self.answer(within_s)

    def tell(self, command: str, **how: Any) -> None:
        """Have something done meanwhile."""
        self._stdin.write(json.dumps({"command": command, **how}).encode() + b"\n")
        self._stdin.flush()

    def answer(self, within_s: float = _WITHIN_S) -> Answer:
        """What came of what was told; raises GeneratorError."""
        found = json.loads(self._line(within_s))
        if "error" in found:
            raise GeneratorError(found["error"])
        result: Answer = found["result"]
        return result

    def _line(self, within_s: float) -> bytes:
        deadline = time.monotonic() + within_s
        while b"\n" not in self._rest:
            readable, _, _ = select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))
            read = os.read(self._stdout.fileno(), 2**16) if readable else b""
            if not read:
                raise GeneratorError("the generator ended" if readable else f"no answer within {within_s:.0f} s")
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout
