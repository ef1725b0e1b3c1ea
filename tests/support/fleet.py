"""Several servers of one database and one Redis, each behind proxies that can cut it off from either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.fault_proxy import FaultProxy
from tests.support.postgres import PostgresServer, postgres_programs
from tests.support.proxies import free_port
from tests.support.redis import RedisServer, redis_program
from tests.support.server import CoscribeServer

from coscribe.storage.migrate import upgrade

SECRET = "the one secret of all servers of this fleet"
DATABASE = "fleet"


@dataclass
class Member:
    """One server, and its ways to Redis and to the database."""

    server: CoscribeServer
    to_redis: FaultProxy
    to_database: FaultProxy


@dataclass
class Fleet:
    """All of them."""

    members: list[Member]
    redis: RedisServer
    postgres: PostgresServer

    @property
    def servers(self) -> list[CoscribeServer]:
        """The servers."""
        return [member.server for member in self.members]


@pytest.fixture
def own_cluster() -> Iterator[PostgresServer]:
    """A running cluster with a port, that the test may stop."""
    cluster = PostgresServer(postgres_programs(), free_port())
    cluster.make()
    cluster.start()
    try:
        yield cluster
        cluster.stop()
    finally:
        cluster.remove()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A running Redis that the test may stop."""
    server = RedisServer(redis_program(), tmp_path)
    server.start()
    yield server
    server.kill()


def make_database(postgres: PostgresServer) -> None:
    """Make the database that all servers of a fleet share, with its tables."""
    postgres.execute(f"CREATE DATABASE {DATABASE}")
    upgrade(postgres.url(DATABASE))


def places(postgres: PostgresServer, postgres_port: int, redis_port: int) -> dict[str, str]:
    """The settings that the servers of a fleet share: where database and Redis are, and the secret."""
    return {
        "database_url": postgres.url_at(postgres_port, DATABASE),
        "redis_url": f"redis://127.0.0.1:{redis_port}/0",
        "secret": SECRET,
    }


@asynccontextmanager
async def a_fleet(
    folder: Path, postgres: PostgresServer, redis: RedisServer, count: int, *, proxied: bool, **settings: object
) -> AsyncIterator[Fleet]:
    """So many servers. Proxies live in the loop of the test, which must not be held up then."""
    await asyncio.to_thread(make_database, postgres)
    assert postgres.port is not None
    members: list[Member] = []
    async with AsyncExitStack() as stack:
        for number in range(count):
            to_redis = await stack.enter_async_context(FaultProxy(redis.port, seed=number))
            to_database = await stack.enter_async_context(FaultProxy(postgres.port, seed=number))
            ports = (to_database.port, to_redis.port) if proxied else (postgres.port, redis.port)
            server = CoscribeServer(folder / f"server{number}", **places(postgres, *ports), **settings)
            await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
            members.append(Member(server, to_redis, to_database))
        yield Fleet(members, redis, postgres)
