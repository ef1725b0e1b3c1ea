"""Reading the golden vectors. Their root is called `text`, ours `content`: the name is rewritten in the bytes."""

from __future__ import annotations

import json
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from coscribe.core.pairs import check_cuts
from coscribe.core.pieces import is_causal
from coscribe.core.replica import Replica, Verdict
from coscribe.core.update import scan

Vector = dict[str, Any]

DATA = Path(__file__).parent / "data"
EMPTY = b"\x00\x00"


@cache
def vectors(name: str) -> list[Vector]:
    """The vectors of one file."""
    found: list[Vector] = json.loads((DATA / f"{name}.json").read_text())["vectors"]
    return found


def each(found: list[Vector]) -> pytest.MarkDecorator:
    """Parametrizes a test by vectors."""
    return pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["id"]) for vector in found])


def raw(text: str) -> bytes:
    """The bytes behind a name that ends in `_b64`."""
    return b64decode(text)


def ours(text: str) -> bytes:
    """The update behind a name that ends in `_b64`, in our root. No length in an update spans the name."""
    return raw(text).replace(b"\x01\x04text", b"\x01\x07content")


def well_formed(text: str) -> str:
    """A text as UTF-8 carries it: a lone half of a pair becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Receiver:
    """A replica behind its gate, with what waits in front of it."""

    def __init__(self, *updates: bytes) -> None:
        self.replica = Replica(1)
        self.waiting: list[bytes] = []
        self.take(*updates)

    def take(self, *updates: bytes) -> None:
        """Deliver updates one by one; the gate keeps what is early."""
        for update in updates:
            if self._offer(update):
                self._release()

    def _offer(self, update: bytes) -> bool:
        found = scan(update)
        match self.replica.judge(found):
            case Verdict.GAP:
                self.waiting.append(update)
            case Verdict.NEW:
                check_cuts(update, found, self.replica.pairs, self.replica.clocks)
                assert is_causal(update, found, self.replica.clocks)
                self.replica.admit(found)
                self.replica.pairs.learn(update)
                self.replica.apply([update])
                return True
            case Verdict.KNOWN:
                pass
        return False

    def _release(self) -> None:
        waiting, self.waiting = self.waiting, []
        taken = [self._offer(update) for update in waiting]
        if any(taken):
            self._release()

    @property
    def text(self) -> str:
        """Its text."""
        return self.replica.text


def clocks(vector: Vector) -> dict[int, int]:
    """A vector's `state_vector`."""
    return {int(client): clock for client, clock in vector["state_vector"].items()}
