"""REST: the CRDT itself, for programs that hold a replica of their own. Bytes are Yjs updates, version 1."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from coscribe.api.bodies import content_type
from coscribe.api.callers import Asking
from coscribe.api.etags import entity_tag
from coscribe.api.openapi import ETAG, bytes_body, content, problems
from coscribe.api.schemas import WrittenOut
from coscribe.api.wiring import Wired

_BYTES = "application/octet-stream"

router = APIRouter(tags=["replica"])


@router.get(
    "/documents/{document_id}/state", operation_id="readState", summary="Read the whole state",
    response_class=Response,
    responses={
        200: {
            **content("One Yjs v1 update.", **{_BYTES: {"schema": {"type": "string", "format": "binary"}}}),
            "headers": ETAG,
        },
        **problems(401, 404, 503),
    },
)  # fmt: skip
async def state(document_id: str, caller: Asking, wiring: Wired) -> Response:
    """One update that holds all that is durable; apply it to an empty document. The text is named `content`."""
    found = await wiring.texts.state(document_id, caller)
    headers = {
        "ETag": entity_tag(found.generation, found.seq),
        "Cache-Control": "private, no-cache",
        "Vary": "Cookie, Authorization",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(found.content, headers=headers, media_type=_BYTES)


@router.post(
    "/documents/{document_id}/updates", operation_id="submitUpdate", summary="Submit an update",
    dependencies=[Depends(content_type(_BYTES))],
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
    openapi_extra=bytes_body("One Yjs v1 update that changes the text named `content` and nothing else."),
)  # fmt: skip
async def submit(document_id: str, request: Request, caller: Asking, wiring: Wired) -> WrittenOut:
    """Merge an update. It is durable when this is answered; sending it again changes nothing."""
    written = await wiring.texts.submit(document_id, caller, await request.body())
    return WrittenOut(generation=written.generation, seq=written.seq, changed=written.changed)
