"""People who come back to an instance all at once, with the pauses of web/src/sync/connection.ts."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

_FIRST_S, _LONGEST_S = 1.0, 30.0
# A page gives an attempt up after so long, and the server has its handshake to do all the same.
_PATIENCE_S = 15.0

Pause = Callable[[int, random.Random], float]


def as_the_client(attempt: int, chance: random.Random) -> float:
    """Seconds before an attempt, as `backoff` has it: 1, 2, 4 ... 30, of which chance takes up to half."""
    return _longest(attempt) * (1 - chance.random() / 2)


def without_jitter(attempt: int, _chance: random.Random) -> float:
    """The same without chance."""
    return _longest(attempt)


def with_full_jitter(attempt: int, chance: random.Random) -> float:
    """Anything up to 5, 10, 20 and 30 s: what would part those who were cut off together from the first pause on."""
    return min(_LONGEST_S, 5 * 2.0**attempt) * chance.random()


def _longest(attempt: int) -> float:
    return float(min(_LONGEST_S, _FIRST_S * 2 ** min(attempt, 10)))


@dataclass(frozen=True)
class Storm:
    """So many people of so many documents, for one instance to let in. Seconds of its time for each.

    Where `open_s` is spent, the document was closed before; that is what the database bears, if it bears less.
    """

    people: int
    rooms: int
    come_s: float
    open_s: float


@dataclass(frozen=True)
class Came:
    """Seconds from the cut until people were in again, the least first; and how many attempts were given up."""

    back: list[float]
    given_up: int
    busiest: int

    def at(self, share: float) -> float:
        """When a share of them was back."""
        return self.back[min(len(self.back) - 1, int(share * len(self.back)))]


def come_back(storm: Storm, pause: Pause, seed: int) -> Came:
    """Play it: one queue, first come first served. `busiest` is the most attempts within one second."""
    chance = random.Random(seed)
    due = [(pause(0, chance), person, 0) for person in range(storm.people)]
    heapq.heapify(due)
    opened = set[int]()
    back, seconds, given_up, free = list[float](), dict[int, int](), 0, 0.0
    while due:
        at, person, attempt = heapq.heappop(due)
        seconds[int(at)] = seconds.get(int(at), 0) + 1
        start = max(at, free)
        free = start + storm.come_s
        room = person % storm.rooms
        if start - at > _PATIENCE_S:
            given_up += 1
            heapq.heappush(due, (at + _PATIENCE_S + pause(attempt + 1, chance), person, attempt + 1))
            continue
        if room not in opened:
            opened.add(room)
            free += storm.open_s
        back.append(free)
    return Came(back, given_up, max(seconds.values()))
