"""What was measured of one server, PostgreSQL and Redis: the only inputs of the simulation beside its assumptions.

figures.json has each with its unit and where it is from: a line of docs/performance.md, or a run of the scenario
`instances`, from whose results `measured` takes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.results import Results

FILE = Path(__file__).with_name("figures.json")
RUN = "`python -m tests.bench instances`"
_MICRO = 1e-6

Rows = Mapping[tuple[str, int, bool], Mapping[str, Any]]


@dataclass(frozen=True)
class Figure:
    """One figure."""

    value: float
    unit: str
    what: str
    source: str


def load() -> dict[str, Figure]:
    """What the simulation goes by."""
    return {name: Figure(**found) for name, found in json.loads(FILE.read_text("utf-8")).items()}


def save(figures: Mapping[str, Figure]) -> None:
    """Keep them for the next time."""
    FILE.write_text(json.dumps({name: vars(one) for name, one in figures.items()}, indent=2) + "\n", "utf-8")


def rows_of(results: Results) -> Rows:
    """The newest figures of each part of the scenario, by what it measures, the instances, and whether people are
    spread over them.
    """
    return {
        (row.figures["what"], row.figures["instances"], row.figures["is_spread"]): row.figures
        for row in results.rows
        if row.scenario == "instances" and row.error is None
    }


def measured(rows: Rows) -> dict[str, Figure]:
    """The figures that a run of the scenario gives."""
    idle, busy, opening, coming = (rows[what, 1, False] for what in ("idle", "busy", "opening", "coming"))
    alone, spread = rows["steady", 1, False], rows["steady", 3, True]
    rooms, keys = idle["rooms"], busy["keys_per_s"]
    return {
        name: Figure(value, unit, what, RUN)
        for name, value, unit, what in (
            ("key_us", _us(busy, "server", keys), "µs", "An instance's core for a key, at 1,000 a second"),
            ("key_spread", _times(alone, spread, "server"), "times", "The same where a document is at all of three"),
            ("key_postgres_us", _us(busy, "postgres", keys), "µs", "PostgreSQL's core for a key"),
            ("key_postgres_spread", _times(alone, spread, "postgres"), "times", "The same at all of three"),
            ("key_wal_bytes", busy["wal_bytes_per_s"] / keys, "bytes", "PostgreSQL's log for a key"),
            ("key_messages", busy["publishes_per_s"] / keys, "", "Redis messages for a key, its caret's among them"),
            ("message_us", _us(busy, "redis", busy["publishes_per_s"]), "µs", "Redis' core for a message"),
            ("room_us", _us(idle, "server", rooms), "µs/s", "An instance's core for an open room and its one person"),
            ("room_postgres_us", _us(idle, "postgres", rooms), "µs/s", "PostgreSQL's core for it: the lookout"),
            ("room_messages", idle["publishes_per_s"] / rooms, "/s", "Redis messages for it"),
            ("room_bytes", idle["bytes_each"], "bytes", "Memory of it"),
            ("open_us", opening["server_us_each"], "µs", "An instance's core for opening a room of one small document"),
            ("open_postgres_us", opening["postgres_us_each"], "µs", "PostgreSQL's core for that"),
            ("come_us", coming["server_us_each"], "µs", "An instance's core for a connection to an open room"),
            ("base_bytes", idle["base_bytes"], "bytes", "Memory of an instance where nobody is"),
        )
    }  # fmt: skip


def _us(row: Mapping[str, Any], process: str, per_s: float) -> float:
    """Microseconds of a core of one kind of process for each of so many a second."""
    cores = sum(core for name, core in row["cores"].items() if name.startswith(process))
    return float(cores / per_s / _MICRO)


def _times(alone: Mapping[str, Any], spread: Mapping[str, Any], process: str) -> float:
    """How many times as much a key takes of one kind of process under one load as under another."""
    return _us(spread, process, spread["keys_per_s"]) / _us(alone, process, alone["keys_per_s"])
