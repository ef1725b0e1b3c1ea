"""A rehearsal before the first visitor comes: what would otherwise be made when he asks for it, on his time.

FastAPI makes its routes, SQLAlchemy its statements and connections, and the engine imports half of anyio at their first
use: 30 ms in all, as long as it takes to open a text of 100 KB with a long history.
"""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from coscribe.api.wiring import Wiring
from coscribe.errors import Unavailable

# A database that does not answer now is no reason not to start: whoever comes is told.
_WITHIN_S = 1.0


async def rehearse(app: FastAPI, wiring: Wiring) -> None:
    """Go the way of a socket to its document, up to where there would be one."""
    for route in app.routes:
        route.matches({"type": "websocket", "path": "", "root_path": "", "headers": []})
    try:
        async with asyncio.timeout(_WITHIN_S):
            await wiring.registry.rehearse()
    except (Unavailable, TimeoutError):
        return
