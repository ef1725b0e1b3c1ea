"""What is to be stored of documents beside their texts, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Errands(Generic[T]):
    """One task for all rooms: a thousand that pause in one moment had a thousand transactions begun, in 20 MB.

    `run` is given what is wanted of a document, of which only the newest waits. `failed` hears which document's errand
    was in vain, and why.
    """

    def __init__(
        self, name: str, run: Callable[[str, T], Awaitable[None]], failed: Callable[[str, Exception], None]
    ) -> None:
        self._name = name
        self._run = run
        self._failed = failed
        self._waiting: dict[str, T] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._go(), name=self._name)

    async def close(self) -> None:
        """Stop; what waits is given up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def ask(self, document_id: str, wanted: T) -> None:
        """Have this done for a document when it is its turn."""
        self._waiting[document_id] = wanted
        self._wake.set()

    def drop(self, document_id: str) -> None:
        """Do nothing for a document that has not been done yet."""
        self._waiting.pop(document_id, None)

    async def _go(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                document_id = next(iter(self._waiting))
                try:
                    # Not kept by a name: the last one would stay in memory until there is another.
                    await self._run(document_id, self._waiting.pop(document_id))
                except Exception as error:  # noqa: BLE001 - whatever it was, others are still to be done
                    self._failed(document_id, error)
