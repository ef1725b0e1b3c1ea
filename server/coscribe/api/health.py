"""Whether the server runs, and whether it can do its work. For load balancers and service managers; no credential."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coscribe.api.openapi import problems
from coscribe.api.schemas import HealthOut
from coscribe.api.wiring import Wired
from coscribe.errors import Unavailable, cause_of

router = APIRouter(prefix="/health", tags=["health"])


@router.get(
    "/live", operation_id="getLive", summary="Is the process alive", response_model_exclude_none=True,
)  # fmt: skip
async def live(response: Response) -> HealthOut:
    """The event loop answers."""
    response.headers["Cache-Control"] = "no-store"
    return HealthOut(status="ok", warning=None)


@router.get(
    "/ready", operation_id="getReady", summary="Can it take requests", responses=problems(503),
    response_model_exclude_none=True,
)  # fmt: skip
async def ready(response: Response, wiring: Wired) -> HealthOut:
    """The database can be written to and the server is not stopping; 503 with the reason otherwise.

    `warning` says what will soon be in the way, such as a disk that is almost full.
    """
    if wiring.stop.is_set():
        raise Unavailable("The server is stopping.")
    trouble = wiring.registry.trouble
    if trouble is not None:  # such as a full disk, which only a commit meets
        raise Unavailable(f"What people write cannot be stored: {cause_of(trouble)}.") from trouble
    await wiring.health.check()
    response.headers["Cache-Control"] = "no-store"
    return HealthOut(status="ok", warning=wiring.watchdog.warning)
