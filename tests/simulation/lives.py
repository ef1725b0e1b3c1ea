"""Runs worlds, many of them, over all processors."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context

from tests.simulation.laws import check
from tests.simulation.world import World

# Worth a process of its own.
_CHUNK = 250


def lived(seed: int, servers: int = 1) -> World:
    """One world at its end."""
    world = World(seed, servers)
    asyncio.run(world.run())
    return world


def live(seeds: Sequence[int], servers: int = 1) -> tuple[dict[int, str], Counter[str]]:
    """Live through seeds; gives what broke which law, by seed, and what happened in all of them."""
    broken: dict[int, str] = {}
    happened: Counter[str] = Counter()
    for seed in seeds:
        try:
            world = lived(seed, servers)
            check(world)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is what this seed found
            broken[seed] = f"{type(error).__name__}: {error}"[:300]
            continue
        happened.update(world.lived)
        happened["typed"] += len(world.words.authors)
        happened["acked"] += len(world.words.acked)
        happened["events"] += sum(viewer.events for viewer in world.viewers)
        happened["digests"] += sum(client.digests for client in world.clients)
    return broken, happened


def live_all(count: int, servers: int = 1) -> tuple[dict[int, str], Counter[str]]:
    """Live through the first `count` seeds; a small number stays in this process."""
    chunks = [range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    broken: dict[int, str] = {}
    happened: Counter[str] = Counter()
    for part, counts in _outcomes(chunks, servers):
        broken |= part
        happened.update(counts)
    return broken, happened


def _outcomes(chunks: list[range], servers: int) -> Iterator[tuple[dict[int, str], Counter[str]]]:
    if len(chunks) == 1:
        yield live(chunks[0], servers)
        return
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(live, chunks, repeat(servers))
