"""Links with a secret: they give a role on one document to whoever holds them, until they expire or are revoked.

A viewer link opens the read page and never tells the document's id, so it cannot be turned into anything more. The
other links are exchanged for a grant on the visitor's own session.
"""

from __future__ import annotations

from datetime import UTC, datetime

from coscribe.errors import InvalidInput, NotFound
from coscribe.model import ActivityKind, Document, Link, Principal, Role, new_id
from coscribe.ports import Documents, Grants
from coscribe.services.access import AccessService, Caller
from coscribe.services.chronicle import Chronicle
from coscribe.services.identity import LINK_PREFIX, digest, new_secret

# More links than this on one document are a mistake or an attack; each is checked when roles are reapplied.
LINKS_MOST = 100

_UNKNOWN = "There is no such link, or it was revoked or has expired."


class LinkService:
    """Makes, lists, opens and revokes links."""

    def __init__(self, access: AccessService, documents: Documents, grants: Grants, chronicle: Chronicle) -> None:
        self._access = access
        self._documents = documents
        self._grants = grants
        self._chronicle = chronicle

    async def create(
        self, document_id: str, caller: Caller, role: Role, expires_at: datetime | None
    ) -> tuple[Link, str]:
        """A new link and its secret, which nothing can show again. Only the owner may; raises InvalidInput."""
        if role is Role.OWNER:
            raise InvalidInput("A link makes nobody an owner.", field="role")
        now = datetime.now(UTC)
        if expires_at is not None and expires_at <= now:
            raise InvalidInput("The link would have expired already.", field="expires_at")
        document, _ = await self._access.require(document_id, caller, Role.OWNER)
        if len(await self._grants.links(document.id)) >= LINKS_MOST:
            raise InvalidInput(f"A document has at most {LINKS_MOST} links; revoke one first.")
        secret = new_secret(LINK_PREFIX)
        link = Link(new_id(), document.id, role, digest(secret), now, expires_at)
        await self._grants.add_link(link)
        await self._chronicle.write(document.id, ActivityKind.SHARED, caller.actor, link=role.value, action="created")
        return link, secret

    async def listing(self, document_id: str, caller: Caller) -> list[Link]:
        """The document's links, expired ones too; only the owner may see them."""
        document, _ = await self._access.require(document_id, caller, Role.OWNER, in_trash=True)
        return await self._grants.links(document.id)

    async def revoke(self, document_id: str, link_id: str, caller: Caller) -> None:
        """Remove a link; whoever came by it loses what it gave at once. Raises NotFound."""
        document, _ = await self._access.require(document_id, caller, Role.OWNER, in_trash=True)
        if not await self._grants.revoke_link(document.id, link_id):
            raise NotFound("There is no such link.")
        await self._access.reapply(document)
        await self._chronicle.write(document.id, ActivityKind.SHARED, caller.actor, action="revoked")

    async def reading(self, secret: str) -> tuple[Document, Caller]:
        """The document of a viewer link and the caller that its bearer is; raises NotFound."""
        link = await self._link(secret)
        if link.role is not Role.VIEWER:
            raise NotFound(_UNKNOWN)
        caller = Caller(None, link)
        document, _ = await self._access.enter(link.document_id, caller)
        return document, caller

    async def exchange(self, secret: str, principal: Principal) -> Document:
        """Grant the principal the role of a commenter's or editor's link; raises NotFound."""
        link = await self._link(secret)
        document = await self._documents.get(link.document_id)
        if link.role is Role.VIEWER or document is None or document.trashed_at is not None:
            raise NotFound(_UNKNOWN)
        await self._grants.grant_by_link(link, principal.id)
        return document

    async def _link(self, secret: str) -> Link:
        link = await self._grants.link_by_secret(digest(secret))
        if link is None or (link.expires_at is not None and link.expires_at <= datetime.now(UTC)):
            raise NotFound(_UNKNOWN)
        return link
