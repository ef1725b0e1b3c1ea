"""Questions that come together, asked as one: a thousand people who come at once are a handful of queries.

What comes while one query is on its way goes into the next: one costs 0.6 ms, whatever it asks for. An error is for all
who asked together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

# A query names so many keys at most; SQLite bears 32,766.
_MOST_KEYS = 500
# For so long at the most the next query waits for the one before it: one that hangs must not hold up all others.
_BEHIND_S = 0.02


class _Round(Generic[Answer]):
    """Keys that are asked for together, and the answers once they are there."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.answers: asyncio.Future[Mapping[str, Answer]] = asyncio.get_running_loop().create_future()


class Gathering(Generic[Answer]):
    """Asks for keys by `load`. What is answered was read after it was asked for, as by a query of one's own."""

    def __init__(self, load: Callable[[set[str]], Awaitable[Mapping[str, Answer]]]) -> None:
        self._load = load
        self._round: _Round[Answer] | None = None
        self._newest: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def one(self, key: str) -> Answer | None:
        """The answer to a key, None where there is none. Raises what `load` raises."""
        asked = self._round
        if asked is None:
            asked = self._round = _Round()
            task = self._newest = asyncio.create_task(self._run(asked, self._newest))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        asked.keys.add(key)
        if len(asked.keys) >= _MOST_KEYS:
            self._round = None
        # Who leaves must not take the answer from the others.
        return (await asyncio.shield(asked.answers)).get(key)

    async def _run(self, asked: _Round[Answer], before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before], timeout=_BEHIND_S)
        if self._round is asked:
            self._round = None
        try:
            answers = await self._load(asked.keys)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is for those who asked
            asked.answers.set_exception(error)
            asked.answers.exception()  # all of them may have left
        else:
            asked.answers.set_result(answers)
        if self._newest is asyncio.current_task():
            self._newest = None
