"""The examination of what one turn of the loop is too short for, done on a copy of the document in another process.

Pure: a state and an update (or a plan of an edit) in, pieces out that a room can take in one a turn. Every piece was
tried on the copy, so that what ends or stalls the engine does so there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from coscribe.core.forks import check_same, repeated, stored_since
from coscribe.core.intake import MOST_FRAGMENTS
from coscribe.core.joining import joined
from coscribe.core.pairs import check_cuts
from coscribe.core.pieces import cut, is_causal, turn
from coscribe.core.replica import EngineFailed, Replica, Verdict
from coscribe.core.splices import Splice
from coscribe.core.update import Span, scan
from coscribe.errors import UpdateRefused

# Of the engine's time for one piece; an honest one takes some 20 ms.
_MOST_SECONDS = 0.25

Plan = Callable[[str], Sequence[Splice]]


@dataclass(frozen=True, slots=True)
class Examined:
    """What a large update is: NEW with its pieces in order, KNOWN or GAP without.

    `growth` is how many bytes longer the text may get, `clients` are those of its news, and `fragments` counts the
    structs of the document it came to.
    """

    verdict: Verdict
    fragments: int
    growth: int = 0
    clients: tuple[int, ...] = ()
    pieces: tuple[bytes, ...] = ()


def examine(state: bytes, update: bytes, foreign: Mapping[int, Span] = MappingProxyType({})) -> Examined:
    """Look an update over and try it on a document's state; `foreign` as Intake has it.

    Raises Malformed and UpdateRefused.
    """
    found = scan(update)
    replica, fragments = _opened(state)
    verdict = replica.judge(found)
    first = repeated(found, replica.clocks)
    if first and verdict is not Verdict.GAP:
        check_same(update, first, stored_since(replica, first), foreign=foreign)
    if verdict is not Verdict.NEW:
        return Examined(verdict, fragments)
    clients = tuple({client for client, _, end in found.structs if end > replica.clocks.get(client, 0)})
    if clients and fragments > MOST_FRAGMENTS:
        raise UpdateRefused("The text of this document is in too many pieces to grow further.", limit="fragments")
    if not is_causal(update, found, replica.clocks):
        raise UpdateRefused("These changes wait for each other.", limit="order")
    check_cuts(update, found, replica.pairs, replica.clocks)
    pieces = cut(joined(update), replica.clocks, turn(fragments, replica.size))
    if not _try(replica, pieces):
        return Examined(Verdict.KNOWN, fragments)
    return Examined(verdict, fragments, found.inserted_bytes, clients, tuple(pieces))


def examine_plan(state: bytes, plan: Plan, client_id: int) -> Examined:
    """Make an edit on a document's state in the name of a new client. Raises what `plan` raises."""
    replica, fragments = _opened(state, client_id)
    before, clocks = replica.size, dict(replica.clocks)
    splices = plan(replica.text)
    if not splices:
        return Examined(Verdict.KNOWN, fragments)
    update, _ = replica.edit(splices)
    pieces = cut(update, clocks, turn(fragments, before))
    return Examined(Verdict.NEW, fragments, max(0, replica.size - before), (client_id,), tuple(pieces))


def _opened(state: bytes, client_id: int = 1) -> tuple[Replica, int]:
    """The document, and how many structs it has."""
    replica = Replica(client_id)
    found = scan(state)
    replica.load([state], [found])
    return replica, found.things - len(found.deletes)


def _try(replica: Replica, pieces: Sequence[bytes]) -> bool:
    """Apply the pieces; gives whether any changed something. Raises UpdateRefused."""
    changed = False
    for piece in pieces:
        began = time.thread_time()
        try:
            changed |= replica.apply_if_new(piece) is not None
        except EngineFailed:
            raise UpdateRefused("These changes could not be applied.", limit="content") from None
        if time.thread_time() - began > _MOST_SECONDS:
            raise UpdateRefused("These changes take too long to apply.", limit="work")
    return changed
