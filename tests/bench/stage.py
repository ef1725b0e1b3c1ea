"""What a scenario plays on: one server that was just started, the generator beside it, and what was measured before."""

from __future__ import annotations

import math
import signal
import time
from dataclasses import dataclass
from typing import Any

from tests.bench.contenders import Contender, Kind
from tests.bench.generator import Answer, Generator
from tests.bench.results import Results

from coscribe.bench.machine import Usage, busy_s, usage

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """So many documents with so many people each, of whom some type; the first rate of a search, in keys a second."""

    documents: int
    people: int
    typists: int
    first_rate: float


# One document where fifty people type, a hundred of five each, and one of a thousand where five do.
SHAPES = {"a": Shape(1, 50, 50, 10), "b": Shape(100, 5, 5, 4), "c": Shape(1, 1000, 5, 5)}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `is_small` tries the tooling with small numbers, which measure nothing."""

    minutes: float
    is_small: bool

    def size(self, full: int, small: int) -> int:
        """A number, or the small one."""
        return small if self.is_small else full


@dataclass
class Stage:
    """One server, its generator, and the round."""

    kind: Kind
    server: Contender
    generator: Generator
    options: Options
    results: Results

    def shape(self, name: str) -> Shape:
        """A shape; of few people in a trial."""
        full = SHAPES[name]
        if not self.options.is_small:
            return full
        return Shape(min(5, full.documents), min(20, full.people), min(5, full.typists), full.first_rate)

    def gather(self, documents: int, people: int, **how: Any) -> list[str]:
        """Bring people into new documents; gives the documents' names."""
        names = self.server.documents(documents)
        where = {**self.address, "documents": names, "ways": self.server.ways(names)}
        self.generator.ask("gather", **{**where, "people": people, **how})
        return names

    def crowd(self, shape: Shape, **how: Any) -> list[str]:
        """Bring a shape's people together."""
        return self.gather(shape.documents, shape.people, typists=shape.typists, **how)

    @property
    def address(self) -> Figures:
        """Where the server is, and how to speak to it."""
        return {"url": self.server.url, "dialect": self.server.dialect}

    def typing(self, rate: float, seconds: float, **how: Any) -> Typing:
        """Let all typists type so many keys a second."""
        before, others, began = self.server.usage(), self._others_s(), time.monotonic()
        answer = self.generator.ask("type", seconds + 300, rate=rate, seconds=seconds, **how)
        others_share = (self._others_s() - others) / (time.monotonic() - began)
        return Typing(rate, answer, self.server.usage().since(before), others_share)

    def _others_s(self) -> float:
        """Seconds of a core that have gone to whoever is no part of this."""
        ours = self.server.usage().cpu_s + self.server.beside_s()
        return busy_s() - ours - usage(self.generator.pid).cpu_s - time.process_time()

    def memory_bytes(self) -> int:
        """What the server holds now."""
        return self.server.usage().memory_bytes

    def restart(self) -> None:
        """Stop the server in good order and start it on what it has kept."""
        self.server.end(signal.SIGTERM)
        self.server.start()


@dataclass(frozen=True)
class Typing:
    """What came of one go of typing. `others_share` is the part of a core that the machine did something else with."""

    rate: float
    answer: Answer
    taken: Usage
    others_share: float

    @property
    def is_whole(self) -> bool:
        """Whether nothing was lost and everybody is still there."""
        return self.answer["lost"] == 0 and not self.answer["gone"]

    @property
    def p99(self) -> float:
        """Milliseconds; nothing that came at all counts as for ever."""
        p99 = self.answer["p99"]
        return math.inf if p99 is None else float(p99)

    def figures(self) -> Figures:
        """What is written down of it."""
        names = ("per_s", "p50", "p99", "max", "lost", "reordered", "late_p99", "busy", "gone", "notices")
        seconds = self.answer["seconds"]
        return {
            "rate": self.rate, **{name: self.answer[name] for name in names},
            "cpu_share": self.taken.cpu_s / seconds, "waited_share": self.taken.waited_s / seconds,
            "others_share": self.others_share,
        }  # fmt: skip
