"""The simulator's readers of the feed: a text kept by events, checked against the log at every one of them."""

from __future__ import annotations

import json

from tests.simulation.log import DOCUMENT, GENERATION, MemoryLog
from tests.support.people import BEN
from tests.support.viewer import apply_ops

from coscribe.core.units import Units
from coscribe.rooms.feed import Feed
from coscribe.rooms.feed_reader import FeedReader
from coscribe.rooms.history import replica_at


class Viewer:
    """Follows the feed, loses its stream, and resumes from its position."""

    def __init__(self, log: MemoryLog) -> None:
        self.text = ""
        self.position: str | None = None
        self.events = self.snapshots = 0
        self._log = log
        self._reader: FeedReader | None = None

    async def read(self, feed: Feed) -> None:
        """Open the stream if there is none, and hear all that waits in it."""
        if self._reader is None:
            self._reader = await feed.reader(principal=BEN, after=self.position, units=Units.CODE_POINTS)
        try:
            while (event := await self._reader.next(0.0)) is not None:
                if event.position is not None:
                    self.position = event.position
                    await self._take(event.event, json.loads(event.data))
        except StopAsyncIteration:
            self._reader = None

    async def _take(self, kind: str, data: dict[str, object]) -> None:
        if kind == "snapshot":
            self.snapshots += 1
            self.text = str(data["text"])
        else:
            self.text = apply_ops(self.text, data["ops"])  # type: ignore[arg-type]
        self.events += 1
        seq = data["seq"]
        assert isinstance(seq, int)
        fresh = (await replica_at(self._log, DOCUMENT, GENERATION, seq)).text  # type: ignore[arg-type]
        assert self.text == fresh, f"the event of seq {seq} leads to another text than the log"

    def cut(self) -> None:
        """Lose the stream."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
