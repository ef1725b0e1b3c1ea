"""The servers that are measured: ours, and the others, each started afresh on its core with a folder of its own."""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType

from tests.bench.packages import HOCUSPOCUS, PYCRDT, SCRATCH, Y_WEBSOCKET, Package
from tests.support.server import CoscribeServer

from coscribe.bench.machine import SERVER_CORE, Usage, pinned, usage
from coscribe.config import Settings

# An update and a caret.
_MESSAGES_A_KEY = 2
_WITHIN_S = 30.0
_EVERY_S = 0.005


class Contender(ABC):
    """A server. `dialect` and `url`, with {} for a document, are what the generator needs to speak to it.

    `folder` has what it keeps, and goes with it.
    """

    dialect: str
    url: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Contender:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGKILL)
        shutil.rmtree(self.folder)

    @property
    @abstractmethod
    def pid(self) -> int:
        """Its process."""

    @abstractmethod
    def start(self) -> None:
        """Start it, and return once it answers."""

    @abstractmethod
    def end(self, number: signal.Signals) -> None:
        """End it by a signal, and wait until it has."""

    @abstractmethod
    def documents(self, count: int) -> list[str]:
        """So many new documents, by name."""

    def ways(self, _documents: Sequence[str]) -> dict[str, list[str]] | None:
        """For each document the URLs round which its people go; None where all go to the one server."""
        return None

    def usage(self) -> Usage:
        """What it has taken of the machine."""
        return usage(self.pid)

    def beside_s(self) -> float:
        """Seconds of a core that have gone to what it needs beside it: a database and a bus, where it has them."""
        return 0


class Ours(Contender):
    """Coscribe as `make run` starts it: SQLite on disk, an fsync for each commit."""

    dialect = "y-websocket"

    def __init__(self, folder: Path, settings: Mapping[str, object], core: int = SERVER_CORE) -> None:
        super().__init__(folder)
        command = pinned(core, [sys.executable, "-m", "coscribe"])
        self.server = CoscribeServer(folder, command=command, **settings)
        self._token = ""

    @property
    def pid(self) -> int:
        """Its process."""
        return self.server.pid

    def start(self) -> None:
        """Start it, and return once it is ready."""
        self.server.start()
        self.url = self.server.url.replace("http", "ws", 1) + "/ws/{}"
        status = _status(int(self.server.url.rpartition(":")[2]), "/health/ready")
        assert status == HTTPStatus.OK, status

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, and wait until it has."""
        with suppress(subprocess.TimeoutExpired):  # it is dead all the same
            self.server.end(number)

    def documents(self, count: int) -> list[str]:
        """So many new documents that everybody may edit; a token's, since a guest may own 500."""
        self._token = self._token or self.server.token("bench")
        ids = []
        with self.server.client(self._token) as client:
            for _ in range(count):
                answer = client.post("/api/v1/documents", json={"access": "editor"})
                answer.raise_for_status()
                ids.append(str(answer.json()["id"]))
        return ids


class Theirs(Contender):
    """A server of others, as their documentation starts it."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        super().__init__(folder)
        assert kind.package is not None
        self.dialect = kind.dialect
        self._kind = kind
        self._home = kind.package.folder
        self._port = _free_port()
        self.url = f"ws://127.0.0.1:{self._port}/{{}}"
        self._process: subprocess.Popen[bytes] | None = None
        self._documents = 0

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and return once it answers."""
        command, variables = self._kind.command(self._port, self.folder)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                pinned(SERVER_CORE, command), cwd=self._home, env=os.environ | variables, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _WITHIN_S
        while _status(self._port, "/") is None:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"it did not start:\n{(self.folder / 'server.log').read_text()}")
            time.sleep(_EVERY_S)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, and wait until it has."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_WITHIN_S)
        process.kill()
        process.wait()

    def documents(self, count: int) -> list[str]:
        """New names: a document is there once somebody comes."""
        self._documents += count
        return [f"document-{self._documents - i}" for i in range(count)]


def fresh_folder(name: str) -> Path:
    """A new folder for what a server keeps."""
    (SCRATCH / "data").mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=SCRATCH / "data"))


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _status(port: int, path: str) -> int | None:
    """What a GET is answered with; None where nobody listens. Cheap, since it is counted in how long a start takes."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_WITHIN_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


Command = tuple[list[str], dict[str, str]]


@dataclass(frozen=True)
class Kind:
    """One way to run a server. `command` gives command and environment, from a port and a folder for what it keeps."""

    name: str
    title: str
    keeps: bool
    dialect: str = "y-websocket"
    package: Package | None = None
    command: Callable[[int, Path], Command] = lambda _port, _data: ([], {})

    @property
    def most_keys_per_s(self) -> float:
        """What one person may type for long. A burst of ours is more, and would be gone after some seconds."""
        if self.package is not None:
            return math.inf
        return float(Settings.model_fields["max_messages_per_s"].default) / _MESSAGES_A_KEY

    @property
    def why_missing(self) -> str | None:
        """Why it cannot be run; None when it can."""
        return self.package.why_missing if self.package is not None else None

    def fresh(self, settings: Mapping[str, int]) -> Contender:
        """One with nothing in it; the settings are for ours."""
        folder = fresh_folder(self.name)
        return Ours(folder, settings) if self.package is None else Theirs(self, folder)


def _y_leveldb(port: int, data: Path) -> Command:
    variables = {"HOST": "127.0.0.1", "PORT": str(port), "YPERSISTENCE": str(data / "leveldb")}
    return ["node", "node_modules/@y/websocket-server/src/server.js"], variables


def _hocuspocus(port: int, _data: Path) -> Command:
    return ["node", "hocuspocus.mjs", str(port)], {}


def _hocuspocus_sqlite(port: int, data: Path) -> Command:
    return ["node", "hocuspocus.mjs", str(port), str(data / "hocuspocus.sqlite")], {}


def _pycrdt_websocket(port: int, _data: Path) -> Command:
    return ["venv/bin/python", "pycrdt_websocket.py", str(port)], {}


KINDS = {
    kind.name: kind
    for kind in (
        Kind("ours", "Coscribe", keeps=True),
        Kind("yws-leveldb", "y-websocket-server, LevelDB", True, package=Y_WEBSOCKET, command=_y_leveldb),
        Kind("hocus", "Hocuspocus, in memory", False, "hocuspocus", HOCUSPOCUS, _hocuspocus),
        Kind("hocus-sqlite", "Hocuspocus, SQLite", True, "hocuspocus", HOCUSPOCUS, _hocuspocus_sqlite),
        Kind("pycrdtws", "pycrdt-websocket, in memory", False, package=PYCRDT, command=_pycrdt_websocket),
    )
}
