"""Waits for what other tasks and processes make true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Return as soon as the condition holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for is made elsewhere
            await asyncio.sleep(0.005)
