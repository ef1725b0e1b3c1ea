"""Snapshots: each is made from the log (rule D2) and compared with it before it counts.

Where they read otherwise, there is no state that stands for the log, nor one text for those who open the document now
and those who are in it: then the text is written anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from coscribe.core.exchange import REST_SESSION
from coscribe.core.replica import Replica, Runs
from coscribe.core.rewriting import leads_to
from coscribe.core.states import pieces_of, stored
from coscribe.errors import Unavailable
from coscribe.model import SERVER, Append, Appended, Behind, Entry, NewEntry, Place, Snapshot
from coscribe.ports import UpdateLog
from coscribe.rooms.history import restore

# How often a text is made ready to be written anew that somebody writes in meanwhile; what asked for it asks again.
_MOST_TRIES = 5
# Whoever means harm can have it done again at once: it costs as much as all of the text, for everybody in it.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10.0, 3600.0
_REMEMBERED = 4096


class Shown(NamedTuple):
    """What people read of a document that they are in, at a seq; `runs` is None while something is unsaved."""

    seq: int
    runs: Runs | None


@dataclass(frozen=True, slots=True)
class Readers:
    """What people read of a document, None where nobody is in it here; and who hears that it was written anew.

    `moved` hears that the log has come to a seq, with the entry where it is known.
    """

    shown: Callable[[Place], Shown | None]
    moved: Callable[[Place, int, Entry | None], None]


class Snapshotter:
    """Takes snapshots; `breathe` is awaited between the parts of it."""

    def __init__(self, log: UpdateLog, breathe: Callable[[], Awaitable[None]], readers: Readers) -> None:
        self._log = log
        self._breathe = breathe
        self._readers = readers
        # Until when a text is not to be written anew once more, by the loop's clock, and the pause behind that.
        self._pauses: dict[Place, tuple[float, float]] = {}

    async def take(self, place: Place, seq: int, *, whole: bool) -> int | None:
        """Take a snapshot; gives the size of its state.

        None where entries wait for a missing one, which would be lost to it, with `whole` where any is missing, and
        where it would read otherwise than the log. Raises Unavailable, also when people write all the time.
        """
        for _ in range(_MOST_TRIES):
            # What people read is true: a snapshot that was taken before may have changed what the log gives.
            shown = self._readers.shown(place)
            seq = shown.seq if shown is not None and shown.seq >= seq else seq
            restored = await restore(self._log, place, seq, self._breathe)
            if restored.waiting or (whole and restored.lost):
                return None
            replica = restored.replica
            codec, state = await asyncio.to_thread(lambda: stored(replica.diff()))  # noqa: B023 - awaited here
            await self._breathe()
            runs = shown.runs if shown is not None and shown.seq == seq else None
            if await asyncio.to_thread(_is_read_alike, replica, codec, state, runs):
                engine = f"pycrdt {version('pycrdt')}"
                await self._log.store_snapshot(Snapshot(place.document_id, place.generation, seq, codec, engine, state))
                return len(state)
            if restored.lost or not self._may_write(place):
                return None  # what is missing may be found again, and would stand beside its second self
            if shown is None or runs is not None:
                further = await self._write_anew(place, seq, replica, runs)
                if further is None:
                    return None
                seq = further
            await asyncio.sleep(0)
        raise Unavailable("The text cannot be written anew while others write in it.")

    def _may_write(self, place: Place) -> bool:
        until, _ = self._pauses.get(place, (0.0, 0.0))
        return asyncio.get_running_loop().time() >= until

    def _wrote(self, place: Place, entry: Entry) -> None:
        _, pause_s = self._pauses.pop(place, (0.0, _FIRST_PAUSE_S))
        if len(self._pauses) >= _REMEMBERED:
            del self._pauses[next(iter(self._pauses))]
        self._pauses[place] = asyncio.get_running_loop().time() + pause_s, min(2 * pause_s, _LONGEST_PAUSE_S)
        self._readers.moved(place, entry.seq, entry)

    async def _write_anew(self, place: Place, seq: int, replica: Replica, runs: Runs | None) -> int | None:
        """Write a text anew right behind the seq; gives where the log has come to where that is further.

        It is stored before anybody sees it: two servers that do it at once would double the text.
        """
        payload = await asyncio.to_thread(lambda: replica.write_anew(replica.runs if runs is None else runs))
        new = NewEntry(SERVER.id, REST_SESSION, datetime.now(UTC), payload)
        owner = (replica.client_id, SERVER.id)
        (answer,) = await self._log.append([Append(place.document_id, place.generation, (new,), (owner,), after=seq)])
        match answer:
            case Behind(further):
                self._readers.moved(place, further, None)
                return further
            case Appended(first):
                self._wrote(place, Entry(first, *new))
            case _:
                pass  # it was replaced or purged meanwhile
        return None


def _is_read_alike(replica: Replica, codec: str, state: bytes, runs: Runs | None) -> bool:
    """Whether what people read, what the log gives and what its state gives are one."""
    return (runs is None or replica.runs == runs) and leads_to(pieces_of(codec, state), replica)
