"""The page in Debian's Chromium: how long it takes to its caret, and a key to the screen."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import keystrokes
from tests.bench import page as pages
from tests.bench.stage import Figures, Stage
from tests.support.server import CoscribeServer

_KILOBYTES = 5
_PEOPLE, _MOVES_PER_S = 10, 5.0


def page(stage: Stage) -> Iterator[Figures]:
    """Strangers make a document, open one that exists, and open it again; at a desk and on a slow phone."""
    rounds = stage.options.size(7, 1)
    with tempfile.TemporaryDirectory() as folder, CoscribeServer(Path(folder)) as server:
        for where in pages.GOAL_MS:
            times = asyncio.run(pages.measure(server, rounds, _KILOBYTES, slow=where != "desktop"))
            for visit, found in (("new", times.new), ("first", times.first), ("again", times.again)):
                yield {"where": where, "visit": visit, "ms": statistics.median(found), "worst": max(found)}


def keys(stage: Stage) -> Iterator[Figures]:
    """Somebody types in the middle of 1 MB among ten people whose carets move in what is seen."""
    settings = keystrokes.Settings(
        keys=stage.options.size(300, 20), people=_PEOPLE, moves=_MOVES_PER_S, typing=0,
        kilobytes=stage.options.size(1000, 20), split=False, profile=None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, CoscribeServer(Path(folder)) as server:
        times, _ = asyncio.run(keystrokes.measure(server, settings))
    painted = statistics.quantiles([key["painted"] for key in times], n=100)
    handled = statistics.quantiles([key["handled"] for key in times], n=100)
    yield {"p50": painted[49], "p99": painted[98], "handled_p50": handled[49], "handled_p99": handled[98]}
