"""What so many people take of instances, PostgreSQL, Redis and the proxy, and which of them is full first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.scaling.figures import Figure
from tests.bench.scaling.world import World

_MICRO = 1e-6
# A room tells its people at least every 40 ms while they type (`turns`), and commits as often.
_TURNS_PER_S = 25.0
# `rooms/lookout.py`.
_LOOK_EVERY_S = 2.0
# Of each instance (`storage/engine.py`).
POSTGRES_POOL = 10
# `COSCRIBE_MAX_SESSIONS_PER_DOCUMENT` and `COSCRIBE_MAX_FEED_READERS`, as they come.
SESSIONS_PER_DOCUMENT, FEED_READERS = 2000, 5000
# Linux's ip_local_port_range, 32768 to 60999.
_EPHEMERAL_PORTS = 28_232


@dataclass(frozen=True)
class Demand:
    """Cores and bytes of all instances, and what they ask of the others, a second."""

    instances: int
    cores: float
    memory_bytes: float
    postgres_cores: float
    wal_bytes: float
    commits: float
    messages: float
    redis_cores: float
    rooms: int
    # Documents whose head the lookouts ask for, each every two seconds.
    heads: float

    @property
    def core_share(self) -> float:
        """How busy an instance is on the average."""
        return self.cores / self.instances


def demand(world: World, figures: Mapping[str, Figure], sizes: Sequence[int], copies: float = 1.0) -> Demand:
    """What a world takes whose open documents have so many people each; each document at `copies` instances."""
    value = {name: one.value for name, one in figures.items()}
    rooms, people = len(sizes) * copies, world.connections
    # Measured at one instance and at three; what further copies of a document cost is taken to be alike.
    key_us, key_postgres_us = (
        value[f"{name}_us"] * (1 + (copies - 1) / 2 * (value[f"{name}_spread"] - 1)) for name in ("key", "key_postgres")
    )
    comings, openings = people / world.stay_s, rooms / world.stay_s
    cores = _MICRO * (
        world.keys * key_us
        + _frames(world, sizes) * value["frame_us"]
        + rooms * value["room_us"]
        + comings * value["come_us"]
        + openings * value["open_us"]
    )
    instances = math.ceil(max(cores / world.core_share, people / world.connections_each))
    messages = world.keys * value["key_messages"] + rooms * value["room_messages"]
    heard = messages * max(0.0, copies - 1) + (world.activities + instances / 2) * instances
    postgres = world.keys * key_postgres_us + rooms * value["room_postgres_us"]
    return Demand(
        instances=instances,
        cores=cores,
        memory_bytes=people * value["connection_bytes"] + rooms * value["room_bytes"] + instances * value["base_bytes"],
        postgres_cores=_MICRO * (postgres + openings * value["open_postgres_us"]),
        wal_bytes=world.keys * value["key_wal_bytes"],
        commits=instances * min(_TURNS_PER_S, world.keys * copies / instances),
        messages=messages,
        redis_cores=_MICRO * value["message_us"] * (messages + heard),
        rooms=round(rooms),
        heads=rooms / _LOOK_EVERY_S,
    )


def _frames(world: World, sizes: Sequence[int]) -> float:
    """Frames a second to people beyond the four others of a document that the cost of a key has in it."""
    keys_each = world.typing_share * world.keys_per_s
    return sum(min(size * keys_each, _TURNS_PER_S) * (size - 5) for size in sizes if size > 5)


@dataclass(frozen=True)
class Hot:
    """A document with so many readers on event streams: instances for them, and what those do."""

    readers: int
    events_per_s: float
    cores: float
    instances: int
    gib: float


def hot(world: World, figures: Mapping[str, Figure], readers: int, keys_per_s: float) -> Hot:
    """What carries the readers of one document in which so many keys a second are typed."""
    events = readers * min(keys_per_s, _TURNS_PER_S)
    cores = events / figures["stream_events_per_s"].value
    instances = math.ceil(max(cores / world.core_share, readers / FEED_READERS))
    return Hot(readers, events, cores, instances, readers * figures["stream_bytes"].value / 2**30)


@dataclass(frozen=True)
class Limit:
    """Something that has an end: how much of it is wanted, how much is there, and what is done when it is full."""

    what: str
    wanted: float
    there: float
    unit: str
    then: str

    @property
    def share(self) -> float:
        """How full it is; above one it was full before."""
        return self.wanted / self.there


def limits(world: World, needed: Demand, sizes: Sequence[int]) -> list[Limit]:
    """Everything that has an end, what is full first in front."""
    share = world.core_share
    proxies = math.ceil(world.connections / world.proxy_connections)
    ports = world.connections / (proxies * needed.instances)
    found = [
        Limit("The one lock of the list of activities, busy", world.activities * world.commit_s, share, "",
              "Let each document's row order its own activities, and each server read those of its people."),
        Limit("PostgreSQL primary, cores", needed.postgres_cores, world.postgres_cores * share, "",
              "Share documents out to several primaries by the hash of the id (Citus, or one database a group of "
              "instances)."),
        Limit("PostgreSQL primary, write-ahead log", needed.wal_bytes / 1e6, world.wal_bytes_per_s / 1e6, "MB/s",
              "The same sharing; each append touches rows of one document."),
        Limit("PostgreSQL primary, commits a second", needed.commits, world.postgres_commits, "",
              "The same sharing, or a longer beat of the recorders."),
        Limit("PostgreSQL connections", needed.instances * POSTGRES_POOL, world.postgres_connections, "",
              "PgBouncer 1.21 or newer, which keeps prepared statements, in transaction mode."),
        Limit("Redis, the one thread that hands messages on", needed.redis_cores, share, "",
              "Sharded pub/sub of a Redis cluster by topic, which is a document; our bus has to say `SPUBLISH` then."),
        Limit("Connections of an instance", world.connections / needed.instances, world.connections_each, "",
              "More instances; `COSCRIBE_MAX_CONNECTIONS` and `LimitNOFILE` where memory allows it."),
        Limit("Ports from one proxy to one instance", ports, _EPHEMERAL_PORTS, "",
              "Another address for the proxy or the instance."),
        Limit("Sockets of the most popular document, at its instance", max(sizes), SESSIONS_PER_DOCUMENT, "",
              "Send those who only read to event streams at any instance."),
    ]  # fmt: skip
    return sorted(found, key=lambda one: -one.share)
