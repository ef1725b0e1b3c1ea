"""A throw-away Redis from the system's program: own port, nothing on disk."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.proxies import free_port

_WITHIN_S = 30.0


class RedisServer:
    """One server; may be killed, frozen, and started again, empty, on the same port."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def port(self) -> int:
        """Its port."""
        return self._port

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and return once it answers."""
        self._process = subprocess.Popen(
            [
                self._program,
                *("--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
                *("--dir", str(self._folder)),
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _WITHIN_S
        while not self._answers():
            assert time.monotonic() < deadline, "Redis did not start"
            assert self._process.poll() is None, "Redis ended"
            time.sleep(0.01)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), 1) as line:
                line.sendall(b"PING\r\n")
                return line.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    def kill(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold it still: its lines stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


def redis_program() -> str:
    """The server's program; without it the test fails on CI and is skipped elsewhere."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    words = "Redis is missing: apt-get install redis-server"
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)  # only where it was not installed; .ci/run installs it


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running, empty server."""
    server = RedisServer(redis_program(), tmp_path)
    server.start()
    try:
        yield server
    finally:
        server.kill()
