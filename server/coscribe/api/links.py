"""REST: links with a secret."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, status

from coscribe.api.bodies import content_type
from coscribe.api.callers import Asking
from coscribe.api.openapi import problems
from coscribe.api.schemas import LinkCreate, LinkList, LinkOut, NewLinkOut
from coscribe.api.wiring import Wired
from coscribe.model import Role

router = APIRouter(tags=["links"])


@router.post(
    "/documents/{document_id}/links", operation_id="createLink", summary="Make a link",
    status_code=status.HTTP_201_CREATED, dependencies=[Depends(content_type("application/json"))],
    responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503),
)  # fmt: skip
async def create(document_id: str, body: LinkCreate, request: Request, caller: Asking, wiring: Wired) -> NewLinkOut:
    """Make a link that gives a role to whoever holds it. Its address is shown this once. The owner may."""
    link, secret = await wiring.links.create(document_id, caller, body.role, body.expires_at)
    page = "r" if link.role is Role.VIEWER else "s"
    return NewLinkOut(**LinkOut.fields_of(link), url=f"{str(request.base_url).rstrip('/')}/{page}/{secret}")


@router.get(
    "/documents/{document_id}/links", operation_id="listLinks", summary="List a document's links",
    responses=problems(401, 403, 404, 503),
)  # fmt: skip
async def listing(document_id: str, caller: Asking, wiring: Wired) -> LinkList:
    """All links of the document, expired ones too, without their secrets. The owner may."""
    links = await wiring.links.listing(document_id, caller)
    return LinkList(items=[LinkOut(**LinkOut.fields_of(link)) for link in links])


@router.delete(
    "/documents/{document_id}/links/{link_id}", operation_id="revokeLink", summary="Revoke a link",
    status_code=status.HTTP_204_NO_CONTENT, responses=problems(401, 403, 404, 503),
)  # fmt: skip
async def revoke(document_id: str, link_id: str, caller: Asking, wiring: Wired) -> None:
    """Revoke a link; whoever came by it loses access at once. The owner may."""
    await wiring.links.revoke(document_id, link_id, caller)
