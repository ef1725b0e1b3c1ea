"""Who is where: documents by popularity, the people in them, and the instances that the proxy sends them to."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.scaling.placement import least_of_two


@dataclass(frozen=True)
class World:
    """What is assumed, since nobody can measure it here. Shares are of the people who are connected.

    `exponent` is that of Zipf's law, by which documents are popular. `typing_share` type at a moment, `keys_per_s`
    each, and `writing_share` have typed within the last ten minutes. Somebody stays for `stay_s`.
    """

    documents: int = 10_000_000
    connections: int = 1_000_000
    exponent: float = 0.7
    typing_share: float = 0.05
    keys_per_s: float = 3.0
    writing_share: float = 0.3
    stay_s: float = 1800.0
    # Of a core of an instance, of PostgreSQL and of Redis no more than this is planned for.
    core_share: float = 0.6
    connections_each: int = 10_000
    postgres_cores: int = 32
    postgres_connections: int = 500
    postgres_commits: float = 20_000
    wal_bytes_per_s: float = 250e6
    # How long a commit holds what only one may hold: an fsync of a replicated disk.
    commit_s: float = 0.002
    proxy_connections: int = 50_000
    usd_per_core: float = 15.0
    usd_per_gib: float = 3.0

    @property
    def keys(self) -> float:
        """Keys a second of all people."""
        return self.connections * self.typing_share * self.keys_per_s

    @property
    def activities(self) -> float:
        """Lines of the list of activities a second: one for each who writes, in ten minutes."""
        return self.connections * self.writing_share / 600


def crowds(world: World, chance: random.Random) -> list[int]:
    """How many people are in each open document; they add up to all connections."""
    power = 1 - world.exponent
    span = (world.documents + 1) ** power - 1
    draw = chance.random
    found = Counter(int((1 + draw() * span) ** (1 / power)) for _ in range(world.connections))
    return list(found.values())


@dataclass(frozen=True)
class Placed:
    """What came of a placement: people by instance, and by document how many instances have some of it."""

    people: Sequence[int]
    homes: Sequence[int]

    @property
    def spread(self) -> float:
        """The fullest instance over the mean."""
        return max(self.people) * len(self.people) / sum(self.people)

    @property
    def shared(self) -> float:
        """The share of documents that are at two instances or more."""
        return sum(1 for homes in self.homes if homes > 1) / len(self.homes)

    @property
    def copies(self) -> int:
        """Rooms of all instances."""
        return sum(self.homes)


def hashed(sizes: Sequence[int], instances: int, chance: random.Random) -> Placed:
    """Each document at one instance, by an even hash: `owner` is one, as its test shows, and would take minutes."""
    people = [0] * instances
    for size in sizes:
        people[chance.randrange(instances)] += size
    return Placed(people, [1] * len(sizes))


def scattered(sizes: Sequence[int], instances: int, chance: random.Random) -> Placed:
    """Each connection at an instance that has few, whatever its document."""
    people, alive = [0] * instances, range(instances)
    order = [document for document, size in enumerate(sizes) for _ in range(size)]
    chance.shuffle(order)
    homes: list[set[int]] = [set() for _ in sizes]
    for document in order:
        at = least_of_two(people, alive, chance)
        people[at] += 1
        homes[document].add(at)
    return Placed(people, [len(one) for one in homes])
