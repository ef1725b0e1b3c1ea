"""The proofs: how often each is run, and what is written down of it for docs/reliability.md.

`make test` runs the short form of every proof, `make torture` the full one and keeps what each told in the file that
COSCRIBE_PROOFS names, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_FILE = "COSCRIBE_PROOFS"
_CALL = pytest.StashKey[pytest.CallInfo[None]]()


def p99(times: Iterable[float]) -> float:
    """The time that one in a hundred exceeds."""
    return _quantile(times, 0.99)


def _quantile(times: Iterable[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[int(len(ordered) * share)]


@dataclass
class Proof:
    """One proof as it runs. `figures` end up in its line of the table."""

    full: bool
    figures: dict[str, object] = field(default_factory=dict)
    ran: int = 1

    def rounds(self, short: int, full: int) -> int:
        """How often to try: `full` under `make torture`."""
        self.ran = full if self.full else short
        return self.ran

    def late(self, times: Iterable[float]) -> float:
        """The time that one in a hundred exceeds, one in ten in the short form.

        That has few times and other tests beside it: what holds the machine up makes one of them late, once by 2 s.
        """
        return p99(times) if self.full else _quantile(times, 0.9)

    def told(self, **figures: object) -> None:
        """Keep figures for the table; later ones of the same name replace earlier ones."""
        self.figures |= figures


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep the outcome of the test itself where the fixture finds it."""
    report = yield
    if call.when == "call":
        item.stash[_CALL] = call
    return report


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Iterator[Proof]:
    """The proof that a test marked with `proof(promise=, faults=, how=)` is."""
    marker = request.node.get_closest_marker("proof")
    assert marker is not None, "the fixture `proof` wants the marker `proof`"
    path = os.environ.get(_FILE)
    running = Proof(full=path is not None)
    began = time.monotonic()
    yield running
    call = request.node.stash.get(_CALL, None)
    if path is None or call is None:
        return
    line = {
        **marker.kwargs,
        "test": request.node.nodeid,
        "rounds": running.ran,
        "figures": running.figures,
        "passed": call.excinfo is None,
        "seconds": round(time.monotonic() - began, 1),
    }
    # One write of one line: several workers append to the same file.
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
