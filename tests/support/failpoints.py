"""Named places of the server at which a test lets it die. Nothing of this is in the product.

A test writes `name:count` into a file that the server watches: it kills itself when it passes there for the
count-th time.
"""

from __future__ import annotations

import functools
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from coscribe.rooms.recorder import Recorder
from coscribe.storage import appending
from coscribe.storage.archive import SqlArchive
from coscribe.storage.update_log import SqlUpdateLog


@dataclass(frozen=True)
class Place:
    """Before or after a coroutine function of the product."""

    owner: Any
    function: str
    before: bool = False


PLACES = {
    "before-transaction": Place(SqlUpdateLog, "append", before=True),
    "inside-transaction": Place(appending, "_insert_entries"),
    "before-commit": Place(appending, "insert_activities"),
    "between-commit-and-ack": Place(SqlUpdateLog, "append"),
    "before-snapshot": Place(SqlUpdateLog, "store_snapshot", before=True),
    "after-snapshot": Place(SqlUpdateLog, "store_snapshot"),
    "before-packing": Place(SqlArchive, "pack", before=True),
    "after-packing": Place(SqlArchive, "pack"),
    "while-loading": Place(SqlUpdateLog, "client_ids"),
    "while-stopping": Place(Recorder, "close", before=True),
    "after-stopping": Place(Recorder, "close"),
}
# Whatever is committed: entries, snapshots, segments, titles.
ANY_COMMIT = "before-any-commit"


class Trap:
    """The test's side: a file that says where the server is to die."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set("")

    def set(self, place: str) -> None:
        """Set it to `name:count`, counted from now, or to nothing."""
        self.file.write_text(place)


def arm_by(file: Path) -> None:
    """Let the process die where a file says, `name:count`, counted from when that was written into it."""
    passed: Counter[tuple[str, int]] = Counter()
    for name, place in PLACES.items():
        wrap(place, functools.partial(_die_at, name, file, passed))
    event.listen(Engine, "commit", lambda _: _die_at(ANY_COMMIT, file, passed))


def _die_at(name: str, file: Path, passed: Counter[tuple[str, int]]) -> None:
    told, _, passing = file.read_text().partition(":")
    if told == name:
        now = (told, file.stat().st_mtime_ns)
        passed[now] += 1
        if passed[now] == int(passing):
            os.kill(os.getpid(), signal.SIGKILL)


def wrap(place: Place, at: Callable[[], None]) -> None:
    """Call `at` whenever a place is passed."""
    original: Callable[..., Awaitable[Any]] = getattr(place.owner, place.function)

    @functools.wraps(original)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        if place.before:
            at()
        result = await original(*args, **kwargs)
        if not place.before:
            at()
        return result

    setattr(place.owner, place.function, wrapped)
