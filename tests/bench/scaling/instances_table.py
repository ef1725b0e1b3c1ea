"""The table of one, two and three instances, and its drawing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.bench.packages import TOP
from tests.bench.results import Results
from tests.bench.scaling.figures import Rows, rows_of
from tests.bench.scaling.page import rows

from coscribe.bench.drawing import lines, shown

_DRAWING = TOP / "docs" / "scaling" / "instances.svg"
_TITLE = "People who type five keys a second, for each core of the servers"
_FULL = 0.9
# What the scenario measures last of an arrangement.
_LAST = "capacity"


def table(results: Results) -> str:
    """The block of docs/scaling.md."""
    found = rows_of(results)
    about = results.abouts[-1]
    where = f"Measured on {about['date']}, on {about['machine']}. {about['software']}. Commit {about['commit']}:"
    others = max(row.get("others_share", 0) for row in found.values())
    disturbed = f"While it ran the machine spent up to {shown(max(0, others))} of a core on something else."
    return "\n".join(
        [f"{where} `{about['command']}`. {disturbed}", "", *_table(found), "", f"![{_TITLE}](scaling/{_DRAWING.name})"]
    )


def _arrangements(found: Rows) -> list[tuple[int, bool]]:
    """Those that were measured as a whole."""
    return sorted({(one, is_spread) for what, one, is_spread in found if what == _LAST})


def _name(instances: int, is_spread: bool) -> str:
    if instances == 1:
        return "1"
    return f"{instances}, every document at {'all' if is_spread else 'one'}"


def _table(found: Rows) -> Iterator[str]:
    heads = (
        "instances", "people who type 5 keys/s", "deliveries/s then", "p99", "of the servers' core",
        "people for each core of the servers", "most deliveries/s", "at 250 keys/s: a key, µs of the servers",
        "of PostgreSQL", "of Redis", "p50 / p99 to the same instance and others", "to other instances",
        "full was",
    )  # fmt: skip
    yield from rows(heads, (_cells(found, *one) for one in _arrangements(found)))


def _cells(found: Rows, instances: int, is_spread: bool) -> Sequence[str]:
    steady, people, capacity = (found[what, instances, is_spread] for what in ("steady", "people", "capacity"))
    held = [shown(people["people"]), "–", "–", "–", "–"]
    if people["people"]:
        held = [
            shown(people["people"]), shown(people["per_s"]), f"{shown(people['p99'])} ms",
            shown(people["server_cores"]), shown(people["people"] / people["server_cores"]),
        ]  # fmt: skip
    across = steady["across"]
    return (
        _name(instances, is_spread), *held, shown(capacity["per_s"]),
        *(shown(_us_a_key(steady, process)) for process in ("server", "postgres", "redis")),
        f"{shown(steady['p50'])} / {shown(steady['p99'])} ms",
        f"{shown(across['p50'])} / {shown(across['p99'])} ms" if across["count"] else "",
        bottleneck(people),
    )  # fmt: skip


def _us_a_key(steady: Mapping[str, Any], process: str) -> float:
    cores = sum(core for name, core in steady["cores"].items() if name.startswith(process))
    return float(cores / steady["keys_per_s"] * 1e6)


def bottleneck(row: Mapping[str, Any]) -> str:
    """Which process, or which core of several, had no time left; in words."""
    if not row.get("cores"):
        return "–"
    if row["busy"] > _FULL:
        return "the generator"
    cores = {name: core for name, core in row["cores"].items() if name != "generator"}
    if row["cores_there"] == 1:
        told = ", ".join(f"{name} {core:.2f}" for name, core in cores.items())
        is_full = sum(cores.values()) > _FULL
        return f"{'the one core of all of them' if is_full else 'none of them'} ({told})"
    name, most = max(cores.items(), key=lambda one: one[1])
    return f"{name} ({most:.2f})" if most > _FULL else f"none: most had {name} ({most:.2f})"


def draw(results: Results) -> None:
    """Write the drawing beside the page."""
    found = rows_of(results)
    series = {
        title: [
            (float(instances), row["people"] / row["server_cores"])
            for (what, instances, spread), row in sorted(found.items())
            if what == "people" and row["people"] and (instances == 1 or spread == is_spread)
        ]
        for title, is_spread in (("every document at one", False), ("every document at all", True))
    }
    _DRAWING.parent.mkdir(exist_ok=True)
    _DRAWING.write_text(lines(_TITLE, "instances", series, is_log=False), "utf-8")
