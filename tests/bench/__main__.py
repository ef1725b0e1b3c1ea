"""Measures our server, alone or beside others: `make bench`, `make bench-peers`, or one thing at a time:

    .venv/bin/python -m tests.bench capacity-a --servers ours,hocus --rounds 1

Prints each result and keeps it in test-results/bench.jsonl, from which tests.bench.report writes docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.contenders import KINDS, Kind
from tests.bench.generator import Generator
from tests.bench.metrics import METRICS, spread
from tests.bench.packages import TOP
from tests.bench.plan import ONCE, SCENARIOS
from tests.bench.results import Results, Row
from tests.bench.stage import Options, Stage

from coscribe.bench import machine

_FILE = TOP / "test-results" / "bench.jsonl"


@dataclass(frozen=True)
class Turn:
    """One scenario on one server in one round."""

    scenario: str
    kind: Kind
    round: int


def turns(scenarios: list[str], kinds: list[Kind], rounds: int) -> Iterator[Turn]:
    """All turns: servers back to back, so that what the machine does meanwhile meets all of them alike."""
    for number in range(1, rounds + 1):
        for name in scenarios:
            if number > 1 and name in ONCE:
                continue
            for kind in kinds:
                if SCENARIOS[name].suits(kind):
                    yield Turn(name, kind, number)


def play(turn: Turn, options: Options, results: Results, changed: dict[str, int]) -> None:
    """Measure, keep and print; what goes wrong is a result too."""
    told = partial(Row, turn.scenario, turn.kind.name, turn.round)
    scenario = SCENARIOS[turn.scenario]
    if (reason := turn.kind.why_missing) is not None:
        _tell(told({}, reason), results)
        return
    try:
        server = turn.kind.fresh({**scenario.settings, **changed})
        with server, Generator() as generator:
            for figures in scenario.play(Stage(turn.kind, server, generator, options, results)):
                _tell(told(figures), results)
    except Exception as error:  # noqa: BLE001 - the other servers are measured all the same
        _tell(told({}, str(error)), results)


def _tell(row: Row, results: Results) -> None:
    results.add(row)
    shown = ", ".join(f"{name} {_shown(value)}" for name, value in row.figures.items() if value not in (None, []))
    print(f"{row.scenario} | {row.server} | {row.round} | {row.error or shown}", flush=True)


def _shown(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def about(arguments: list[str]) -> dict[str, Any]:
    """What the run says of itself."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    head = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=TOP, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine.description(),
        "software": f"Python {platform.python_version()}, Node {node.removeprefix('v')}, "
        f"SQLite {sqlite3.sqlite_version}, pycrdt {version('pycrdt')}, uvicorn {version('uvicorn')}",
        "commit": head,
        "command": shlex.join(["python", "-m", "tests.bench", *arguments]),
    }


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"some of {', '.join(SCENARIOS)}; else all")
    parser.add_argument("--servers", default="ours", help=f"some of {','.join(KINDS)}, or all")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10, help="how long the soak takes")
    parser.add_argument("--out", type=Path, default=_FILE, help="where results are kept, behind those that are there")
    parser.add_argument("--new", action="store_true", help="forget the results that are there")
    parser.add_argument("--small", action="store_true", help="small numbers, which only try the tooling")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a setting of ours")
    found = parser.parse_args(arguments)
    found.servers = list(KINDS) if found.servers == "all" else found.servers.split(",")
    if unknown := [name for name in found.scenarios if name not in SCENARIOS]:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    if unknown := [name for name in found.servers if name not in KINDS]:
        parser.error(f"no such server: {', '.join(unknown)}")
    return found


def main(arguments: list[str]) -> None:
    """Measure what the command line says."""
    wanted = _parsed(arguments)
    if wanted.new:
        wanted.out.unlink(missing_ok=True)
    results = Results(wanted.out)
    results.begin(about(arguments))
    changed = {name: json.loads(value) for name, _, value in (pair.partition("=") for pair in wanted.set)}
    options = Options(wanted.minutes, wanted.small)
    began = time.monotonic()
    for turn in turns(wanted.scenarios or list(SCENARIOS), [KINDS[name] for name in wanted.servers], wanted.rounds):
        play(turn, options, results, changed)
    for metric in METRICS:
        if values := metric.values(results.rows, "ours"):
            goal = f"; {metric.told_goal}" if metric.goal is not None else ""
            print(f"{metric.title}: {spread(values, metric.unit)}{goal}")
    print(f"{(time.monotonic() - began) / 60:.0f} minutes; results are in {wanted.out}")


if __name__ == "__main__":
    # Ten thousand documents are ten thousand sockets of the server and as many of the generator.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that server and generator end too
    main(sys.argv[1:])
