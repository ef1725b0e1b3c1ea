"""What of the results is a line of docs/performance.md, with the goal that it is held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.results import Row

from coscribe.bench.drawing import shown

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Metric:
    """A figure of a scenario. `goal` is the least where more is better, else the most; only ours is held against it."""

    title: str
    scenario: str
    value: Callable[[Figures], float | None]
    unit: str
    goal: float | None = None
    is_more_better: bool = False
    where: Figures = field(default_factory=dict)

    def values(self, rows: Sequence[Row], server: str) -> list[float]:
        """All that was measured of it on a server."""
        found = [
            self.value(row.figures)
            for row in rows
            if (row.scenario, row.server) == (self.scenario, server) and row.error is None
            if self.where.items() <= row.figures.items()
        ]
        return [value for value in found if value is not None]

    @property
    def told_goal(self) -> str:
        """The goal in words."""
        if self.goal is None:
            return ""
        return f"{'at least' if self.is_more_better else 'at most'} {shown(self.goal)}{self.unit}"

    def is_met(self, values: Sequence[float]) -> bool | None:
        """Whether the median reaches the goal; None without a goal or a value."""
        if self.goal is None or not values:
            return None
        middle = statistics.median(values)
        return middle >= self.goal if self.is_more_better else middle <= self.goal


def spread(values: Sequence[float], unit: str = "") -> str:
    """Median, least and most."""
    if not values:
        return "–"
    middle, low, high = statistics.median(values), min(values), max(values)
    told = f"{shown(middle)}{unit}"
    return told if low == high else f"{told} ({shown(low)}–{shown(high)})"


def _figure(name: str, factor: float = 1) -> Callable[[Figures], float | None]:
    def found(figures: Figures) -> float | None:
        value = figures.get(name)
        return None if value is None else value * factor

    return found


def _acked_lost(figures: Figures) -> float | None:
    return max(0, figures["acked"] - figures["kept"]) if figures["acked"] else None


def _seen_lost(figures: Figures) -> float | None:
    lost: float = max(0, figures["seen"] - figures["kept"])
    return lost


_KIB = 1 / 1024
_SHAPES = {
    "a": "one document, 50 people, all type",
    "b": "100 documents, 5 people each, all type",
    "c": "one document, 1,000 people, 5 type",
}
CAPACITIES = [
    Metric(f"Capacity {name}: {shape}", f"capacity-{name}", _figure("per_s"), "/s", goal, is_more_better=True)
    for (name, shape), goal in zip(_SHAPES.items(), (2_500_000, 200_000, 5_500_000), strict=True)
]
METRICS = [
    *CAPACITIES,
    Metric("Key to the others, 50 people at 5 keys/s, median", "latency", _figure("p50"), " ms", 1.1),
    Metric("Key to the others, 99th percentile", "latency", _figure("p99"), " ms", 2.5),
    Metric("The server's core for it", "latency", _figure("cpu_share", 100), " %", 20),
    Metric("Key to its ack at half of capacity a, median", "ack", _figure("ack_p50"), " ms", 15),
    Metric("Key to its ack, 99th percentile", "ack", _figure("ack_p99"), " ms", 50),
    Metric("Opening a paper of 259,778 edits, room open", "coldload", _figure("ms"), " ms", 4, where={"phase": "warm"}),
    Metric("The same after a restart of the server", "coldload", _figure("ms"), " ms", 60, where={"phase": "cold"}),
    Metric("2,000 people come to 100 documents at once, all in", "storm", _figure("max"), " ms", 500),
    Metric("Of them turned away", "storm", _figure("failed"), "", 0),
    Metric("Idle connection", "idle", _figure("bytes_each", _KIB), " KiB", 5, where={"what": "connection"}),
    Metric(
        "Open small document, one person", "idle", _figure("bytes_each", _KIB), " KiB", 20, where={"what": "document"}
    ),
    Metric("kill -9: acked keys lost", "durability", _acked_lost, "", 0),
    Metric("kill -9: keys lost that another person had seen", "durability", _seen_lost, ""),
    Metric("Event stream, 5,000 viewers, 5 people type: events", "sse", _figure("events_per_s"), "/s"),
    Metric("Key to the viewers, median", "sse", _figure("p50"), " ms", 250),
    Metric("Key to the viewers, 99th percentile", "sse", _figure("p99"), " ms", 1_000),
    Metric("Characters that a viewer missed", "sse", _figure("missing"), "", 0),
    Metric("Open stream", "sse", _figure("bytes_each", _KIB), " KiB", 12),
    Metric("REST append beside 100 people, median", "rest", _figure("p50"), " ms", 10),
    Metric("REST append, 99th percentile", "rest", _figure("p99"), " ms", 30),
    Metric("Start of the process to its first answer", "start", _figure("ms"), " ms", 1_500),
    *(
        Metric(
            f"Page to caret, {what}, {place}",
            "page",
            _figure("ms"),
            " ms",
            goal,
            where={"where": where, "visit": visit},
        )
        for where, place, goal in (
            ("desktop", "desktop", 500),
            ("slow phone", "1.6 Mbit/s and a quarter of the core", 1_500),
        )
        for visit, what in (("new", "new document"), ("first", "first visit"), ("again", "known document"))
    ),
    Metric("Key to paint, 1 MB of text, 10 moving carets, median", "keys", _figure("p50"), " ms", 16),
    Metric("Key to paint, 99th percentile", "keys", _figure("p99"), " ms"),
    Metric("Soak at 80 % of capacity c, 99th percentile", "soak", _figure("p99"), " ms", 100),
    Metric("Soak: characters lost", "soak", _figure("lost"), "", 0),
    Metric(
        "CPU of 10,000 idle documents", "growth-documents", _figure("idle_share", 100), " %", 5, where={"x": 10_000}
    ),
]
