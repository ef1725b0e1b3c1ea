"""The JSON of the REST interface: what comes in is refused when it holds a field that is not named here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from coscribe.model import Access, Document, Link, Principal, PrincipalKind, Role
from coscribe.services.documents import LANGUAGE_DEFAULT, TITLE_MOST, Seen
from coscribe.services.identity import COLOURS, NAME_MOST

_ID = "Vb3kX9mQ2sT7wLpR4nYc8d"
_PERSON_ID = "h5JtZ1oGqE6vKu0xBwD2Mf"
_TIME = "2026-03-01T09:30:00.000000Z"

# Raw input may be longer than what is left of it once white space is collapsed.
_RAW_LINE_MOST = 2000

Seq = Annotated[int, Field(ge=0, description="Position in the document's log; 0 before the first entry.")]
Language = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9+#._-]{0,31}$", description="What the text is written in.", examples=["markdown"]),
]


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies beyond the year 9999") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Incoming(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Outgoing(BaseModel):
    model_config = ConfigDict(frozen=True)


class Person(_Outgoing):
    """A principal as others see it."""

    id: str = Field(examples=[_PERSON_ID])
    kind: PrincipalKind
    name: str = Field(examples=["Anonymous Otter"])
    colour: int = Field(ge=0, lt=COLOURS, description="Index into the twelve presence colours.")

    @classmethod
    def of(cls, principal: Principal) -> Person:
        """The person that a principal is."""
        return cls(id=principal.id, kind=principal.kind, name=principal.name, colour=principal.colour)


class MeChange(_Incoming):
    """What to change of oneself."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Ada", "colour": 4}]})

    name: str | None = Field(
        None, max_length=_RAW_LINE_MOST, description=f"1 to {NAME_MOST} characters once invisible ones are gone."
    )
    colour: int | None = Field(None, ge=0, lt=COLOURS, strict=True)


class DocumentCreate(_Incoming):
    """What a new document starts with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "# Minutes\n\n- [ ] Agenda\n"}]})

    title: str = Field(
        "",
        max_length=_RAW_LINE_MOST,
        description=f"At most {TITLE_MOST} characters once invisible ones are gone; empty: taken from the text.",
    )
    text: str = Field("", description="Line ends become LF.")
    language: Language = LANGUAGE_DEFAULT
    access: Access | None = Field(
        None,
        description="What anyone with the address may do. Without it `editor` for a guest's document and `restricted` "
        "for one of an account or a token.",
    )


class DocumentChange(_Incoming):
    """What to change of a document; what is absent stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Minutes of March", "access": "viewer"}]})

    title: str | None = Field(
        None,
        max_length=_RAW_LINE_MOST,
        description=f"At most {TITLE_MOST} characters once invisible ones are gone; empty returns to the title "
        "taken from the text.",
    )
    language: Language | None = None
    access: Access | None = Field(None, description="Only the owner may change it.")


class DocumentOut(_Outgoing):
    """A document as the caller sees it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID, "title": "Minutes", "title_by_hand": False, "language": "markdown", "generation": 1,
                    "seq": 42, "role": "owner", "access": "editor",
                    "owner": {"id": _PERSON_ID, "kind": "guest", "name": "Anonymous Otter", "colour": 3},
                    "created_at": _TIME, "updated_at": _TIME, "trashed_at": None,
                }
            ]
        }
    )  # fmt: skip

    id: str
    title: str
    title_by_hand: bool = Field(description="Whether a person set the title; otherwise it follows the text.")
    language: str
    generation: int = Field(description="Rises when the document's CRDT lineage is replaced.")
    seq: Seq
    role: Role = Field(description="The caller's own role.")
    access: Access = Field(description="What anyone with the address may do.")
    owner: Person | None = Field(description="Null when the owner is no longer known.")
    created_at: datetime
    updated_at: datetime
    trashed_at: datetime | None

    @classmethod
    def of(cls, seen: Seen) -> DocumentOut:
        """The document as one caller sees it."""
        document: Document = seen.document
        return cls(
            id=document.id, title=document.title, title_by_hand=document.title_by_hand, language=document.language,
            generation=document.generation, seq=document.seq, role=seen.role, access=document.access,
            owner=Person.of(seen.owner) if seen.owner else None, created_at=document.created_at,
            updated_at=document.updated_at, trashed_at=document.trashed_at,
        )  # fmt: skip


class DocumentPage(_Outgoing):
    """A page of documents, newest change first."""

    items: list[DocumentOut]
    next: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")


class WrittenOut(_Outgoing):
    """Where a write came to stand. It is durable when this is answered."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"generation": 1, "seq": 43, "changed": True}]})

    generation: int
    seq: Seq
    changed: bool = Field(description="False when the text already was as asked.")


class LinkCreate(_Incoming):
    """What a new link gives."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "viewer"}]})

    role: Literal[Role.VIEWER, Role.COMMENTER, Role.EDITOR]
    expires_at: Moment | None = Field(None, description="Without it the link stands until it is revoked.")


class LinkOut(_Outgoing):
    """A link without its secret, which is shown once, when the link is made."""

    id: str = Field(examples=[_ID])
    role: Role
    created_at: datetime
    expires_at: datetime | None
    expired: bool

    @classmethod
    def fields_of(cls, link: Link) -> dict[str, Any]:
        """The fields that every form of a link shows."""
        return {
            "id": link.id, "role": link.role, "created_at": link.created_at, "expires_at": link.expires_at,
            "expired": link.expires_at is not None and link.expires_at <= datetime.now(UTC),
        }  # fmt: skip


class NewLinkOut(LinkOut):
    """A link that was just made."""

    url: str = Field(
        description="The whole address with the secret; it cannot be shown again.",
        examples=["http://127.0.0.1:8000/r/csl_0vY3nSP0xJt5p7xkfLZ2mJ0ZfQm5wE3l1cB8uR6aTqk"],
    )


class LinkList(_Outgoing):
    """All links of a document, oldest first."""

    items: list[LinkOut]


class HealthOut(_Outgoing):
    """How the server is."""

    status: Literal["ok"]
    warning: str | None = Field(None, description="What will soon be in the way; left out while nothing is.")
