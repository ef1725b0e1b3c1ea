"""REST: documents, without their text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, status

from coscribe.api.bodies import content_type
from coscribe.api.callers import Asking, principal_of
from coscribe.api.openapi import made_at, problems
from coscribe.api.schemas import DocumentChange, DocumentCreate, DocumentOut, DocumentPage
from coscribe.api.wiring import Wired
from coscribe.ports import DocumentChanges, DocumentQuery
from coscribe.services.documents import NewDocument

PAGE_MOST = 100
_Q = (
    "Part of the title, or beginnings of words of the text, all of which are in it; upper and lower case alike. "
    "A text is searched as it stood up to a minute ago, in its first 50,000 characters."
)

router = APIRouter(tags=["documents"])
_json = Depends(content_type("application/json"))


@router.post(
    "/documents", operation_id="createDocument", summary="Make a document", status_code=status.HTTP_201_CREATED,
    dependencies=[_json],
    responses={201: made_at("/api/v1/documents/Vb3kX9mQ2sT7wLpR4nYc8d"), **problems(400, 401, 403, 413, 415, 422, 503)},
)  # fmt: skip
async def create(
    body: DocumentCreate, request: Request, response: Response, caller: Asking, wiring: Wired
) -> DocumentOut:
    """Make a document that the caller owns; a visitor without a credential becomes a guest and gets a cookie."""
    new = NewDocument(title=body.title, text=body.text, language=body.language, access=body.access)
    owner = await principal_of(request, response, wiring, caller)
    seen = await wiring.documents.create(owner, new)
    response.headers["Location"] = f"/api/v1/documents/{seen.document.id}"
    return DocumentOut.of(seen)


@router.get(
    "/documents", operation_id="listDocuments", summary="List one's documents",
    responses=problems(401, 422, 503),
)  # fmt: skip
async def listing(
    caller: Asking,
    wiring: Wired,
    q: Annotated[str, Query(max_length=200, description=_Q)] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_MOST)] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="`next` of the page before.")] = None,
    trashed: Annotated[bool, Query(description="The caller's trash in place of his documents.")] = False,
) -> DocumentPage:
    """Documents that the caller owns, was granted or has opened, newest change first; none without a credential."""
    if caller.principal is None:
        return DocumentPage(items=[], next=None)
    query = DocumentQuery(caller.principal.id, q=q, trashed=trashed, limit=limit, cursor=cursor)
    page, following = await wiring.documents.page(caller, query)
    return DocumentPage(items=[DocumentOut.of(seen) for seen in page], next=following)


@router.get(
    "/documents/{document_id}", operation_id="getDocument", summary="Look at a document",
    responses=problems(401, 404, 503),
)  # fmt: skip
async def get(document_id: str, caller: Asking, wiring: Wired) -> DocumentOut:
    """The document; it counts as opened by the caller from now on."""
    return DocumentOut.of(await wiring.documents.get(document_id, caller))


@router.patch(
    "/documents/{document_id}", operation_id="changeDocument", summary="Rename or share a document",
    dependencies=[_json], responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
)  # fmt: skip
async def change(document_id: str, body: DocumentChange, caller: Asking, wiring: Wired) -> DocumentOut:
    """Change title and language (editors) or general access (the owner); who loses access is cut off at once."""
    changes = DocumentChanges(title=body.title, language=body.language, access=body.access)
    return DocumentOut.of(await wiring.documents.change(document_id, caller, changes))


@router.delete(
    "/documents/{document_id}", operation_id="deleteDocument", summary="Trash or purge a document",
    status_code=status.HTTP_204_NO_CONTENT, responses=problems(401, 403, 404, 422, 503),
)  # fmt: skip
async def delete(
    document_id: str,
    caller: Asking,
    wiring: Wired,
    permanent: Annotated[bool, Query(description="Remove it for good; only from the trash.")] = False,
) -> None:
    """Move a document to the trash, or remove one that is there for good. The owner may."""
    if permanent:
        await wiring.documents.purge(document_id, caller)
    else:
        await wiring.documents.trash(document_id, caller)


@router.post(
    "/documents/{document_id}/restore", operation_id="restoreDocument", summary="Take a document out of the trash",
    responses=problems(401, 403, 404, 503),
)  # fmt: skip
async def restore(document_id: str, caller: Asking, wiring: Wired) -> DocumentOut:
    """Take a document out of the trash; one that is not there stays as it is. The owner may."""
    return DocumentOut.of(await wiring.documents.restore(document_id, caller))
