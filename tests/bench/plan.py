"""What is measured, in which order, on which servers, and with which settings of ours raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from tests.bench.contenders import Kind
from tests.bench.scenarios import browser, capacity, growth, holding, instances, opening, outlets, steady
from tests.bench.stage import Figures, Stage

# One socket of the generator writes months of history in a minute.
FAST_SOCKETS = {
    "max_messages_per_s": 1_000_000, "max_messages_per_principal_per_s": 1_000_000, "max_bytes_per_s": 10**9,
}  # fmt: skip
# One token makes all documents, one machine opens all sockets.
MANY = {"max_writes_per_s": 1_000_000, "max_connections": 15_000}


@dataclass(frozen=True)
class Scenario:
    """Something to measure. `settings` are those of ours that are raised for it; `suits` says which servers have it."""

    play: Callable[[Stage], Iterator[Figures]]
    settings: Mapping[str, int] = field(default_factory=dict)
    suits: Callable[[Kind], bool] = lambda _kind: True


def _is_ours(kind: Kind) -> bool:
    return kind.package is None


def _keeps(kind: Kind) -> bool:
    return kind.keeps


SCENARIOS = {
    "start": Scenario(opening.start),
    "latency": Scenario(steady.latency),
    "capacity-a": Scenario(partial(capacity.play, name="a")),
    "capacity-b": Scenario(partial(capacity.play, name="b")),
    "capacity-c": Scenario(partial(capacity.play, name="c")),
    "ack": Scenario(steady.ack, {}, _is_ours),
    "coldload": Scenario(opening.coldload),
    "storm": Scenario(opening.storm),
    "idle": Scenario(holding.idle, MANY),
    "durability": Scenario(opening.durability, {}, _keeps),
    "sse": Scenario(outlets.sse, {}, _is_ours),
    "rest": Scenario(outlets.rest, {}, _is_ours),
    "page": Scenario(browser.page, {}, _is_ours),
    "keys": Scenario(browser.keys, {}, _is_ours),
    "growth-people": Scenario(growth.people),
    "growth-documents": Scenario(growth.documents, MANY | FAST_SOCKETS, _is_ours),
    "growth-text": Scenario(growth.text),
    "growth-history": Scenario(growth.history, FAST_SOCKETS, _keeps),
    "soak": Scenario(steady.soak, {}, _is_ours),
    "instances": Scenario(partial(instances.play, settings=MANY), MANY, _is_ours),
}
# A round has all but what takes longest and varies least: these are measured once.
ONCE = ("growth-people", "growth-documents", "growth-text", "growth-history", "soak", "instances")
