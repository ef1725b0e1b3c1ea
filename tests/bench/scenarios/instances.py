"""One, two and three servers of one PostgreSQL and one Redis: what they carry, and what an instance costs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from tests.bench.instances import Counted, Instances
from tests.bench.scenarios.capacity import Search, capacity, is_good
from tests.bench.scenarios.holding import SETTLE_S
from tests.bench.scenarios.steady import KEYS_PER_S
from tests.bench.stage import Figures, Stage, Typing

# Servers, and whether the people of a document are spread over all of them.
ARRANGEMENTS = ((1, False), (2, False), (2, True), (3, False), (3, True))
# A hundred documents of five people, all of whom type.
_SHAPE = "b"
# One look between a number of people that went well and one half as large again leaves 22 %, and minutes to spare.
_BISECTIONS = 1
# 250 keys a second of all together, which every arrangement bears, and 1,000, which keep an instance half busy.
_STEADY_KEYS_PER_S, _BUSY_KEYS_PER_S, _STEADY_S = 0.5, 2.0, 10
_ROOMS, _IDLE_S = 1000, 30


def play(stage: Stage, settings: Mapping[str, object]) -> Iterator[Figures]:
    """Every arrangement under the same loads; of a single server also what its rooms and connections cost."""
    try:
        for count, is_spread in ARRANGEMENTS:
            with Instances(count, settings, is_spread=is_spread) as fleet:
                there = replace(stage, server=fleet)
                named = {"instances": count, "is_spread": is_spread}
                for figures in _played(there, fleet, has_costs=count == 1):
                    yield {**named, **figures}
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        raise RuntimeError(str(missing)) from missing


def _played(stage: Stage, fleet: Instances, *, has_costs: bool) -> Iterator[Figures]:
    if has_costs:
        yield from _costs(stage, fleet)
        yield {"what": "busy", **_steady(stage, fleet, _BUSY_KEYS_PER_S)}
    yield {"what": "steady", **_steady(stage, fleet, _STEADY_KEYS_PER_S)}
    yield {"what": "people", **_people(stage, fleet)}
    yield {"what": "capacity", **_capacity(stage, fleet)}


def _steady(stage: Stage, fleet: Instances, rate: float) -> Figures:
    """So many keys of everybody, far from full: what a key costs of each process, and how long it takes."""
    stage.crowd(stage.shape(_SHAPE))
    stage.typing(rate, 2)
    step, counted = _watched(stage, fleet, rate, stage.options.size(_STEADY_S, 2))
    keys_per_s = step.answer["typed"] / step.answer["seconds"]
    stage.generator.ask("leave")
    return {**step.figures(), **counted, "keys_per_s": keys_per_s, "across": step.answer["across"]}


def _watched(stage: Stage, fleet: Instances, rate: float, seconds: float) -> tuple[Typing, Figures]:
    before = fleet.counted(stage.generator.pid)
    step = stage.typing(rate, seconds)
    return step, fleet.counted(stage.generator.pid).since(before)


def _people(stage: Stage, fleet: Instances) -> Figures:
    """How many people may type five keys a second each, by the documents that they are in."""
    shape, seconds = stage.shape(_SHAPE), stage.options.size(3, 1)
    search, best = Search(float(shape.documents), most_bisections=_BISECTIONS), dict[str, object]()
    while (documents := search.next()) is not None:
        stage.crowd(replace(shape, documents=int(documents)))
        stage.typing(KEYS_PER_S, 1)
        step, counted = _watched(stage, fleet, KEYS_PER_S, seconds)
        if not is_good(step) and step.is_whole:  # the machine may have been the reason
            step, counted = _watched(stage, fleet, KEYS_PER_S, seconds)
        search.note(documents, is_good=is_good(step))
        if is_good(step):
            best = {**step.figures(), **counted, "people": int(documents) * shape.people}
        stage.generator.ask("leave")
        if not step.is_whole:
            stage.restart()
        if stage.options.is_small:
            break
    return best or {"people": 0}


def _capacity(stage: Stage, fleet: Instances) -> Figures:
    """The most deliveries a second of the same people, and which process had no time left for more."""
    found = capacity(stage, stage.shape(_SHAPE))
    if found.best is None:
        return {"per_s": 0}
    _, counted = _watched(stage, fleet, found.best.rate, stage.options.size(3, 1))
    return {**found.best.figures(), **counted, "is_text_whole": found.is_text_whole}


def _costs(stage: Stage, fleet: Instances) -> Iterator[Figures]:
    """What rooms cost while nobody types, when a server opens them from the database, and when people come to them."""
    rooms = stage.options.size(_ROOMS, 20)
    memory = stage.memory_bytes()
    documents = stage.gather(rooms, 1, isSilent=True)
    time.sleep(SETTLE_S)
    each = (stage.memory_bytes() - memory) / rooms
    before = fleet.counted(stage.generator.pid)
    time.sleep(stage.options.size(_IDLE_S, 1))
    idle = fleet.counted(stage.generator.pid).since(before)
    yield {"what": "idle", "rooms": rooms, "base_bytes": memory, "bytes_each": each, **idle}
    stage.generator.ask("leave")
    stage.restart()
    yield {"what": "opening", "rooms": rooms, **_stormed(stage, fleet, documents, 1)}
    yield {"what": "coming", "rooms": rooms, **_stormed(stage, fleet, documents, 2)}


def _stormed(stage: Stage, fleet: Instances, documents: list[str], people: int) -> Figures:
    """Let people come to all documents at once; what each of them cost, in µs of a core."""
    before = fleet.counted(stage.generator.pid)
    came = stage.generator.ask("storm", **stage.address, documents=documents, people=people)
    after = fleet.counted(stage.generator.pid)
    return {
        **came,
        "server_us_each": _us_each(before, after, "server 1", came["people"]),
        "postgres_us_each": _us_each(before, after, "postgres", came["people"]),
    }


def _us_each(before: Counted, after: Counted, name: str, people: int) -> float:
    return after.taken[name].since(before.taken[name]).cpu_s / people * 1e6
