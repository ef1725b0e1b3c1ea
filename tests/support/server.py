"""The real `coscribe serve` as a process of its own, with its data in a temporary folder."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType

import httpx
import pytest

COMMAND = [sys.executable, "-m", "coscribe"]
_READY = re.compile(r"Coscribe is ready at (http://127\.0\.0\.1:\d+)")
# A busy machine with two cores takes its time; nothing waits this long when all is well.
_WITHIN_S = 60.0
_NOTHING_ELSE: Mapping[str, str] = MappingProxyType({})


class CoscribeServer:
    """One server process; may be stopped and started again on the same data and the same port."""

    def __init__(
        self,
        folder: Path,
        *,
        command: Sequence[str] = COMMAND,
        environment: Mapping[str, str] = _NOTHING_ELSE,
        **settings: object,
    ) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._command = command
        self._port = 0
        self._more = environment
        self._settings = {f"COSCRIBE_{name.upper()}": str(value) for name, value in settings.items()}
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> CoscribeServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def data_dir(self) -> str:
        """Where it keeps its data."""
        return str(self._folder / "data")

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def memory_bytes(self) -> int:
        """What it holds of the machine's memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended since."""
        return self._process is not None

    @property
    def log(self) -> str:
        """What the server has written to standard error so far."""
        return (self._folder / "stderr.log").read_text()

    def start(self) -> None:
        """Start and return once it listens."""
        with (self._folder / "stderr.log").open("a") as log:
            self._process = subprocess.Popen(
                [*self._command, "serve", "--port", str(self._port), "--data-dir", self.data_dir],
                stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment(),
            )  # fmt: skip
        self.url = self._announced(self._process)
        self._port = int(self.url.rpartition(":")[2])

    def _announced(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        deadline = time.monotonic() + _WITHIN_S
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([process.stdout], [], [], left)
            line = process.stdout.readline() if readable else ""
            if found := _READY.search(line):
                return found[1]
            if readable and not line:
                break
        self.stop()
        raise AssertionError(f"the server did not start:\n{self.log}")

    def configure(self, **settings: object) -> None:
        """Change settings for the next start."""
        self._settings |= {f"COSCRIBE_{name.upper()}": str(value) for name, value in settings.items()}

    def stop(self) -> int:
        """Ask it to stop (SIGTERM) and wait; gives the exit status."""
        return self.end(signal.SIGTERM)

    def kill(self) -> int:
        """Kill it as a power cut would."""
        return self.end(signal.SIGKILL)

    def wait_dead(self) -> int:
        """Wait until it has ended by itself; gives the exit status."""
        return self.end(None)

    def end(self, number: signal.Signals | None) -> int:
        """Send a signal, if any, and wait; gives the exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if number is not None:
            process.send_signal(number)
        try:
            return process.wait(_WITHIN_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold it still: its sockets stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def token(self, name: str) -> str:
        """A new bearer token, made as an operator makes one."""
        made = self.operate("token", "create", "--name", name)
        made.check_returncode()
        return made.stdout.strip()

    def operate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same data, as an operator does beside the running server."""
        return subprocess.run(
            [*self._command, *arguments, "--data-dir", self.data_dir],
            capture_output=True, text=True, check=False, timeout=_WITHIN_S, env=self._environment(),
        )  # fmt: skip

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client; without a token a visitor whose requests look like those of a page of ours."""
        headers = {"Origin": self.url} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=_WITHIN_S)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COSCRIBE_", "OTEL_"))}
        return {**inherited, **self._more, **self._settings}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoscribeServer]:
    """A server that tests share: each makes documents and people of its own."""
    with CoscribeServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[CoscribeServer]:
    """A server for one test, which may stop it."""
    with CoscribeServer(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def token(server: CoscribeServer) -> str:
    """A bearer token of the shared server."""
    return server.token("owner")


@pytest.fixture
def owner(server: CoscribeServer, token: str) -> Iterator[httpx.Client]:
    """A client with a token."""
    with server.client(token) as client:
        yield client


@pytest.fixture
def guest(server: CoscribeServer) -> Iterator[httpx.Client]:
    """A browser's client: same origin, keeps its cookie."""
    with server.client() as client:
        yield client
