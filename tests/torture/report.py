"""Writes docs/reliability.md from what the proofs of a full run told: `python -m tests.torture.report PROOFS`."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.support.promises import TESTS, Promise, promises

PAPER = TESTS.parent / "docs" / "reliability.md"

_PAGE = """# What Coscribe promises, and how that was tried

Each line below is a test. Those with a result were run in full on {date}, on {machine};
all of them took {minutes} minutes.

Run it yourself: `make torture` installs what it needs, takes less than an hour on two cores and writes this page anew;
`make test` runs a short form of each. The tests are in `tests/torture` and `tests/simulation`; `F` numbers are faults.

Where people type under faults, an *edit ledger* is kept: a file outside the server with every word that was typed and
every word that was shown as saved, synced line by line. Afterwards no saved word may be missing, none may be there
twice, nothing may be there that nobody typed, and all copies (people's, readers', what REST gives) have one SHA-256.

| Promise | How it is tried | Faults | Rounds | Result |
| --- | --- | --- | --- | --- |
{lines}

## Can these proofs fail?

Each of these breaks the server on purpose, in one place, and asks whether the proof notices.

| What is shown | How | Faults | Rounds | Result |
| --- | --- | --- | --- | --- |
{mutations}

How the WebSocket carrier does in Autobahn's test suite is in [autobahn.md](autobahn.md).
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What one run of a proof told; `variant` is its parameter, if it has one."""

    test: str
    variant: str
    rounds: int
    figures: Mapping[str, Any]
    passed: bool


def read(lines: Iterable[str]) -> list[Told]:
    """The lines of a proofs file; of several by the same test the last one counts."""
    found: dict[str, Told] = {}
    for line in lines:
        told = json.loads(line)
        test, _, variant = told["test"].partition("[")
        found[told["test"]] = Told(test, variant.rstrip("]"), told["rounds"], told["figures"], told["passed"])
    return list(found.values())


def failures(expected: Sequence[Promise], told: Sequence[Told]) -> list[str]:
    """What is wrong with a run, a sentence each: proofs that failed, and proofs that told nothing."""
    missing = {promise.test for promise in expected} - {one.test for one in told}
    failed = [f"{one.test} {one.variant}".rstrip() for one in told if not one.passed]
    return [f"{test} told nothing" for test in sorted(missing)] + [f"{test} failed" for test in sorted(failed)]


def page(expected: Sequence[Promise], told: Sequence[Told], seconds: float) -> str:
    """docs/reliability.md."""
    rows = {is_mutation: "\n".join(_rows(expected, told, is_mutation)) for is_mutation in (False, True)}
    return _PAGE.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=_machine(),
        minutes=max(1, round(seconds / 60)),
        lines=rows[False],
        mutations=rows[True],
    )


def _rows(expected: Sequence[Promise], told: Sequence[Told], is_mutation: bool) -> Iterator[str]:
    for promise in expected:
        if promise.is_mutation != is_mutation:
            continue
        ran = [one for one in told if one.test == promise.test]
        for one in ran:
            what = promise.promise + (f" ({one.variant})" if one.variant else "")
            yield _row(what, promise, f"{one.rounds:,}", _result(one))
        if not ran:
            yield _row(promise.promise, promise, "0", "not run")


def _row(what: str, promise: Promise, rounds: str, result: str) -> str:
    cells = (what, promise.how, promise.faults, rounds, result)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _result(told: Told) -> str:
    figures = [f"{name.replace('_', ' ')} {_figure(value)}" for name, value in told.figures.items()]
    return ": ".join(["held" if told.passed else "**FAILED**", *filter(None, [", ".join(figures)])])


def _figure(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _machine() -> str:
    return (
        f"{len(os.sched_getaffinity(0))} cores with {platform.system()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, pycrdt {version('pycrdt')}, uvicorn {version('uvicorn')}"
    )


def main(path: str, seconds: str = "0") -> int:
    """Write the page, whatever came of it; 0, or 1 where something is wrong, which is told."""
    expected, told = promises(), read(Path(path).read_text("utf-8").splitlines())
    wrong = failures(expected, told)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    PAPER.write_text(page(expected, told, float(seconds)), "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
