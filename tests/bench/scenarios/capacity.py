"""Capacity: the highest load at which all that is typed reaches everybody, all but a hundredth of it within 100 ms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.stage import Figures, Shape, Stage, Typing

MOST_MS = 100.0
_GROWTH = 1.5
# Halving the distance so often in logarithms leaves 5 % between what went well and what did not.
_BISECTIONS = 3
_STEP_S = 3.0
# A server that takes half a minute for it has drained its backlog or lost something.
_DRAIN_S = 30.0
# Where a step was too slow while the machine did something else, it is tried more often.
_TRIES, _MORE_TRIES = 2, 5
_MOST_OF_OTHERS = 0.1
# Each step has at least so many keys of each typist: fewer tell no 99th percentile.
_LEAST_KEYS = 1


@dataclass
class Search:
    """Which rate is tried next."""

    first: float
    most: float = math.inf
    good: float | None = None
    bad: float | None = None
    bisections: int = 0
    most_bisections: int = _BISECTIONS

    def next(self) -> float | None:
        """The next rate; None when enough is known."""
        if self.good is None and self.bad is None:
            return self.first
        if self.good == self.most:
            return None
        if self.good is None or self.bad is None:
            found = min(self.most, self.good * _GROWTH) if self.good is not None else (self.bad or 0) / 2
            return found if found * _STEP_S >= _LEAST_KEYS else None
        self.bisections += 1
        return math.sqrt(self.good * self.bad) if self.bisections <= self.most_bisections else None

    def note(self, rate: float, *, is_good: bool) -> None:
        """What came of a rate."""
        if is_good:
            self.good = rate
        else:
            self.bad = rate


def is_good(step: Typing) -> bool:
    """Whether a step is within what capacity means."""
    return step.is_whole and step.p99 < MOST_MS


@dataclass
class Found:
    """The best step that went well, the last that did not, and whether newcomers found all that was typed."""

    best: Typing | None = None
    worst: Typing | None = None
    is_text_whole: bool = True


def capacity(stage: Stage, shape: Shape) -> Found:
    """Raise the rate until it is too much, then halve the distance a few times."""
    search, found = Search(shape.first_rate, stage.kind.most_keys_per_s), Found()
    stage.crowd(shape)
    stage.typing(shape.first_rate, 1)  # until code and connections are warm
    while (rate := search.next()) is not None:
        step = _step(stage, rate)
        search.note(rate, is_good=is_good(step))
        if is_good(step):
            found.best = step
            found.is_text_whole &= stage.generator.ask("check", place=0)["isWhole"]
            continue
        found.worst = step
        if not step.is_whole:  # what is late would be counted in the next step
            stage.generator.ask("leave")
            stage.restart()
            stage.crowd(shape)
    return found


def _step(stage: Stage, rate: float) -> Typing:
    """One step; one that was only slow is tried again, since the machine may have been the reason."""
    seconds = stage.options.size(3, 1)
    for tried in range(1, _MORE_TRIES + 1):
        step = stage.typing(rate, seconds, drain_s=_DRAIN_S)
        is_undisturbed = step.others_share < _MOST_OF_OTHERS
        if is_good(step) or not step.is_whole or (is_undisturbed and tried >= _TRIES):
            break
    return step


def play(stage: Stage, name: str) -> Iterator[Figures]:
    """Search the capacity of a shape, and look whether a newcomer finds all that was typed."""
    found = capacity(stage, stage.shape(name))
    best = found.best.figures() if found.best is not None else {"per_s": 0, "rate": 0}
    next_ = found.worst.figures() if found.worst is not None else {}
    yield {
        **best, **{f"next_{name}": value for name, value in next_.items()},
        "is_at_limit": best["rate"] == stage.kind.most_keys_per_s,
        "is_text_whole": found.is_text_whole, "memory_bytes": stage.memory_bytes(),
    }  # fmt: skip


def measured_rate(stage: Stage, name: str) -> float:
    """The rate of a shape's capacity: as measured before in this run, else measured now."""
    measured = stage.results.newest(f"capacity-{name}", stage.kind.name)
    rate = float(measured.figures["rate"]) if measured is not None else _searched_rate(stage, name)
    if not rate:
        raise RuntimeError(f"there is no capacity {name} to take a part of")
    return rate


def _searched_rate(stage: Stage, name: str) -> float:
    found = capacity(stage, stage.shape(name))
    stage.generator.ask("leave")
    return found.best.rate if found.best is not None else 0
