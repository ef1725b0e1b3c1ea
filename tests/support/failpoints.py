"""Named places of the server at which a test lets it die. Nothing of this is in the product.

A test writes `name:count` into a file that the server watches: it kills itself when it passes there for the
count-th time.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from coscribe.rooms.recorder import Recorder
from coscribe.storage import appending_sqlite
from coscribe.storage.archive import SqlArchive
from coscribe.storage.engine import Database
from coscribe.storage.update_log import SqlUpdateLog


@dataclass(frozen=True)
class Place:
    """Before or after a function of the product, a coroutine function or a plain one."""

    owner: Any
    function: str
    before: bool = False


PLACES = {
    "before-transaction": Place(SqlUpdateLog, "append", before=True),
    "inside-transaction": Place(appending_sqlite, "_insert_entries"),
    "before-commit": Place(appending_sqlite, "_insert_activities"),
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
    at_commit = functools.partial(_die_at, ANY_COMMIT, file, passed)
    event.listen(Engine, "commit", lambda _: at_commit())
    _end_writes_here_with(at_commit)


def _end_writes_here_with(at: Callable[[], None]) -> None:
    """Call `at` as the last thing before the commits of which SQLAlchemy knows nothing."""
    original = Database.write_here

    async def write_here(self: Database, work: Callable[[sqlite3.Connection], Any]) -> Any:
        def ended(connection: sqlite3.Connection) -> Any:
            result = work(connection)
            at()
            return result

        return await original(self, ended)

    Database.write_here = write_here  # type: ignore[method-assign]


def _die_at(name: str, file: Path, passed: Counter[tuple[str, int]]) -> None:
    told, _, passing = file.read_text().partition(":")
    if told == name:
        now = (told, file.stat().st_mtime_ns)
        passed[now] += 1
        if passed[now] == int(passing):
            os.kill(os.getpid(), signal.SIGKILL)


def wrap(place: Place, at: Callable[[], None]) -> None:
    """Call `at` whenever a place is passed."""
    original: Callable[..., Any] = getattr(place.owner, place.function)
    wrapped = _around(original, at, before=place.before)
    setattr(place.owner, place.function, functools.wraps(original)(wrapped))


def _around(original: Callable[..., Any], at: Callable[[], None], *, before: bool) -> Callable[..., Any]:
    @contextmanager
    def passed() -> Iterator[None]:
        if before:
            at()
        yield
        if not before:
            at()

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with passed():
            return original(*args, **kwargs)

    async def wrapped_coroutine(*args: Any, **kwargs: Any) -> Any:
        with passed():
            return await original(*args, **kwargs)

    return wrapped_coroutine if inspect.iscoroutinefunction(original) else wrapped
