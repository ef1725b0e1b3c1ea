"""Writes docs/performance.md and its drawings from what a run of tests.bench has kept.

.venv/bin/python -m tests.bench.report [test-results/bench.jsonl]
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from tests.bench.contenders import KINDS, Kind
from tests.bench.metrics import CAPACITIES, METRICS, Metric, spread
from tests.bench.packages import TOP
from tests.bench.plan import SCENARIOS
from tests.bench.results import Results, Row

from coscribe.bench.drawing import Points, bars, lines, shown

PAPER = TOP / "docs" / "performance.md"
DRAWINGS = TOP / "docs" / "performance"

_PAGE = """# How fast it is

{comparison}

Measured on {date}, on {machine}: the server has one core, the load generator the other. {software}.
{runs}. A cell has the median of {rounds}, and in brackets the least and the most; what misses
its goal is bold.
{servers}
Run it yourself: `make bench` measures our server alone; `make bench-peers` installs the others into `.bench`, measures
all of them back to back for a few hours and writes this page. One thing at a time:
`.venv/bin/python -m tests.bench capacity-a --servers ours,hocus`.

{table}

{missing}## What is measured

Every keystroke is a Yjs update with one character, byte for byte what yjs makes of it, followed by the awareness
message that moves the caret. It has a time at which it is due, and each receipt counts from then, also where the
generator was late. The generator reads the clocks of every update that comes back: servers may join updates as they
like, and a character that is lost or out of order is noticed at each receiver.

**Capacity** is the highest load at which nothing is lost and the 99th percentile stays below 100 ms, in characters
that reach somebody else each second. The rate is raised by half until it is too much; then the distance is halved three
times, which leaves 5 %. A step takes three seconds. Where it says *at least*, the generator had no time left.
Coscribe reads a socket no faster than 4,000 messages a second for long (`COSCRIBE_MAX_MESSAGES_PER_S`), keys and carets
together: {limit}.
Coscribe commits with an fsync before it says "Saved", here as everywhere; servers in memory store nothing. While these
loads ran the machine spent {others} of a core on something else, in the worst of them.

{capacities}

**Settings of ours** are the defaults, but for those that hold one socket, token or machine to what a person does:

{settings}

**Durability**: somebody types 200 keys a second, the server is killed and started again. Acked is what the
server has told the writer to be saved; y-websocket has no such message.

## How it grows

{growth}
"""
_AT_LIMIT = "its search ends there, also where the core could do more"
_OVER_LIMIT = "where each types more than 2,000 keys, a step lives on the burst that a socket has beside that"
_GROWTHS = {
    "growth-people": ("people in the document", "cpu_us_per_key", "Server's core for a key, µs"),
    "growth-documents": ("documents with one person each", "cpu_us_per_key", "Server's core for a key, µs"),
    "growth-text": ("characters of text", "cpu_us_per_key", "Server's core for a key, µs"),
    "growth-history": ("keystrokes in the log", "open_ms", "Opening after a restart, ms"),
}


def page(results: Results) -> str:
    """docs/performance.md."""
    kinds = _kinds(results.rows)
    rounds = max((row.round for row in results.rows), default=1)
    return _PAGE.format(
        **results.abouts[-1],
        limit=_AT_LIMIT if any(row.figures.get("is_at_limit") for row in results.rows) else _OVER_LIMIT,
        runs="; ".join(f"Commit {about['commit']}: `{about['command']}`" for about in results.abouts),
        comparison=_comparison(kinds),
        rounds="one round" if rounds == 1 else f"{rounds} rounds",
        servers="".join(_packages(kinds)),
        table="\n".join(_table(results.rows, kinds)),
        missing="".join(_missing(results.rows)),
        others=shown(max((row.figures.get("others_share", 0) for row in results.rows), default=0)),
        capacities="\n".join([*_capacities(results.rows, kinds), *_drawn(results.rows)]),
        settings="\n".join(_settings(results.rows)),
        growth="\n".join(_growth(results.rows)),
    )


def _kinds(rows: Sequence[Row]) -> list[Kind]:
    there = {row.server for row in rows}
    return [kind for name, kind in KINDS.items() if name in there]


def _comparison(kinds: Sequence[Kind]) -> str:
    others = [kind.title for kind in kinds if kind.package is not None]
    beside = f" beside {'; '.join(others)}, in one run" if others else " alone"
    return f"What one server process does on one core,{beside}."


def _packages(kinds: Sequence[Kind]) -> Iterator[str]:
    told = {kind.package.name: kind.package.versions for kind in kinds if kind.package is not None}
    if told:
        yield f"\nThe others: {'; '.join(told.values())}.\n"


def _table(rows: Sequence[Row], kinds: Sequence[Kind]) -> Iterator[str]:
    yield f"| | Goal | {' | '.join(kind.title for kind in kinds)} |"
    yield f"|{' --- |' * (len(kinds) + 2)}"
    for metric in METRICS:
        cells = [_cell(metric, rows, kind) for kind in kinds]
        if any(cells):
            yield f"| {metric.title} | {metric.told_goal} | {' | '.join(cells)} |"


def _cell(metric: Metric, rows: Sequence[Row], kind: Kind) -> str:
    """The figure; bold where it is ours and misses its goal."""
    mine = [row for row in rows if (row.scenario, row.server) == (metric.scenario, kind.name) and row.error is None]
    values = metric.values(mine, kind.name)
    if not values:
        is_gone = any(row.figures.get("phase") == "cold" for row in mine) and metric.where.get("phase") == "cold"
        return "gone" if is_gone else ""
    told = spread(values, metric.unit)
    if metric in CAPACITIES and any(_is_generators(row) for row in mine):
        told = f"at least {told}"
    return f"**{told}**" if kind.package is None and metric.is_met(values) is False else told


def _is_generators(row: Row) -> bool:
    """Whether it was the generator that could do no more: it had no time left, or pressed keys late."""
    busy: float = row.figures.get("next_busy", 0)
    late_ms: float = row.figures.get("next_late_p99", 0)
    return busy > 0.9 or late_ms > 50


def _missing(rows: Sequence[Row]) -> Iterator[str]:
    errors: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row.error is not None:
            errors[row.server, row.error.strip().splitlines()[0]].append(row.scenario)
    if errors:
        yield "Not measured:\n\n"
    for (server, error), scenarios in errors.items():
        yield f"- {KINDS[server].title}: {', '.join(sorted(set(scenarios)))}: {error}\n"
    if errors:
        yield "\n"


def _capacities(rows: Sequence[Row], kinds: Sequence[Kind]) -> Iterator[str]:
    """What a server did at its capacity, and what went wrong one step above it."""
    yield "| | | keys/s each | p50 | p99 | core | generator | one step more | text whole |"
    yield f"|{' --- |' * 9}"
    for metric in CAPACITIES:
        for kind in kinds:
            found = [row for row in rows if (row.scenario, row.server) == (metric.scenario, kind.name)]
            good = [row.figures for row in found if row.figures.get("rate")]
            if not good:
                continue
            p50, p99, core, busy, rate = (
                shown(median(one[name] for one in good)) for name in ("p50", "p99", "cpu_share", "busy", "rate")
            )
            whole = "yes" if all(one["is_text_whole"] for one in good) else "**no**"
            name = metric.scenario.rpartition("-")[2]
            cells = (name, kind.title, rate, f"{p50} ms", f"{p99} ms", core, busy, _next(good[-1]), whole)
            yield f"| {' | '.join(cells)} |"


def _next(figures: dict[str, float]) -> str:
    if figures.get("is_at_limit"):
        return "its own limit"
    if "next_rate" not in figures:
        return "none was too much"
    if figures["next_lost"]:
        return f"{shown(figures['next_lost'])} lost"
    return f"p99 {shown(figures['next_p99'])} ms"


def _settings(rows: Sequence[Row]) -> Iterator[str]:
    """Each set of settings with the scenarios that raise it."""
    there = {row.scenario for row in rows}
    raised: dict[str, list[str]] = defaultdict(list)
    for scenario, plan in SCENARIOS.items():
        if plan.settings and scenario in there:
            told = ", ".join(f"`{name.upper()}={value}`" for name, value in plan.settings.items())
            raised[told].append(scenario)
    for settings, scenarios in raised.items():
        yield f"- {', '.join(scenarios)}: {settings}"


def _drawn(rows: Sequence[Row]) -> Iterator[str]:
    """A drawing for each capacity."""
    for metric in CAPACITIES:
        values = {kind.title: metric.values(rows, name) for name, kind in KINDS.items()}
        if any(values.values()):
            yield _kept(metric.scenario, bars(f"{metric.title}, characters a second", values), metric.title)


def _growth(rows: Sequence[Row]) -> Iterator[str]:
    for scenario, (across, figure, title) in _GROWTHS.items():
        series = {kind.title: _points(rows, scenario, name, figure) for name, kind in KINDS.items()}
        if not any(series.values()):
            continue
        caption = f"{title}, by {across}"
        yield _kept(scenario, lines(caption, across, series), caption)
        steps = sorted({x for points in series.values() for x, _ in points})
        yield f"\n| {title} | {' | '.join(shown(x) for x in steps)} |\n|{' --- |' * (len(steps) + 1)}"
        for name, points in series.items():
            known = dict(points)
            if known:
                yield f"| {name} | {' | '.join(shown(known[x]) if x in known else '–' for x in steps)} |"
        yield ""
    yield from _soak(rows)


def _points(rows: Sequence[Row], scenario: str, server: str, figure: str) -> Points:
    """Medians; what is not above zero was too little to be measured and has no place on a logarithmic axis."""
    found: dict[float, list[float]] = defaultdict(list)
    for row in rows:
        if (row.scenario, row.server) == (scenario, server) and row.figures.get(figure):
            found[row.figures["x"]].append(row.figures[figure])
    return [(x, median(values)) for x, values in sorted(found.items())]


def _soak(rows: Sequence[Row]) -> Iterator[str]:
    soaks = [row.figures for row in rows if row.scenario == "soak" and row.error is None]
    if not soaks:
        return
    soak = soaks[-1]
    every = soak["minutes"] / max(1, len(soak["p99s"]))
    points = [((i + 1) * every, p99) for i, p99 in enumerate(soak["p99s"]) if p99]
    if points:
        title = f"99th percentile in {soak['minutes']:g} minutes at 80 % of capacity c, ms"
        yield _kept("soak", lines(title, "minutes", {"Coscribe": points}, is_log=False), title)


def _kept(name: str, drawing: str, title: str) -> str:
    DRAWINGS.mkdir(exist_ok=True)
    (DRAWINGS / f"{name}.svg").write_text(drawing, "utf-8")
    return f"\n![{title}](performance/{name}.svg)"


def main(file: str = str(TOP / "test-results" / "bench.jsonl")) -> None:
    """Write the page."""
    PAPER.write_text(page(Results(Path(file))), "utf-8")
    print(f"{PAPER} is written")


if __name__ == "__main__":
    main(*sys.argv[1:])
