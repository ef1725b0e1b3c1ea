"""Several servers of one PostgreSQL and one Redis, all of them real, as something that is measured."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from redis import Redis
from tests.bench.contenders import Ours, fresh_folder
from tests.bench.scaling.placement import hash_of, owner, salts
from tests.bench.stage import Figures
from tests.support.fleet import DATABASE, make_database, places
from tests.support.postgres import PostgresServer, postgres_programs
from tests.support.proxies import free_port
from tests.support.redis import RedisServer, redis_program

from coscribe.bench.machine import SERVER_CORES, Usage, usage

_WRITTEN = (
    "SELECT xact_commit AS commits, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal_bytes "
    f"FROM pg_stat_database WHERE datname = '{DATABASE}'"
)


@dataclass(frozen=True)
class Counted:
    """What the processes have taken, and what PostgreSQL and Redis have done, until a moment."""

    at: float
    taken: Mapping[str, Usage]
    commits: float
    wal_bytes: float
    publishes: float

    def since(self, before: Counted) -> Figures:
        """The same a second: shares of a core by process, commits (reads count too), bytes of log, and messages."""
        seconds = self.at - before.at
        cores = {name: now.since(before.taken[name]).cpu_s / seconds for name, now in self.taken.items()}
        servers = [core for name, core in cores.items() if name.startswith("server")]
        return {
            "cores": cores, "server_cores": sum(servers), "cores_there": len(SERVER_CORES),
            "commits_per_s": (self.commits - before.commits) / seconds,
            "wal_bytes_per_s": (self.wal_bytes - before.wal_bytes) / seconds,
            "publishes_per_s": (self.publishes - before.publishes) / seconds,
        }  # fmt: skip


class Instances(Ours):
    """So many servers. People of a document meet at one of them, as behind scale.Caddyfile; or, where they are
    `is_spread`, go round all of them.

    No process of it runs on the generator's core. Raises where PostgreSQL or Redis is missing, as its tests do.
    """

    def __init__(self, count: int, settings: Mapping[str, object], *, is_spread: bool) -> None:
        self._home = folder = fresh_folder(f"instances-{count}")
        self._postgres = PostgresServer(postgres_programs(), free_port(), is_durable=True)
        self._redis = RedisServer(redis_program(), folder)
        assert self._postgres.port is not None
        shared = {**places(self._postgres, self._postgres.port, self._redis.port), **settings}
        super().__init__(folder / "server1", shared, SERVER_CORES[0])
        cores = [SERVER_CORES[number % len(SERVER_CORES)] for number in range(count)]
        self._others = [Ours(folder / f"server{i + 2}", shared, core) for i, core in enumerate(cores[1:])]
        self._is_spread = is_spread
        self._stack = ExitStack()

    def __enter__(self) -> Instances:
        with ExitStack() as stack:
            stack.callback(os.sched_setaffinity, 0, os.sched_getaffinity(0))
            os.sched_setaffinity(0, SERVER_CORES)  # what is started from here on stays on them
            stack.callback(shutil.rmtree, self._home)
            stack.callback(self._postgres.remove)
            self._postgres.make()
            self._postgres.start()
            stack.callback(self._postgres.stop)
            self._redis.start()
            stack.callback(self._redis.kill)
            make_database(self._postgres)
            stack.callback(self.end, signal.SIGKILL)
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start all servers, and return once they are ready."""
        super().start()
        for other in self._others:
            other.start()

    def end(self, number: signal.Signals) -> None:
        """End all servers by a signal, and wait until they have."""
        super().end(number)
        for other in self._others:
            other.end(number)

    def usage(self) -> Usage:
        """What all servers together have taken of the machine."""
        found = [super().usage(), *(other.usage() for other in self._others)]
        return Usage(
            sum(one.cpu_s for one in found), sum(one.waited_s for one in found), sum(one.memory_bytes for one in found)
        )

    def beside_s(self) -> float:
        """Seconds of a core that PostgreSQL and Redis have taken."""
        return _with_ended(self._postgres.pid).cpu_s + _with_ended(self._redis.pid).cpu_s

    def ways(self, documents: Sequence[str]) -> dict[str, list[str]]:
        """For each document the URLs round which its people go."""
        urls = [self.url, *(other.url for other in self._others)]
        if self._is_spread:
            return dict.fromkeys(documents, urls)
        salted = salts(len(urls))
        return {document: [urls[owner(hash_of(document), range(len(urls)), salted)]] for document in documents}

    def counted(self, generator_pid: int) -> Counted:
        """What all of it has taken and done so far, and the generator beside it."""
        servers = [self.pid, *(other.pid for other in self._others)]
        pids = {f"server {i + 1}": pid for i, pid in enumerate(servers)}
        pids |= {"postgres": self._postgres.pid, "redis": self._redis.pid, "generator": generator_pid}
        written = self._postgres.row(_WRITTEN)
        with Redis.from_url(self._redis.url) as redis:
            publishes = redis.info("commandstats").get("cmdstat_publish", {"calls": 0})["calls"]
        taken = {name: _with_ended(pid) for name, pid in pids.items()}
        return Counted(time.monotonic(), taken, written["commits"], written["wal_bytes"], publishes)


def _with_ended(pid: int) -> Usage:
    """What a process and its children have taken, those too that have ended: PostgreSQL has one for each connection."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended_s = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    running = usage(pid)
    return Usage(running.cpu_s + ended_s, running.waited_s, running.memory_bytes)
