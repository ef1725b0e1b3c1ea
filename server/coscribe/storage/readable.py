"""Which documents a principal may read, as a condition of SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, or_, select

from coscribe.model import Access
from coscribe.storage.tables import documents, grants, links, visits

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


def link_stands(now: datetime) -> ColumnElement[bool]:
    """Whether a link has not expired; one that expires at `now` has."""
    return or_(links.c.expires_at.is_(None), links.c.expires_at > now)


def readable_by(principal_id: str, now: datetime) -> ColumnElement[bool]:
    """Documents it owns, was granted by a link that stands, or has opened and that general access allows."""
    same_link = and_(links.c.document_id == grants.c.document_id, links.c.id == grants.c.link_id)
    granted = (
        select(grants.c.document_id)
        .join(links, same_link)
        .where(grants.c.principal_id == principal_id, link_stands(now))
    )
    visited = select(visits.c.document_id).where(visits.c.principal_id == principal_id)
    return or_(
        documents.c.owner_id == principal_id,
        documents.c.id.in_(granted),
        and_(documents.c.access != Access.RESTRICTED.value, documents.c.id.in_(visited)),
    )
