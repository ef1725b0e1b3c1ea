"""F5 to F8, F12: three servers of one database and one Redis, while people type at each of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis
from tests.support.documents import feed_url, new_document, socket_url, text_of
from tests.support.fault_proxy import Weather
from tests.support.fleet import Fleet, Member, a_fleet
from tests.support.healing import hang_up, persist
from tests.support.ledger import Ledger
from tests.support.postgres import PostgresServer
from tests.support.proof import Proof
from tests.support.redis import RedisServer
from tests.support.server import CoscribeServer
from tests.support.viewer import Viewer
from tests.support.waiting import until
from tests.support.writers import Writer, new_guest

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

_SEED = 20261129
_HEALED_WITHIN_S = 5.0
_LOST = Weather(lost=True)
_FROZEN = Weather(frozen=True)


class People:
    """An author at each server, and a reader at one; `ledger` is what they typed and were shown as saved."""

    def __init__(self, fleet: Fleet, document_id: str, ledger: Ledger) -> None:
        self.fleet = fleet
        self.document_id = document_id
        self.ledger = ledger
        self.writers: list[Writer] = []

    async def come(self) -> None:
        """Come to one server each, and have a word saved."""
        for name, server in zip("abc", self.fleet.servers, strict=True):
            guest = await asyncio.to_thread(new_guest, server, name)
            writer = Writer(
                name, socket_url(server, self.document_id), self.ledger, headers={"Cookie": guest["Cookie"]}
            )
            await writer.connect()
            await writer.write()
            await writer.wait_saved()
            self.writers.append(writer)

    async def type_through(self, fault: AbstractAsyncContextManager[None], lasts_s: float) -> float:
        """Type before, in and after a fault; gives the seconds from its end until all read the same."""
        rng = random.Random(_SEED)
        typing = [asyncio.create_task(persist(writer, random.Random(rng.random()))) for writer in self.writers]
        await asyncio.sleep(0.5)
        async with fault:
            await asyncio.sleep(lasts_s)
        began = time.monotonic()
        await asyncio.sleep(0.5)
        for task in typing:
            task.cancel()
        await asyncio.gather(*typing, return_exceptions=True)
        await self._agree()
        return time.monotonic() - began - 0.5

    async def _agree(self) -> None:
        """Everybody who was cut comes back; then all is saved, and everybody sees the same."""
        for writer in self.writers:
            while writer.is_cut or not writer.typist.synced:
                writer.note_acks()
                await writer.connect()
        for writer in self.writers:
            await writer.typist.wait(lambda writer=writer: writer.typist.acked >= writer.typist.sent, 60)
            writer.note_acks()
        first, *others = self.writers
        for other in others:
            await first.typist.wait(
                lambda other=other: (
                    len(first.typist.text) == len(other.typist.text)
                    and str(first.typist.text) == str(other.typist.text)
                ),
                60,
            )

    def move(self, name: str, member: Member) -> None:
        """Have one come to another server from now on."""
        writer = next(writer for writer in self.writers if writer.name == name)
        writer.typist.url = socket_url(member.server, self.document_id)

    async def check(self, viewer: Viewer) -> None:
        """I1 to I4, and one text at every server, over REST, in the feed and in every copy."""
        for writer in self.writers:
            await hang_up(writer)
        for writer in self.writers:
            await writer.connect()
            await writer.wait_saved()
        await self._agree()
        text = str(self.writers[0].typist.text)
        self.ledger.check_all(text)
        await viewer.wait_text(text)
        for server in self.fleet.servers:
            assert await asyncio.to_thread(text_of, server, self.document_id) == text
        for writer in self.writers:
            await writer.disconnect()


@asynccontextmanager
async def people_at(
    folder: Path, cluster: PostgresServer, redis: RedisServer
) -> AsyncIterator[tuple[Fleet, People, Viewer]]:
    """Three servers, an author at each, and a reader at the second."""
    async with a_fleet(folder, cluster, redis, 3, proxied=True, keepalive_s=0.5) as fleet:
        document_id = await asyncio.to_thread(new_document, fleet.servers[0])
        with Ledger(folder / "ledger") as ledger:
            people = People(fleet, document_id, ledger)
            await people.come()
            async with Viewer(feed_url(fleet.servers[1], document_id)) as viewer:
                yield fleet, people, viewer
                await people.check(viewer)


@asynccontextmanager
async def _redis_killed(fleet: Fleet) -> AsyncIterator[None]:
    fleet.redis.kill()
    yield
    await asyncio.to_thread(fleet.redis.start)


@asynccontextmanager
async def _redis_frozen(fleet: Fleet) -> AsyncIterator[None]:
    with fleet.redis.frozen():
        yield


@asynccontextmanager
async def _cut_off_from_redis(fleet: Fleet) -> AsyncIterator[None]:
    way = fleet.members[0].to_redis
    way.set(_LOST, _LOST)
    way.is_refusing = True
    yield
    way.is_refusing = False
    way.set()
    way.cut()


@asynccontextmanager
async def _cut_off_from_database(fleet: Fleet) -> AsyncIterator[None]:
    way = fleet.members[0].to_database
    way.set(_FROZEN, _FROZEN)
    await asyncio.sleep(1)
    ready = await asyncio.to_thread(_status, fleet.members[0], "/health/ready")
    assert ready == 503, "a proxy is to send people elsewhere"
    assert await asyncio.to_thread(_status, fleet.members[1], "/health/ready") == 200
    yield
    way.set()


def _status(member: Member, path: str) -> int:
    with member.server.client() as probe:
        return int(probe.get(path, timeout=30).status_code)


@asynccontextmanager
async def _database_stopped(fleet: Fleet) -> AsyncIterator[None]:
    await asyncio.to_thread(fleet.postgres.stop)
    yield
    await asyncio.to_thread(fleet.postgres.start)


@asynccontextmanager
async def _server_killed(fleet: Fleet) -> AsyncIterator[None]:
    await asyncio.to_thread(fleet.servers[0].kill)
    yield
    await asyncio.to_thread(fleet.servers[0].start)


@asynccontextmanager
async def _bus_under_attack(fleet: Fleet) -> AsyncIterator[None]:
    """Somebody who can read and write Redis, and has not the secret, says again what he heard, changed and cut too."""
    enough = asyncio.Event()
    attacking = asyncio.create_task(_attack(fleet.redis.url, random.Random(_SEED), enough))
    yield
    for server in fleet.servers:  # on a busy machine that takes longer than the fault lasts
        await asyncio.to_thread(_wait_refused, server)
    assert not attacking.done(), "the attack ended by itself"
    enough.set()
    await attacking


async def _attack(url: str, rng: random.Random, enough: asyncio.Event) -> None:
    async with Redis.from_url(url) as redis, redis.pubsub() as heard:
        await heard.psubscribe("coscribe:*")
        while not enough.is_set():
            message = await heard.get_message(ignore_subscribe_messages=True, timeout=0.2)
            if not message or not message["data"]:  # what was cut to nothing is heard too
                continue
            channel, sealed = message["channel"], bytearray(message["data"])
            await redis.publish(channel, bytes(sealed))
            await redis.publish(channel, bytes(sealed[: rng.randrange(len(sealed))]))
            await redis.publish(b"coscribe:all", bytes(sealed))
            sealed[rng.randrange(len(sealed))] ^= 1 << rng.randrange(8)
            await redis.publish(channel, bytes(sealed))
            await redis.publish(channel, rng.randbytes(rng.randrange(2**16)))
            # What was just said is heard too: without a pause it would be said again and again, as fast as Redis can.
            await asyncio.sleep(0.005)


def _wait_refused(server: CoscribeServer) -> None:
    """Wait until a server has refused messages of both kinds."""

    def are_refused() -> bool:
        refused = _refused(server)
        return min(refused["forged"], refused["replayed"]) > 10

    asyncio.run(until(are_refused, within_s=30))


def _refused(server: CoscribeServer) -> dict[str, float]:
    """How many messages of the bus a server has refused, by reason."""
    with server.client() as reader:
        text = reader.get("/metrics").raise_for_status().text
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    return {one.labels["reason"]: one.value for one in samples if one.name == "coscribe_bus_refused_total"}


@dataclass(frozen=True)
class Fault:
    """What happens, and how many seconds it lasts in the short form and in full."""

    happens: Callable[[Fleet], AbstractAsyncContextManager[None]]
    short_s: float
    full_s: float


_FAULTS = {
    "Redis is killed and comes back empty": Fault(_redis_killed, 2.0, 5.0),
    "Redis stands still": Fault(_redis_frozen, 5.0, 10.0),
    "a server is cut off from Redis": Fault(_cut_off_from_redis, 5.0, 10.0),
    "a server is cut off from the database": Fault(_cut_off_from_database, 2.0, 10.0),
    "PostgreSQL is stopped": Fault(_database_stopped, 3.0, 30.0),
    "a server is killed": Fault(_server_killed, 2.0, 4.0),
    "somebody writes to Redis": Fault(_bus_under_attack, 3.0, 10.0),
}


@pytest.mark.proof(
    promise="At three servers what was shown as saved stays, and all read the same 5 s after the end of a fault",
    faults="F1 F5 F6 F7 F8",
    how="people type at each; a fault proxy on every way to PostgreSQL and Redis; a ledger outside; three rounds",
)
@pytest.mark.parametrize("fault", _FAULTS)
async def test_three_servers_survive(
    proof: Proof, fault: str, tmp_path: Path, own_cluster: PostgresServer, own_redis: RedisServer
) -> None:
    happening = _FAULTS[fault]
    lasts_s = happening.full_s if proof.full else happening.short_s
    async with people_at(tmp_path, own_cluster, own_redis) as (fleet, people, _):
        healed_s = []
        for _ in range(proof.rounds(1, 3)):
            healed_s.append(await people.type_through(happening.happens(fleet), lasts_s))
        proof.told(acked=len(people.ledger.saved), slowest_to_agree_s=round(max(healed_s), 1))
    assert max(healed_s) < _HEALED_WITHIN_S
