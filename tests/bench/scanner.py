"""What scanning an ordinary keystroke costs, and judging and checking it: `python tests/bench/scanner.py`.

The bound is 10 us for the scan of a keystroke; the figures are the best of several rounds, in microseconds.
"""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable

from tests.support.people import ANN, an_intake
from tests.support.wire_bytes import deletes, one, typed, update

from coscribe.core.intake import Accepted
from coscribe.core.update import scan

MOST_US = 10.0
_ROUNDS, _TIMES = 7, 20_000

KEYSTROKES = {
    "a letter at the end": one(3_000_000_000, 5, typed("a", after=(3_000_000_000, 4))),
    "a letter in the middle": one(3_000_000_000, 5, typed("é", after=(7, 4), before=(7, 5))),
    "an emoji": one(3_000_000_000, 5, typed("😀", after=(3_000_000_000, 4))),
    "a deletion": update(removed=[deletes(3_000_000_000, (3, 1))]),
    "a word over a word": update(
        [one(3_000_000_000, 5, typed("word", after=(7, 4), before=(7, 9)))[1:-1]], [deletes(7, (5, 4))]
    ),
}


def best_us(work: Callable[[], object]) -> float:
    """The best time of one call, in microseconds."""
    return min(timeit.repeat(work, timer=time.thread_time, number=_TIMES, repeat=_ROUNDS)) / _TIMES * 1e6


def scans() -> dict[str, float]:
    """What each keystroke's scan costs."""
    return {name: best_us(lambda raw=raw: scan(raw, most=1000)) for name, raw in KEYSTROKES.items()}


def main() -> int:
    """Print the figures; 1 when a scan takes longer than it may."""
    figures = scans()
    for name, figure in figures.items():
        print(f"scan, {name}: {figure:.1f} us")
    intake = an_intake(one(7, 0, typed("x" * 20)), one(3_000_000_000, 0, typed("y" * 5)))
    raw = KEYSTROKES["a letter in the middle"]
    item = Accepted(raw, scan(raw), ANN, "bench")
    print(f"judge: {best_us(lambda: intake.replica.judge(item.scan)):.1f} us")
    print(f"check: {best_us(lambda: intake.check(item)):.1f} us")
    return max(figures.values()) > MOST_US


if __name__ == "__main__":
    sys.exit(main())
