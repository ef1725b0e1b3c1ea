"""Values to store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from coscribe.model import (
    Access,
    ActivityKind,
    Document,
    Link,
    NewActivity,
    NewEntry,
    Principal,
    PrincipalKind,
    Role,
    new_id,
)
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def after(seconds: float) -> datetime:
    return NOW + seconds * SECOND


def a_document(**fields: Any) -> Document:
    given: dict[str, Any] = {
        "id": new_id(),
        "title": "Untitled",
        "title_by_hand": False,
        "language": "markdown",
        "owner_id": "owner",
        "generation": 1,
        "seq": 0,
        "access": Access.RESTRICTED,
        "created_at": NOW,
        "updated_at": NOW,
        "trashed_at": None,
    }
    return Document(**(given | fields))


def an_activity(kind: ActivityKind = ActivityKind.EDITED, **fields: Any) -> NewActivity:
    given: dict[str, Any] = {"kind": kind, "principal_id": "owner", "name": "Otter", "at": NOW, "data": {}}
    return NewActivity(**(given | fields))


def an_entry(payload: bytes = b"\x00\x00", **fields: Any) -> NewEntry:
    given: dict[str, Any] = {"principal_id": "owner", "session_id": "session", "at": NOW, "payload": payload}
    return NewEntry(**(given | fields))


def a_link(document_id: str, role: Role = Role.VIEWER, **fields: Any) -> Link:
    given: dict[str, Any] = {
        "id": new_id(),
        "document_id": document_id,
        "role": role,
        "secret_sha256": new_id(),
        "created_at": NOW,
        "expires_at": None,
    }
    return Link(**(given | fields))


def a_principal(**fields: Any) -> Principal:
    given: dict[str, Any] = {"id": new_id(), "kind": PrincipalKind.GUEST, "name": "Quiet Otter", "colour": 3}
    return Principal(**(given | fields))


async def stored(database: Database, **fields: Any) -> Document:
    """A document that is in the database."""
    document = a_document(**fields)
    await SqlDocuments(database).create(document, an_activity(ActivityKind.CREATED))
    return document
