"""What the simulation of docs/scaling.md must hold, whatever its figures, and what its page says."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.bench.scaling import demand, figures, page
from tests.bench.scaling.instances_table import bottleneck
from tests.bench.scaling.placement import hash_of, owner, salts
from tests.bench.scaling.restarts import Tier, roll
from tests.bench.scaling.scenes import play
from tests.bench.scaling.storm import Storm, as_the_client, come_back, with_full_jitter, without_jitter
from tests.bench.scaling.world import World, crowds, hashed, scattered

_SMALL = World(documents=50_000, connections=20_000)
_CONNECTION = Path(__file__).parents[2] / "web" / "src" / "sync" / "connection.ts"


def test_the_same_seed_gives_the_same() -> None:
    known = figures.load()
    assert page.simulated(play(_SMALL, known), known) == page.simulated(play(_SMALL, known), known)


def test_nobody_is_lost_and_nobody_is_counted_twice() -> None:
    chance = random.Random(1)
    sizes = crowds(_SMALL, chance)
    assert sum(sizes) == _SMALL.connections
    for placed in (hashed(sizes, 7, chance), scattered(sizes, 7, chance)):
        assert sum(placed.people) == _SMALL.connections
        assert len(placed.homes) == len(sizes)
    tier = Tier(5, [hash_of(f"{number % 300}") for number in range(1000)])
    rolled = roll(tier, 0.5, _SMALL.stay_s, chance)
    assert sum(rolled.after.people) == sum(rolled.later.people) == 1000
    assert len(come_back(Storm(500, 100, 0.01, 0.1), as_the_client, 1).back) == 500


def test_an_instance_that_leaves_moves_its_own_documents_only() -> None:
    salted, documents = salts(10), [hash_of(f"document {number}") for number in range(5000)]
    before = {document: owner(document, range(10), salted) for document in documents}
    left = [number for number in range(10) if number != 3]
    moved = {document for document in documents if owner(document, left, salted) != before[document]}
    assert moved == {document for document, at in before.items() if at == 3}
    assert len(moved) == pytest.approx(500, rel=0.15)
    heirs = Counter(owner(document, left, salted) for document in moved)
    assert len(heirs) == 9  # nobody inherits all of them
    assert max(Counter(before.values()).values()) < 1.15 * 500


def test_an_instance_that_comes_takes_its_part_and_moves_nothing_else() -> None:
    salted, documents = salts(10), [hash_of(f"document {number}") for number in range(5000)]
    moved = [owner(document, range(10), salted) for document in documents
             if owner(document, range(9), salted) != owner(document, range(10), salted)]  # fmt: skip
    assert set(moved) == {9}
    assert len(moved) == pytest.approx(500, rel=0.15)


def test_hashing_keeps_a_document_at_one_instance_and_least_connections_does_not() -> None:
    chance = random.Random(1)
    sizes = crowds(_SMALL, chance)
    by_id, by_load = hashed(sizes, 10, chance), scattered(sizes, 10, chance)
    assert by_id.shared == 0 < by_load.shared
    assert by_load.spread < by_id.spread
    assert by_load.copies > by_id.copies == len(sizes)


def test_a_storm_with_jitter_is_flatter() -> None:
    storm = Storm(2000, 500, 0.0005, 0.001)
    jittered, plain = (come_back(storm, pause, 1) for pause in (with_full_jitter, without_jitter))
    assert jittered.busiest < plain.busiest / 3
    assert plain.busiest == 2000


def test_a_queue_longer_than_patience_is_given_up_and_comes_again() -> None:
    came = come_back(Storm(2000, 2000, 0.001, 0.02), as_the_client, 1)
    assert came.given_up > 0
    assert len(came.back) == 2000
    assert came.back[-1] > 40  # 2,000 openings of 20 ms


def test_pauses_are_those_of_the_page() -> None:
    source = _CONNECTION.read_text("utf-8")
    first, longest = (
        int(found.replace("_", "")) / 1000
        for found in re.findall(r"^const (?:FIRST|LONGEST)_DELAY_MS = ([\d_]+)$", source, re.MULTILINE)
    )
    assert "return Math.round(longest * (1 - random / 2))" in source
    chance = random.Random(1)
    for attempt in range(8):
        pauses = [as_the_client(attempt, chance) for _ in range(200)]
        whole = min(longest, first * 2**attempt)
        assert whole / 2 <= min(pauses) <= max(pauses) <= whole


def test_twice_the_people_take_twice_as_much() -> None:
    known, chance = figures.load(), random.Random(1)
    twice = replace(_SMALL, documents=2 * _SMALL.documents, connections=2 * _SMALL.connections)
    one, two = (demand.demand(world, known, crowds(world, chance)) for world in (_SMALL, twice))
    for name in ("cores", "postgres_cores", "wal_bytes", "messages"):
        assert getattr(two, name) == pytest.approx(2 * getattr(one, name), rel=0.1)
    spread = demand.demand(_SMALL, known, crowds(_SMALL, chance), copies=2.0)
    assert spread.cores > one.cores
    assert spread.redis_cores > one.redis_cores


def test_what_is_full_first_stands_first() -> None:
    known, sizes = figures.load(), crowds(_SMALL, random.Random(1))
    needed = demand.demand(_SMALL, known, sizes)
    shares = [one.share for one in demand.limits(_SMALL, needed, sizes)]
    assert shares == sorted(shares, reverse=True)
    short = demand.limits(replace(_SMALL, wal_bytes_per_s=1.0), needed, sizes)
    assert short[0].what.endswith("write-ahead log")


def test_figures_are_taken_from_a_run() -> None:
    busy = {"keys_per_s": 1000.0, "publishes_per_s": 2000.0, "wal_bytes_per_s": 5e5}
    cores = {"server 1": 0.3, "server 2": 0.2, "postgres": 0.05, "redis": 0.01, "generator": 1.0}
    idle = {"rooms": 1000, "base_bytes": 1e8, "bytes_each": 4e4, "publishes_per_s": 70.0, "cores": cores}
    opened = {"server_us_each": 4000.0, "postgres_us_each": 700.0}
    rows = {
        ("idle", 1, False): idle, ("busy", 1, False): {**busy, "cores": cores},
        ("steady", 1, False): {"keys_per_s": 250.0, "cores": cores},
        ("steady", 3, True): {"keys_per_s": 125.0, "cores": cores},
        ("opening", 1, False): opened, ("coming", 1, False): {"server_us_each": 400.0},
    }  # fmt: skip
    found = {name: one.value for name, one in figures.measured(rows).items()}
    assert found["key_us"] == pytest.approx(500)
    assert found["key_postgres_us"] == pytest.approx(50)
    assert found["key_spread"] == found["key_postgres_spread"] == pytest.approx(2)
    assert found["message_us"] == pytest.approx(5)
    assert found["room_us"] == pytest.approx(500)
    assert found.keys() == {name for name, one in figures.load().items() if one.source == figures.RUN}


def test_a_bottleneck_is_named() -> None:
    cores = {"server 1": 0.7, "postgres": 0.25, "redis": 0.01, "generator": 1.0}
    row = {"cores": cores, "busy": 0.3, "cores_there": 1}
    assert bottleneck(row).startswith("the one core of all of them (server 1 0.70")
    assert bottleneck({**row, "busy": 0.95}) == "the generator"
    assert bottleneck({**row, "cores_there": 3}) == "none: most had server 1 (0.70)"


def test_the_page_has_the_figures_that_are_kept() -> None:
    known, paper = figures.load(), page.PAPER.read_text("utf-8")
    told = page.simulated(play(_SMALL, known), known)
    assert page.fill(paper, {"figures": told["figures"]}) == paper
    assert page.fill(paper, told) != paper
    with pytest.raises(ValueError, match="0 blocks nonsense"):
        page.fill(paper, {"nonsense": ""})
