"""The feed of one document: what is durable, by position, for readers that have no CRDT.

A reader holds a position and the server owes it nothing: one that falls behind its budget is closed and resumes from
there (rule D5). Recent text events are kept; older ones are made again from the log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from sys import getsizeof
from typing import Any

from coscribe.core.committed import Op
from coscribe.core.units import Units
from coscribe.model import Activity, Principal
from coscribe.rooms.feed_reader import FeedEvent, FeedReader

# Text events kept for readers that come back after a short cut, as long after there was one. Where nobody reads none
# are: those of a hundred busy documents were 300,000 objects, and the collector of garbage stopped all work for 170 ms.
_KEPT = 512
_KEPT_FOR_S = 60.0
# And what these may take: 512 pastes of 10 MB would be 5 GB.
_KEPT_BYTES = 4 * 2**20
_OP_BYTES = 200
# Two writers may tell their activities in another order than they stored them, but not many at once.
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader stands: `activity` is the last activity it has seen, None when it was not told."""

    generation: int
    seq: int
    activity: int | None = None

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """Read `generation.seq[.activity]`; None for anything else."""
        parts = text.split(".")
        if len(text) > 60 or len(parts) not in (2, 3) or not all(p.isascii() and p.isdigit() for p in parts):
            return None
        numbers = [int(part) for part in parts]
        return cls(numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else None)

    def can_lead_to(self, head: Position) -> bool:
        """Whether a reader that stands here can be told the way to `head`."""
        is_past = self.seq <= head.seq and (self.activity or 0) <= (head.activity or 0)
        return self.generation == head.generation and is_past

    def __str__(self) -> str:
        tail = "" if self.activity is None else f".{self.activity}"
        return f"{self.generation}.{self.seq}{tail}"


@dataclass(frozen=True, slots=True)
class TextChange:
    """What one commit did to the text: from `before` to `seq`. `author` is None when it had several."""

    before: int
    seq: int
    author: Principal | None
    ops: Sequence[Op]

    def data(self, units: Units) -> str:
        """The JSON of the text event."""
        by = None if self.author is None else {"id": self.author.id, "name": self.author.name}
        return _json({"seq": self.seq, "by": by, "ops": [op.to_json(units) for op in self.ops]})


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the feed finds what it does not hold itself."""

    snapshot: Callable[[], tuple[str, str]]  # title, committed text
    people: Callable[[], list[dict[str, Any]]]
    replay: Callable[[int, int], Awaitable[list[TextChange] | None]]  # (after, upto); None when it is too far back
    activities: Callable[[int, int], Awaitable[list[Activity]]]  # (after id, after seq)


class Feed:
    """The readers of one document."""

    def __init__(self, position: Position, sources: Sources, *, distrusted: int = -1) -> None:
        """Begin at a position. A reader at a seq up to `distrusted` may have a text that damage took: snapshot (D5)."""
        self._distrusted = distrusted
        self.readers: set[FeedReader] = set()
        self._generation = position.generation
        self._seq = position.seq
        self._activity = self._loaded = position.activity or 0
        self._told: dict[int, None] = {}
        self._sources = sources
        self._recent: list[TextChange] = []
        self._recent_bytes = 0
        self._read_at = float("-inf")

    @property
    def position(self) -> Position:
        """Where a reader that has heard everything stands."""
        return Position(self._generation, self._seq, self._activity)

    async def reader(
        self, *, principal: Principal, after: str | None, units: Units, link_id: str | None = None
    ) -> FeedReader:
        """Open a reader: what it missed since `after`, else a snapshot; then who is here; then all that comes."""
        reader = FeedReader(principal, units, link_id)
        reader.on_close = self._left
        position = None if after is None else Position.parse(after)
        head = self.position
        self.readers.add(reader)
        try:
            missed = await self._missed(position, head, units)
        except BaseException:
            reader.close()
            raise
        reader.prepend([*missed, FeedEvent("presence", None, _json({"people": self._sources.people()}))])
        return reader

    def _left(self, reader: FeedReader) -> None:
        self.readers.discard(reader)
        self._read_at = time.monotonic()

    async def _missed(self, position: Position | None, head: Position, units: Units) -> list[FeedEvent]:
        # The text is read now and what comes later is in the reader's queue already: no await between.
        title, text = self._sources.snapshot()
        if position is None or not position.can_lead_to(head) or position.seq <= self._distrusted:
            return [_snapshot(head, title, text)]
        changes = self._kept(position.seq)
        if changes is None:
            changes = await self._sources.replay(position.seq, head.seq)
        if changes is None:
            return [_snapshot(head, title, text)]
        return self._merge(position, changes, await self._activities(position, head.activity or 0), units)

    async def _activities(self, start: Position, upto: int) -> list[Activity]:
        """What happened between two positions; the source tells it in parts."""
        after, after_seq = start.activity or 0, start.seq if start.activity is None else -1
        found: list[Activity] = []
        while after < upto and (part := await self._sources.activities(after, after_seq)):
            found += [activity for activity in part if activity.id <= upto]
            after = part[-1].id
        return found

    def _kept(self, after: int) -> list[TextChange] | None:
        if after == self._seq:
            return []
        changes = [change for change in self._recent if change.seq > after]
        return changes if changes and changes[0].before == after else None

    def _merge(
        self, start: Position, changes: list[TextChange], activities: list[Activity], units: Units
    ) -> list[FeedEvent]:
        """Both kinds in order: an activity stands behind the text of its seq."""
        marks: list[tuple[int, int, TextChange | Activity]] = [(change.seq, 0, change) for change in changes]
        marks += [(activity.seq, 1, activity) for activity in activities]
        marks.sort(key=lambda mark: mark[:2])
        seq, seen = start.seq, start.activity or 0
        events = []
        for _, _, what in marks:
            if isinstance(what, TextChange):
                seq = what.seq
                position = Position(self._generation, seq, seen)
                events.append(FeedEvent("text", str(position), what.data(units)))
            else:
                seen = max(seen, what.id)
                position = Position(self._generation, seq, seen)
                events.append(FeedEvent("activity", str(position), _json(activity_json(what))))
        return events

    def publish_text(self, change: TextChange) -> None:
        """Tell a commit."""
        self._seq = change.seq
        if self.readers or time.monotonic() - self._read_at < _KEPT_FOR_S:
            self._keep(change)
        elif self._recent:
            self._recent.clear()
            self._recent_bytes = 0
        made: dict[Units, FeedEvent] = {}
        for reader in list(self.readers):
            if reader.units not in made:
                made[reader.units] = FeedEvent("text", str(self.position), change.data(reader.units))
            reader.offer(made[reader.units])

    def _keep(self, change: TextChange) -> None:
        self._recent.append(change)
        self._recent_bytes += _size(change)
        while len(self._recent) > _KEPT or self._recent_bytes > _KEPT_BYTES:
            self._recent_bytes -= _size(self._recent.pop(0))

    def publish_activity(self, activity: Activity) -> None:
        """Tell a stored activity, once; not what was stored before the room was loaded: readers stand behind that."""
        if activity.id > self._loaded and activity.id not in self._told:
            self._told[activity.id] = None
            if len(self._told) > _REMEMBERED:
                del self._told[next(iter(self._told))]
            self._activity = max(self._activity, activity.id)
            self._offer_all(FeedEvent("activity", str(self.position), _json(activity_json(activity))))

    def publish_presence(self, change: dict[str, Any]) -> None:
        """Tell who joined, left or moved."""
        self._offer_all(FeedEvent("presence", None, _json(change)))

    def _offer_all(self, event: FeedEvent) -> None:
        for reader in list(self.readers):
            reader.offer(event)

    def close(self) -> None:
        """Close every reader."""
        for reader in list(self.readers):
            reader.close()


def _size(change: TextChange) -> int:
    """About what a change takes in memory."""
    return sum(_OP_BYTES + getsizeof(op.text) for op in change.ops)


def activity_json(activity: Activity) -> dict[str, Any]:
    """An activity as the feeds tell it; without the document's id, which a view link must not reveal."""
    return {
        "id": str(activity.id),
        "kind": activity.kind.value,
        "seq": activity.seq,
        "by": {"id": activity.principal_id, "name": activity.name},
        "at": activity.at.isoformat(),
        "data": activity.data,
    }


def _snapshot(at: Position, title: str, text: str) -> FeedEvent:
    return FeedEvent("snapshot", str(at), _json({"seq": at.seq, "title": title, "text": text}))


def _json(value: object) -> str:
    """JSON that is one line to every client: some split at NEL, U+2028 and U+2029, which JSON leaves as they are."""
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return raw.replace("\x85", "\\u0085").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
