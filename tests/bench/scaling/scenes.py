"""What is played: days, placements, storms and restarts of one world."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.bench.scaling.demand import Demand, Hot, Limit, demand, hot, limits
from tests.bench.scaling.figures import Figure
from tests.bench.scaling.restarts import Rolled, Tier, roll
from tests.bench.scaling.storm import Came, Pause, Storm, as_the_client, come_back, with_full_jitter, without_jitter
from tests.bench.scaling.world import Placed, World, crowds, hashed, scattered

SEED = 20261129
PAUSES: Mapping[str, Pause] = {
    "no chance in them": without_jitter,
    "as the page has them": as_the_client,
    "0 to 5 s, then longer": with_full_jitter,
}
# At night so many of those at the peak are there; on Monday all of them come within so long.
_NIGHT_SHARE, _MONDAY_S = 0.15, 600.0
FAILOVER_S, _UNSAVED_BYTES_A_KEY = 30.0, 900
# Five who type as fast as they can, one of whom pauses now and then.
_HOT_KEYS_PER_S = 25.0
_ROLLED = World(documents=200_000, connections=20_000)
_ROLLED_INSTANCES, MINUTES_EACH = 20, 0.5


@dataclass(frozen=True)
class Played:
    """All that came of it."""

    world: World
    days: Mapping[str, Demand]
    placed: Mapping[str, Placed]
    limits: Sequence[Limit]
    hot: Sequence[Hot]
    storms: Mapping[str, Mapping[str, Came]]
    rolled: Rolled
    unsaved_each_bytes: float
    drained_s: float
    largest: int


def play(world: World, figures: Mapping[str, Figure]) -> Played:
    """Play everything; the same seed gives the same."""
    chance = random.Random(SEED)
    sizes = crowds(world, chance)
    peak = demand(world, figures, sizes)
    apart = scattered(sizes, peak.instances, chance)
    night = replace(world, connections=round(world.connections * _NIGHT_SHARE))
    rolled = _rolled(world, chance)
    spare = world.postgres_cores - peak.postgres_cores
    backlog_s = world.keys * FAILOVER_S * figures["key_postgres_us"].value / 1e6
    return Played(
        world,
        {
            "everyday peak": peak,
            "Monday at nine": demand(replace(world, stay_s=_MONDAY_S), figures, sizes),
            "night": demand(night, figures, crowds(night, chance)),
            "peak, by least connections": demand(world, figures, sizes, apart.copies / len(sizes)),
        },
        {"by the document's id": hashed(sizes, peak.instances, chance), "by least connections": apart},
        limits(world, peak, sizes),
        [hot(world, figures, readers, _HOT_KEYS_PER_S) for readers in (10_000, 100_000)],
        {name: {told: come_back(storm, pause, SEED) for told, pause in PAUSES.items()}
         for name, storm in _storms(world, figures, peak)},
        rolled,
        world.keys / peak.instances * FAILOVER_S * _UNSAVED_BYTES_A_KEY,
        backlog_s / spare if spare > 0 else math.inf,
        max(sizes),
    )  # fmt: skip


def _rolled(world: World, chance: random.Random) -> Rolled:
    """A smaller tier with as popular documents, restarted one instance after the other."""
    people = [chance_id for size in crowds(_ROLLED, chance) for chance_id in [chance.getrandbits(64)] * size]
    return roll(Tier(_ROLLED_INSTANCES, people), MINUTES_EACH, world.stay_s, chance)


def _storms(world: World, figures: Mapping[str, Figure], peak: Demand) -> Iterator[tuple[str, Storm]]:
    """What meets one instance: its part of those who were cut off, with what it has left of its core."""
    people, rooms, left = world.connections / peak.instances, peak.rooms / peak.instances, 1 - peak.core_share
    come_s, open_s = figures["come_us"].value / 1e6, figures["open_us"].value / 1e6
    # Its part of what PostgreSQL can open, where all instances ask at once.
    database_s = figures["open_postgres_us"].value / 1e6 * peak.instances / world.postgres_cores
    for name, lost in (("one instance dies", 1), ("a third of the instances dies", peak.instances // 3)):
        part = lost / (peak.instances - lost)
        yield name, _storm(people * part, rooms * part, come_s / left, open_s / left)
    yield "the proxies restart, rooms stay open", _storm(people, rooms, come_s, 0)
    yield "all instances start anew", _storm(people, rooms, come_s, max(open_s, database_s))


def _storm(people: float, rooms: float, come_s: float, open_s: float) -> Storm:
    return Storm(math.ceil(people), math.ceil(rooms), come_s, open_s)
