"""REST: the text of a document. Writes go through the live room as minimal operations: nobody's caret moves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from coscribe.api.bodies import content_type
from coscribe.api.callers import Asking
from coscribe.api.edits import TextPatch
from coscribe.api.etags import entity_tag, matches, positions
from coscribe.api.openapi import ETAG, content, problems, text_body
from coscribe.api.schemas import WrittenOut
from coscribe.api.wiring import Wired
from coscribe.errors import Malformed
from coscribe.services.texts import Basis

# A client may keep a text but has to ask whether it is still current; what one caller may see is not for others.
_CACHING = {"Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}

router = APIRouter(tags=["text"])

IfMatch = Annotated[
    str | None,
    Header(description="Write only onto this text (its `ETag`), otherwise 412.", examples=['"1.42"']),
]
Base = Annotated[
    int | None,
    Query(ge=0, description="The seq of the text that was edited: merged as an edit made at that position."),
]


@router.head("/documents/{document_id}/text", include_in_schema=False)
@router.get(
    "/documents/{document_id}/text", operation_id="readText", summary="Read the text",
    response_class=Response,
    responses={
        200: {
            **content("The text, UTF-8, line ends LF.", **{"text/markdown": {"schema": {"type": "string"}}}),
            "headers": ETAG,
        },
        304: {"description": "The caller's copy is current.", "headers": ETAG},
        **problems(401, 404, 410, 422, 503),
    },
)  # fmt: skip
async def read(
    document_id: str,
    caller: Asking,
    wiring: Wired,
    at: Annotated[int | None, Query(ge=0, description="Any past position; without it the newest.")] = None,
    if_none_match: Annotated[str | None, Header(examples=['"1.42"'])] = None,
) -> Response:
    """The text as it is, or as it was at `at`. Only what is durable is shown."""
    document = await wiring.texts.document(document_id, caller)
    tag = entity_tag(document.generation, document.seq if at is None else at)
    if if_none_match is not None and (at is None or at <= document.seq) and matches(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag, **_CACHING})
    text = await wiring.texts.read(document, at)
    headers = {"ETag": entity_tag(text.generation, text.seq), "X-Content-Type-Options": "nosniff", **_CACHING}
    return Response(text.content, headers=headers, media_type="text/markdown; charset=utf-8")


@router.put(
    "/documents/{document_id}/text", operation_id="writeText", summary="Write the whole text",
    dependencies=[Depends(content_type("text/markdown", "text/plain"))],
    responses=problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
    openapi_extra=text_body("# Minutes\n\nWe met.\n"),
)  # fmt: skip
async def write(
    document_id: str,
    request: Request,
    caller: Asking,
    wiring: Wired,
    if_match: IfMatch = None,
    base: Base = None,
) -> WrittenOut:
    """Replace the text by the body. What is the same in both stays untouched.

    With `If-Match` the write is strict; with `base` the change from the text at that position to the body is merged
    with what others did since; without either the body is compared with the text of now.
    """
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8 at byte {error.start}.") from error
    written = await wiring.texts.put(document_id, caller, text, Basis(positions(if_match), base))
    return WrittenOut(generation=written.generation, seq=written.seq, changed=written.changed)


@router.patch(
    "/documents/{document_id}/text", operation_id="editText", summary="Edit the text",
    dependencies=[Depends(content_type("application/json"))],
    responses=problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 503),
)  # fmt: skip
async def edit(
    document_id: str, body: TextPatch, caller: Asking, wiring: Wired, if_match: IfMatch = None
) -> WrittenOut:
    """Apply a list of edits in order, all of them or none; one that cannot be made is a 409 with its `index`."""
    basis = Basis(positions(if_match), body.base)
    written = await wiring.texts.patch(document_id, caller, body.to_edits(), body.units, basis)
    return WrittenOut(generation=written.generation, seq=written.seq, changed=written.changed)
