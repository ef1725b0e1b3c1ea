"""The count of open event streams, so that they end somewhere (setting `max_feed_readers`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from coscribe.errors import Unavailable

# A full server is full for a while: asking again sooner only adds to the load.
RETRY_AFTER_S = 10


class Streams:
    """How many event streams and long polls are open in this process."""

    def __init__(self) -> None:
        self._open = 0

    @property
    def open(self) -> int:
        """The number of places that are taken now."""
        return self._open

    @contextmanager
    def place(self, limit: int) -> Iterator[None]:
        """Hold one of `limit` places while inside; raises Unavailable when all are taken."""
        if self._open >= limit:
            raise Unavailable("Too many event streams are open on this server.", retry_after_s=RETRY_AFTER_S)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
