"""Snapshots: each is made from the log (rule D2) and compared with it before it counts.

Where the two read otherwise, there is no state that stands for the log, nor one text for those who open the document
now and those who were there: then the text is written anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version

from coscribe.core.exchange import REST_SESSION
from coscribe.core.replica import Replica
from coscribe.core.rewriting import leads_to, written_anew
from coscribe.core.states import pieces_of, stored
from coscribe.errors import Unavailable
from coscribe.model import SERVER, Append, Appended, Behind, Entry, NewEntry, Place, Snapshot
from coscribe.ports import UpdateLog
from coscribe.rooms.history import restore

# How often a text is made ready to be written anew that somebody writes in meanwhile; what asked for it asks again.
_MOST_TRIES = 5


class Snapshotter:
    """Takes snapshots. `breathe` is awaited between the parts of it, `rewritten` hears of texts written anew."""

    def __init__(
        self, log: UpdateLog, breathe: Callable[[], Awaitable[None]], rewritten: Callable[[Place, Entry], None]
    ) -> None:
        self._log = log
        self._breathe = breathe
        self._rewritten = rewritten

    async def take(self, place: Place, seq: int, *, whole: bool) -> int | None:
        """Take a snapshot; gives the size of its state.

        None where entries wait for a missing one, which would be lost to it, with `whole` where any is missing, and
        where the text was written anew. Raises Unavailable, also when people write all the time and it could not be.
        """
        upto: int | None = seq
        for _ in range(_MOST_TRIES):
            if upto is None:
                return None
            seq = upto
            restored = await restore(self._log, place, seq, self._breathe)
            if restored.waiting or (whole and restored.lost):
                return None
            codec, state = await asyncio.to_thread(lambda: stored(restored.replica.diff()))  # noqa: B023 - awaited here
            await self._breathe()
            if await asyncio.to_thread(_reads_as, restored.replica, codec, state):
                engine = f"pycrdt {version('pycrdt')}"
                await self._log.store_snapshot(Snapshot(place.document_id, place.generation, seq, codec, engine, state))
                return len(state)
            if restored.lost:
                return None  # what is missing may be found again, and would stand beside its second self
            upto = await self._rewrite(place, seq, restored.replica)
        raise Unavailable("The text cannot be written anew while others write in it.")

    async def _rewrite(self, place: Place, seq: int, replica: Replica) -> int | None:
        """Write a text anew right behind the seq; gives where the log has come to where that is further.

        It is stored before anybody sees it: two servers that do it at once would double the text.
        """
        payload = await asyncio.to_thread(written_anew, replica)
        new = NewEntry(SERVER.id, REST_SESSION, datetime.now(UTC), payload)
        owner = (replica.client_id, SERVER.id)
        (answer,) = await self._log.append([Append(place.document_id, place.generation, (new,), (owner,), after=seq)])
        match answer:
            case Behind(further):
                return further
            case Appended(first):
                self._rewritten(place, Entry(first, *new))
            case _:
                pass  # it was replaced or purged meanwhile
        return None


def _reads_as(replica: Replica, codec: str, state: bytes) -> bool:
    return leads_to(pieces_of(codec, state), replica)
