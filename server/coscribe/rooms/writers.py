"""Writers over REST: a script's edit is the edit of one more person in the live room, and is answered once durable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coscribe.core.exchange import REST_SESSION, Exchange, Plan
from coscribe.core.intake import Accepted
from coscribe.core.offers import Load
from coscribe.core.replica import EngineFailed, Replica
from coscribe.core.update import EMPTY_UPDATE, TooManyThings
from coscribe.errors import Unavailable
from coscribe.model import Principal
from coscribe.rooms.standing import Standing
from coscribe.rooms.weighing import Weighing

# Characters to be compared by one plan: some 0.2 s at worst, 5 ms as a rule.
_MOST_WEIGHT = 64 * 1024


def light(_length: int) -> int:
    """The weight of a plan that looks at nothing but its own place."""
    return 0


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write over REST, once it is durable."""

    generation: int
    seq: int
    changed: bool


@dataclass(frozen=True, slots=True)
class Door:
    """What writers ask of their room."""

    is_open: Callable[[], bool]
    wrote: Callable[[Principal, Accepted | None], None]
    failed: Callable[[], None]


class Writers:
    """The way in for scripts."""

    def __init__(self, exchange: Exchange, standing: Standing, weighing: Weighing, door: Door) -> None:
        self._exchange = exchange
        self._standing = standing
        self._weighing = weighing
        self._door = door

    async def edit(
        self, author: Principal, plan: Plan, *, expect_seq: int | None = None, weight: Callable[[int], int] = light
    ) -> Written:
        """Change the text by a plan made on the live text; returns once durable.

        `weight` tells how many characters the plan compares in a text of so many bytes; a plan that may be heavy
        can be pickled. Raises PreconditionFailed, UpdateRefused, Unavailable, and what `plan` raises.
        """
        self._require_open()
        try:
            if weight(self._exchange.intake.replica.size) > _MOST_WEIGHT:
                item = await self._edit_elsewhere(author, plan, expect_seq)
            else:
                item = self._exchange.edit(author, plan, expect_seq=expect_seq)
        except EngineFailed as error:
            raise self._failed() from error
        return await self._written(author, item)

    async def edit_at(
        self, author: Principal, base: int, plan: Plan, *, weight: Callable[[int], int] = light
    ) -> Written:
        """Change the text as it stood at the seq `base`, merged with what came since (rule D2); else as `edit`.

        Raises PositionGone where that text cannot be told exactly any more.
        """
        return await self._edit_on(await self._standing.past.replica_at(base), author, plan, weight)

    async def _edit_on(self, base: Replica, author: Principal, plan: Plan, weight: Callable[[int], int]) -> Written:
        self._require_open()
        if weight(base.size) > _MOST_WEIGHT:
            load = Load(EMPTY_UPDATE, author, REST_SESSION, is_live=False)
            try:
                return await self._written(author, await self._weighing.bring_edit_on(base, load, plan))
            except EngineFailed as error:
                raise self._failed() from error
        splices = plan(base.text)
        if not splices:
            return Written(self._exchange.generation, self._exchange.intake.seq, changed=False)
        update, _ = base.edit(splices)
        return await self.submit(author, update)

    async def _edit_elsewhere(self, author: Principal, plan: Plan, expect_seq: int | None) -> Accepted | None:
        """Make the edit on a copy, and merge it with what came meanwhile as the CRDT merges (rule D2)."""

        def check() -> None:
            self._exchange.expect(expect_seq)

        check()
        load = Load(EMPTY_UPDATE, author, REST_SESSION, is_live=False)
        return await self._weighing.bring_edit(load, plan, check)

    async def submit(self, author: Principal, update: bytes) -> Written:
        """Take a Yjs v1 update; returns once durable. Raises Malformed, UpdateRefused, InvalidInput, Unavailable."""
        self._require_open()
        try:
            item = await self._submitted(author, update)
        except EngineFailed as error:
            raise self._failed() from error
        return await self._written(author, item)

    async def _submitted(self, author: Principal, update: bytes) -> Accepted | None:
        try:
            return self._exchange.submit(author, update)
        except TooManyThings:
            return await self._weighing.bring(Load(update, author, REST_SESSION, is_live=False))

    def _require_open(self) -> None:
        if not self._door.is_open():
            raise Unavailable("The document is being closed; try again.")

    def _failed(self) -> Unavailable:
        self._door.failed()
        return Unavailable("The change could not be applied.")

    async def _written(self, author: Principal, item: Accepted | None) -> Written:
        self._door.wrote(author, item)
        return Written(self._exchange.generation, await self._standing.saving.durable(), item is not None)
