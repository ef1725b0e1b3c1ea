"""Documents as a person or a script deals with them: made, listed, named, shared, trashed, restored, purged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from coscribe.core.title import SEARCHED, title_of
from coscribe.core.words import words_of
from coscribe.errors import Forbidden, InvalidInput, NotFound
from coscribe.model import Access, ActivityKind, Document, Principal, PrincipalKind, Role, new_id
from coscribe.ports import DocumentChanges, DocumentQuery, Documents, Grants, Principals
from coscribe.rooms.registry import Registry
from coscribe.services.access import GONE, AccessService, Caller
from coscribe.services.chronicle import Chronicle, Named
from coscribe.services.texts import TextService
from coscribe.services.visits import Visits
from coscribe.services.wording import one_line

TITLE_MOST = 200
LANGUAGE_DEFAULT = "markdown"


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What a new document starts with; `access` None lets the owner's kind decide."""

    title: str = ""
    text: str = ""
    language: str = LANGUAGE_DEFAULT
    access: Access | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A document as one caller sees it: with its owner and the caller's own role."""

    document: Document
    role: Role
    owner: Principal | None


class DocumentService:
    """Every way to make, find or change a document, but for its text (texts.py)."""

    def __init__(  # noqa: PLR0913 - the parts meet here, each is a port or a service of its own
        self,
        documents: Documents,
        principals: Principals,
        grants: Grants,
        *,
        access: AccessService,
        texts: TextService,
        chronicle: Chronicle,
        registry: Registry,
        most_per_guest: int,
    ) -> None:
        self._documents = documents
        self._principals = principals
        self._visits = Visits(grants)
        self._access = access
        self._texts = texts
        self._chronicle = chronicle
        self._registry = registry
        self._most_per_guest = most_per_guest

    async def create(self, owner: Principal, new: NewDocument) -> Seen:
        """Make a document; a text that cannot be stored leaves nothing behind.

        A guest's document may be edited by whoever has its address, since nobody could be invited otherwise; one of an
        account or a token is restricted unless said. Raises Forbidden for a guest who owns too many.
        """
        await self._require_place(owner)
        text = self._texts.storable(new.text)
        title = clean_title(new.title)
        now = datetime.now(UTC)
        access = new.access or (Access.EDITOR if owner.kind is PrincipalKind.GUEST else Access.RESTRICTED)
        document = Document(
            id=new_id(), title=title or title_of(text[:SEARCHED]), title_by_hand=bool(title), language=new.language,
            owner_id=owner.id, generation=1, seq=0, access=access, created_at=now, updated_at=now, trashed_at=None,
        )  # fmt: skip
        await self._chronicle.create(document, owner)
        if text:
            await self._write_first(document, owner, text)
        return Seen(await self._known(document.id), Role.OWNER, owner)

    async def _require_place(self, owner: Principal) -> None:
        if owner.kind is PrincipalKind.GUEST and await self._documents.owned(owner.id) >= self._most_per_guest:
            reason = f"A guest may own {self._most_per_guest} documents. Delete one for good to make another."
            raise Forbidden(reason, limit="max_documents_per_guest")

    async def _write_first(self, document: Document, owner: Principal, text: str) -> None:
        try:
            await self._texts.write_first(document, owner, text)
        except BaseException:
            await self._documents.purge(document.id)
            raise

    async def get(self, document_id: str, caller: Caller) -> Seen:
        """The document, which from now on is among those that the caller has opened."""
        document, role = await self._access.require(document_id, caller, Role.VIEWER)
        if caller.principal is not None and role is not Role.OWNER:
            await self._visits.note(document.id, caller.principal.id)
        return await self._seen(document, role)

    async def page(self, caller: Caller, query: DocumentQuery) -> tuple[list[Seen], str | None]:
        """One page of the caller's documents and the cursor of the next one; `query.principal_id` is the caller's."""
        documents, following = await self._documents.page(replace(query, words=words_of(query.q)))
        owners = await self._principals.many(sorted({document.owner_id for document in documents}))
        seen = []
        for document in documents:
            role = await self._access.role(document, caller)
            if role is not None:
                seen.append(Seen(document, role, owners.get(document.owner_id)))
        return seen, following

    async def change(self, document_id: str, caller: Caller, changes: DocumentChanges) -> Seen:
        """Change title and language (editors) or access (the owner); an empty title lets the text name the document.

        What needs a role that the caller lacks, or a value that cannot be used, stops all of it.
        """
        needed = Role.OWNER if changes.access is not None else Role.EDITOR
        document, role = await self._access.require(document_id, caller, needed)
        if changes.title is not None:
            changes = replace(changes, title=clean_title(changes.title))
        if changes.title == "":
            document = await self._unname(document, caller.actor)
            changes = replace(changes, title=None)
        for part, activity in _steps(document, changes):
            document = await self._chronicle.change(document_id, part, caller.actor, activity)
        if changes.access is not None:
            await self._access.reapply(document)
        return await self._seen(document, role)

    async def _unname(self, document: Document, author: Principal) -> Document:
        """Let the text name the document again."""
        if not document.title_by_hand:
            return document
        await self._chronicle.change(document.id, DocumentChanges(title=""), author, None)
        title = await self._texts.title(document)
        derived = DocumentChanges(title=title, title_by_hand=False)
        return await self._chronicle.change(document.id, derived, author, (ActivityKind.RENAMED, {"title": title}))

    async def trash(self, document_id: str, caller: Caller) -> None:
        """Move the document to the trash and close whatever is open on it; again changes nothing. The owner may."""
        document, _ = await self._access.require(document_id, caller, Role.OWNER, in_trash=True)
        if document.trashed_at is None:
            changes = DocumentChanges(trashed=True)
            await self._chronicle.change(document_id, changes, caller.actor, (ActivityKind.TRASHED, {}))
        await self._registry.drop(document_id, code=GONE, reason="The document was moved to the trash.")

    async def restore(self, document_id: str, caller: Caller) -> Seen:
        """Take the document out of the trash; again changes nothing. The owner may."""
        document, role = await self._access.require(document_id, caller, Role.OWNER, in_trash=True)
        if document.trashed_at is not None:
            changes = DocumentChanges(trashed=False)
            document = await self._chronicle.change(document_id, changes, caller.actor, (ActivityKind.RESTORED, {}))
        return await self._seen(document, role)

    async def purge(self, document_id: str, caller: Caller) -> None:
        """Remove a trashed document for good; raises InvalidInput while it is not in the trash. The owner may."""
        document, _ = await self._access.require(document_id, caller, Role.OWNER, in_trash=True)
        if document.trashed_at is None:
            raise InvalidInput("Only a document in the trash can be removed for good.", field="permanent")
        await self._registry.drop(document_id, code=GONE, reason="The document was removed.")
        await self._documents.purge(document_id)

    async def _known(self, document_id: str) -> Document:
        document = await self._documents.get(document_id)
        if document is None:
            raise NotFound("There is no such document.")
        return document

    async def _seen(self, document: Document, role: Role) -> Seen:
        return Seen(document, role, await self._principals.get(document.owner_id))


def clean_title(title: str) -> str:
    """A title on one line, possibly empty; raises InvalidInput when it is too long."""
    line = one_line(title)
    if len(line) > TITLE_MOST:
        raise InvalidInput(f"The title may have at most {TITLE_MOST} characters.", field="title")
    return line


def _steps(document: Document, changes: DocumentChanges) -> list[tuple[DocumentChanges, Named | None]]:
    """What really changes, each with the activity that tells of it: naming and sharing are two things to people."""
    steps: list[tuple[DocumentChanges, Named | None]] = []
    if changes.title is not None and (changes.title != document.title or not document.title_by_hand):
        naming = DocumentChanges(title=changes.title, language=changes.language)
        steps.append((naming, (ActivityKind.RENAMED, {"title": changes.title})))
    elif changes.language is not None and changes.language != document.language:
        steps.append((DocumentChanges(language=changes.language), None))
    if changes.access is not None and changes.access is not document.access:
        sharing = DocumentChanges(access=changes.access)
        steps.append((sharing, (ActivityKind.SHARED, {"access": changes.access.value})))
    return steps
