"""REST: the caller himself."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from coscribe.api.bodies import content_type
from coscribe.api.callers import Asking, principal_of
from coscribe.api.openapi import problems
from coscribe.api.schemas import MeChange, Person
from coscribe.api.wiring import Wired

router = APIRouter(tags=["me"])


@router.get("/me", operation_id="getMe", summary="Who am I", responses=problems(401, 403, 503))
async def get(request: Request, response: Response, caller: Asking, wiring: Wired) -> Person:
    """The caller; a visitor without a credential becomes a guest and gets a cookie."""
    response.headers["Cache-Control"] = "no-store"
    return Person.of(await principal_of(request, response, wiring, caller))


@router.patch(
    "/me", operation_id="changeMe", summary="Change name or colour",
    dependencies=[Depends(content_type("application/json"))],
    responses=problems(400, 401, 403, 413, 415, 422, 503),
)  # fmt: skip
async def change(body: MeChange, request: Request, response: Response, caller: Asking, wiring: Wired) -> Person:
    """Change one's name or colour; everybody sees it at once."""
    me = await principal_of(request, response, wiring, caller)
    return Person.of(await wiring.identity.change(me, name=body.name, colour=body.colour))
