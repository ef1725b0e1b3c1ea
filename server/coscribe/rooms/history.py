"""Any past position of a document, from the newest good snapshot before it and the log behind that."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from coscribe.core.pieces import Whole
from coscribe.core.replica import EngineFailed, Replica
from coscribe.core.restoring import EntryFailed, Restoring
from coscribe.core.states import pieces_of
from coscribe.errors import Malformed, PositionGone, Unavailable, UpdateRefused
from coscribe.model import Damage, Entry, Place, RowKind, Snapshot
from coscribe.ports import UpdateLog

# Entries between two turns of the loop.
_PER_READ = 1000
# Each bad entry that only the engine finds costs a new beginning.
_MOST_BEGINNINGS = 16


@dataclass(frozen=True, slots=True)
class Restored:
    """A document as it stood at `seq`, as far as it can be read.

    `lost` tells the ranges of seqs that are missing, `waiting` the entries that build on them and are not in the
    replica; `snapshot_seq`, `snapshot_bytes` and `whole` what it began with, 0 and None for nothing.
    """

    replica: Replica
    seq: int
    lost: tuple[tuple[int, int], ...]
    waiting: tuple[Entry, ...]
    snapshot_seq: int
    snapshot_bytes: int
    whole: Whole | None

    @property
    def damage(self) -> str | None:
        """What is missing, as a sentence; None for a document that is whole."""
        return f"{_named(self.lost)} of its log cannot be read." if self.lost else None


async def at_once() -> None:
    """No pause between two parts: somebody waits."""


def new_client_id() -> int:
    """A CRDT client id of 32 bits, as Yjs draws them; pycrdt's own have 53."""
    return secrets.randbits(32)


async def replica_at(log: UpdateLog, document_id: str, generation: int, seq: int) -> Replica:
    """The document exactly as it stood at `seq`, in a replica of its own. Raises PositionGone and Unavailable."""
    found = await restore(log, Place(document_id, generation), seq)
    if found.damage is not None:
        raise PositionGone(f"This position cannot be read: {found.damage}", upto=found.lost[-1][1])
    return found.replica


async def restore(log: UpdateLog, place: Place, seq: int, between: Callable[[], Awaitable[None]] = at_once) -> Restored:
    """The document as it stood at `seq`, without what cannot be read; `between` is awaited after each part of the log.

    Raises Unavailable.
    """
    bad: frozenset[int] = frozenset()
    one_by_one = False
    for _ in range(_MOST_BEGINNINGS):
        try:
            made, snapshot_bytes = await _beginning(log, place, seq)
            made.skipped, made.one_by_one = bad, one_by_one
            return await _attempt(log, place, seq, made, snapshot_bytes, between)
        except EntryFailed as error:
            if error.first == error.last:
                bad |= {error.first}
                await log.set_aside(Damage(place, RowKind.ENTRY, error.first, str(error)))
            one_by_one = True
    raise Unavailable("Too much of this document is damaged.")


async def _attempt(
    log: UpdateLog,
    place: Place,
    seq: int,
    made: Restoring,
    snapshot_bytes: int,
    between: Callable[[], Awaitable[None]],
) -> Restored:
    began = made.seq
    while made.seq < seq:
        try:
            entries = await log.read(place.document_id, place.generation, after=made.seq, upto=seq, limit=_PER_READ)
        except PositionGone as error:
            made.missing(min(error.upto, seq))
            continue
        if not entries:
            break
        await asyncio.to_thread(made.entries, entries)
        await between()
    await asyncio.to_thread(made.finish, seq)
    for at, reason in made.refused:
        await log.set_aside(Damage(place, RowKind.ENTRY, at, reason))
    waiting = tuple(entry for entry, _ in made.waiting)
    return Restored(made.replica, seq, tuple(made.lost), waiting, began, snapshot_bytes, made.whole)


async def _beginning(log: UpdateLog, place: Place, seq: int) -> tuple[Restoring, int]:
    """The newest snapshot that the scanner and the engine take; those that they do not are set aside."""
    upto = seq
    while (snapshot := await log.snapshot(place.document_id, place.generation, upto=upto)) is not None:
        made = Restoring(Replica(new_client_id()))
        try:
            await asyncio.to_thread(begin, made, snapshot)
        except (Malformed, UpdateRefused, EngineFailed) as error:
            await log.set_aside(Damage(place, RowKind.SNAPSHOT, snapshot.seq, str(error)))
            upto = snapshot.seq - 1
        else:
            return made, len(snapshot.state)
    return Restoring(Replica(new_client_id())), 0


def begin(made: Restoring, snapshot: Snapshot) -> None:
    """Begin with a snapshot; in a thread, and raises, as `Restoring.state`."""
    made.state(pieces_of(snapshot.codec, snapshot.state), snapshot.seq)


def _named(ranges: Iterable[tuple[int, int]]) -> str:
    """`Entry 4`, `Entries 4, 7 to 9`; the first few of many."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    told = [str(first) if first == last else f"{first} to {last}" for first, last in joined[:5]]
    more = f" and {len(joined) - 5} more stretches" if len(joined) > 5 else ""
    is_one = len(joined) == 1 and joined[0][0] == joined[0][1]
    return f"{'Entry' if is_one else 'Entries'} {', '.join(told)}{more}"
