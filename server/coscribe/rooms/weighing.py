"""A room's large updates: examined in the workshop, one after another, and taken in a piece a turn of the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from coscribe.core.admission import Admission, foreign_to
from coscribe.core.examination import Examined, Plan
from coscribe.core.exchange import Exchange
from coscribe.core.intake import Accepted
from coscribe.core.offers import Load
from coscribe.core.replica import EngineFailed, Replica
from coscribe.errors import InvalidInput, Malformed, Unavailable, UpdateRefused
from coscribe.rooms.history import new_client_id
from coscribe.rooms.workshop import Workshop

# Pieces that a room takes in at one turn when it closes: some 10 ms each, while all other documents wait.
_MOST_AT_CLOSE = 24
# After a longer piece others have the loop for as long as it took: a keystroke takes some ten turns of the loop until
# it is saved, and would wait for as many pieces.
_QUICK_S = 0.02
_CLOSING = "The document is being closed; try again."


@dataclass(frozen=True, slots=True)
class Host:
    """What the weighing asks of its room."""

    is_open: Callable[[], bool]
    changed: Callable[[], None]
    failed: Callable[[], None]


class Weighing:
    """What of one room is at the workshop or on its way in."""

    def __init__(self, exchange: Exchange, workshop: Workshop, host: Host) -> None:
        self._exchange = exchange
        self._workshop = workshop
        self._host = host
        self._turn = asyncio.Lock()
        self._admission: Admission | None = None
        self._tasks: dict[asyncio.Task[None], str] = {}

    def start(self) -> None:
        """Begin with what sessions have brought."""
        if not self._host.is_open():
            self._exchange.offers.loads.clear()
        while self._exchange.offers.loads:
            load = self._exchange.offers.loads.pop(0)
            task = asyncio.create_task(self._bring_of_session(load), name=f"weigh for {load.session_id}")
            self._tasks[task] = load.session_id
            task.add_done_callback(self._tasks.pop)

    def is_at(self, session_id: str) -> bool:
        """Whether something of a session is on its way."""
        return bool(self._tasks) and session_id in self._tasks.values()

    async def settled(self, session_id: str) -> None:
        """Wait until nothing of a session is on its way: its next frame may build on it."""
        tasks = [task for task, owner in self._tasks.items() if owner == session_id]
        if tasks:
            await asyncio.wait(tasks)

    async def bring(self, load: Load) -> Accepted | None:
        """Take in a load; gives the last of its pieces, None when all of it is known.

        Raises Malformed, UpdateRefused, InvalidInput for a gap, Unavailable, EngineFailed.
        """
        # In line from here on: what waits for another update of this room takes memory too.
        with self._workshop.line(len(load.update)):
            async with self._turn:
                if self._is_gone(load):
                    return None
                foreign = foreign_to(load, self._exchange.intake)
                examined = await self._workshop.examine(self._state, load.update, foreign)
                return await self._admit(load, examined)

    def _is_gone(self, load: Load) -> bool:
        """Whether its session has left: it has the update still, and brings it again."""
        return load.session is not None and load.session.id not in self._exchange.sessions

    async def bring_edit(self, load: Load, plan: Plan, check: Callable[[], None]) -> Accepted | None:
        """Make an edit by a plan and take it in; `check` may still object before. Raises as `bring`, and as both do."""
        async with self._turn:
            examined = await self._workshop.plan(self._state, plan, new_client_id())
            check()
            return await self._admit(load, examined)

    async def bring_edit_on(self, base: Replica, load: Load, plan: Plan) -> Accepted | None:
        """As `bring_edit`, of a past text."""
        async with self._turn:
            examined = await self._workshop.plan(base.diff, plan, new_client_id())
            # Those that were counted are the past's.
            return await self._admit(load, replace(examined, fragments=self._exchange.intake.fragments))

    def _state(self) -> bytes:
        if not self._host.is_open():
            raise Unavailable(_CLOSING)
        self._exchange.flush()
        return self._exchange.intake.replica.diff()

    async def _admit(self, load: Load, examined: Examined) -> Accepted | None:
        if not self._host.is_open():
            raise Unavailable(_CLOSING)
        admission = Admission(self._exchange, load, examined)
        admission.begin()
        self._admission = admission
        try:
            while await self._step(admission):
                pass
        except UpdateRefused as refusal:
            if admission.last is not None:
                # Half of it is in, which nobody may be left with: the next room is made without it.
                raise EngineFailed("an update met other content for its clocks half way") from refusal
            self._admission = None
            self._exchange.intake.shut()
            self._host.changed()  # what others typed meanwhile was kept back with it
            raise
        if self._admission is not admission:
            raise Unavailable(_CLOSING)
        self._admission = None
        admission.end()
        self._host.changed()
        return admission.last

    async def _step(self, admission: Admission) -> bool:
        """Take in the next piece, alone of all rooms, and let others have the loop; False when there is none."""
        async with self._workshop.pieces:
            began = time.monotonic()
            if self._admission is not admission or not admission.step():
                return False
            took_s = time.monotonic() - began
            self._host.changed()
            await asyncio.sleep(took_s if took_s > _QUICK_S else 0)
        return True

    async def _bring_of_session(self, load: Load) -> None:
        session, slot = load.session, load.slot
        if session is None or slot is None:
            return
        try:
            await self.bring(load)
        except UpdateRefused as refusal:
            self._exchange.offers.refuse(session, slot, refusal)
        except Malformed as error:
            session.break_off(error)
        except InvalidInput:
            # It would wait with all that its author types on; a new conversation begins with what is missing.
            session.outbox.close(1013, "Too much was sent ahead of a missing change.")
        except Unavailable as error:
            session.outbox.close(1013, str(error))
        except EngineFailed as failure:
            if isinstance(failure.__cause__, UpdateRefused):
                self._exchange.offers.refuse(session, slot, failure.__cause__)
            else:
                session.outbox.close(4400, "This change could not be applied.")
            self._host.failed()

    def close(self) -> bool:
        """Take in at once what is on its way in, if that is little, and give the rest up: its authors have it still.

        False when that was half of an update: what came since is given up with it, the replica is of no more use.
        """
        admission, self._admission = self._admission, None
        self._cancel()
        return admission is None or self._finish(admission)

    def _finish(self, admission: Admission) -> bool:
        try:
            if any(not admission.step() for _ in range(_MOST_AT_CLOSE)):
                admission.end()
                return True
        except (UpdateRefused, EngineFailed):
            pass
        self._exchange.intake.withdraw()
        return False

    def abandon(self) -> None:
        """Give all of it up: the replica is not to be used again."""
        self._admission = None
        self._exchange.intake.withdraw()
        self._cancel()

    def _cancel(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
