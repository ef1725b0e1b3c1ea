"""A throw-away PostgreSQL from the system's programs: own folder, own socket, no port, no durability unless wanted."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from coscribe.storage.migrate import upgrade

USER = "coscribe"
TEMPLATE = "migrated"


class PostgresServer:
    """One cluster. The programs refuse to run as root, so root runs them as the package's user `postgres`.

    With a port it listens on that too, for clients that come through a proxy. Where it `is_durable` each commit waits
    for its fsync, as it does for those who measure.
    """

    def __init__(self, programs: Path, port: int | None = None, *, is_durable: bool = False) -> None:
        self.port = port
        self._is_durable = is_durable
        self._programs = programs
        self._names = (f"test_{number}" for number in count(1))
        # The path of a UNIX socket has at most 107 bytes, which pytest's own folders nearly fill.
        self.folder = Path(tempfile.mkdtemp(prefix="coscribe-pg-"))
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)

    def make(self) -> None:
        self._run("initdb", "-A", "trust", "-U", USER, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        listening = f"-c listen_addresses=127.0.0.1 -p {self.port}" if self.port else "-c listen_addresses="
        options = f"-k {self.folder} {listening} {'' if self._is_durable else '-c fsync=off '}-c max_connections=60"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    @property
    def pid(self) -> int:
        """The process whose children serve the connections."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def url(self, name: str) -> str:
        port = f"&port={self.port}" if self.port else ""
        return f"postgresql+asyncpg://{USER}@/{name}?host={self.folder}{port}"

    def url_at(self, port: int, name: str) -> str:
        """The same database by way of a port."""
        return f"postgresql+asyncpg://{USER}@127.0.0.1:{port}/{name}"

    def new_database(self, template: str = TEMPLATE) -> str:
        """The URL of a new database, by default one with all tables."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        name = url.split("@/")[1].partition("?")[0]
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        """Run one statement as the administrator."""
        asyncio.run(self._execute(statement))

    def row(self, query: str) -> dict[str, Any]:
        """The one row that a query of the administrator finds."""
        return asyncio.run(self._row(query))

    async def _execute(self, statement: str) -> None:
        async with self._connected() as connection:
            await connection.execute(statement)

    async def _row(self, query: str) -> dict[str, Any]:
        async with self._connected() as connection:
            return dict(await connection.fetchrow(query))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(
            host=str(self.folder), port=self.port or 5432, user=USER, database="postgres"
        )
        try:
            yield connection
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # pg_ctl's child keeps the pipe open, so its output goes to a file.
        with (self.folder / "output").open("ab") as output:
            subprocess.run(command, cwd=self.folder, stdout=output, stderr=output, check=True)


def postgres_programs() -> Path:
    """The folder of initdb and pg_ctl; without one the test fails on CI and is skipped elsewhere."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    words = "PostgreSQL's server programs are missing: apt-get install postgresql"
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running cluster with a migrated template database."""
    server = PostgresServer(postgres_programs())
    server.make()
    server.start()
    try:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        upgrade(server.url(TEMPLATE))
        yield server
    finally:
        server.stop()
        server.remove()
