"""Stored updates that build on entries which damage took: they wait until a client brings what is missing.

Its replica has it: a client's step 2 holds all that it knows behind our state vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from coscribe.core.replica import Replica, Verdict
from coscribe.core.update import Scan


class Shelved(Protocol):
    """An update that was scanned."""

    @property
    def scan(self) -> Scan:
        """What it holds."""
        ...


Item = TypeVar("Item", bound=Shelved)


class Shelf(Generic[Item]):
    """Updates in the order of the log; asking it costs next to nothing while nothing that it waits for has come."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._items: Sequence[Item] = list(items)
        # Of each client that an update waits for, the lowest clock that any of them needs.
        self._wanted: dict[int, int] = {}

    def due(self, replica: Replica) -> Iterator[Item]:
        """Take those that can enter now; each is to be admitted before the next is asked for."""
        clocks = replica.clocks
        if not self._items or (self._wanted and not any(clocks.get(c, 0) >= at for c, at in self._wanted.items())):
            return
        items = self._items
        waiting: list[Item] = []
        self._items, self._wanted = (), {}
        for item in items:
            match replica.judge(item.scan):
                case Verdict.NEW:
                    yield item
                case Verdict.GAP:
                    waiting.append(item)
                    client, clock = needed(item.scan, clocks)
                    self._wanted[client] = min(clock, self._wanted.get(client, clock))
        self._items = waiting


def needed(found: Scan, clocks: Mapping[int, int]) -> tuple[int, int]:
    """The first client, and how far it must come, that an update judged GAP waits for."""
    ends: dict[int, int] = {}
    for client, start, end in found.structs:
        if start > clocks.get(client, 0):
            return client, start
        ends[client] = end
    wanted = [*((client, clock + 1) for client, clock in found.needs.items())]
    wanted += [(client, end) for client, _, end in found.deletes]
    return next((client, clock) for client, clock in wanted if clock > max(clocks.get(client, 0), ends.get(client, 0)))
