"""The commands of `coscribe bench`."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from coscribe.bench import machine
from coscribe.bench.figures import TRANSPORTS, Held, Measured, Plan, as_row
from coscribe.bench.transports import Comparison
from coscribe.bench.transports_page import write
from coscribe.errors import CoscribeError


def transports(plan: Plan, docs: Path | None, results: Path | None, call: str) -> None:
    """Compare the transports, print each figure, and write them down where that is asked for; `call` is how."""
    for folder in filter(None, (docs, results.parent if results is not None else None)):
        _make(folder)  # before the minutes that would be lost
    comparison = Comparison(plan, lambda one: print(_sentence(one), flush=True))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(comparison.run())
    if results is not None:
        results.write_text("".join(json.dumps(as_row(one)) + "\n" for one in found), "utf-8")
    if docs is not None:
        about = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine.description(), "command": call}
        write(docs, found, comparison.captures, about)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CoscribeError(f"The folder {folder} cannot be made: {error.strerror}.") from error


def _sentence(found: Measured | Held) -> str:
    name = TRANSPORTS[found.transport][0]
    if isinstance(found, Held):
        return (
            f"{name}, {found.readers} hold it: {found.bytes_each / 1024:.1f} KiB each; back from a cut after "
            f"{found.recovery_p50_ms:.0f} ms, the last after {found.recovery_worst_ms:.0f} ms; {found.lost} lost"
        )
    people = f"{found.readers} read" if found.readers else f"{found.writers} write"
    return (
        f"{name}, {people}: {found.p50_ms:.1f} / {found.p95_ms:.1f} / {found.p99_ms:.1f} ms, "
        f"{found.bytes_per_character:.0f} bytes and {found.cpu_us_per_character:.0f} us of the core a delivery, "
        f"{found.requests_per_minute:.1f} requests a minute, first text after {found.first_text_ms:.1f} ms; "
        f"{found.lost} lost, {found.doubled} doubled"
    )
