"""Who may do what: links, the grants they gave, and visits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from coscribe.errors import NotFound, Unavailable
from coscribe.model import Link, Role
from coscribe.storage.engine import Database, insert_into
from coscribe.storage.gathering import Gathering
from coscribe.storage.readable import Clock, link_stands, utc_now
from coscribe.storage.tables import grants, links, visits


class SqlGrants:
    """The port Grants. `now` decides which links have expired; an expired link's grants give nothing."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self._now = now
        self._gathering = Gathering(self._load)

    async def role_of(self, document_id: str, principal_id: str) -> Role | None:
        """The highest role granted to the principal (not counting ownership and general access)."""
        query = (
            select(links.c.role)
            .join(grants, (links.c.document_id == grants.c.document_id) & (links.c.id == grants.c.link_id))
            .where(
                grants.c.document_id == document_id,
                grants.c.principal_id == principal_id,
                link_stands(self._now()),
            )
        )
        async with self._database.read() as connection:
            roles = [Role(role) for role in (await connection.execute(query)).scalars()]
        return max(roles, key=lambda role: role.rank, default=None)

    async def grant_by_link(self, link: Link, principal_id: str) -> None:
        """Give the principal the link's role for as long as the link stands; NotFound when it was removed."""
        row = {"document_id": link.document_id, "principal_id": principal_id, "link_id": link.id}
        async with self._database.write() as connection:
            try:
                await connection.execute(insert_into(connection, grants).values(row).on_conflict_do_nothing())
            except IntegrityError as error:
                raise NotFound("This link no longer exists.") from error

    async def add_link(self, link: Link) -> None:
        """Store a link; NotFound when its document is gone."""
        row = {
            "document_id": link.document_id,
            "id": link.id,
            "role": link.role.value,
            "secret_sha256": link.secret_sha256,
            "created_at": link.created_at,
            "expires_at": link.expires_at,
        }
        async with self._database.write() as connection:
            try:
                await connection.execute(insert(links).values(row))
            except IntegrityError as error:
                raise NotFound("There is no such document.") from error

    async def links(self, document_id: str) -> list[Link]:
        """The document's links, oldest first, expired ones too. Raises Unavailable where one cannot be read."""
        rows = await self._gathering.one(document_id) or []
        try:
            return [_link(row) for row in rows]
        except ValueError:
            raise Unavailable("The links of this document cannot be read.") from None

    async def _load(self, document_ids: set[str]) -> dict[str, list[Row[Any]]]:
        query = select(links).where(links.c.document_id.in_(document_ids)).order_by(links.c.created_at, links.c.id)
        found: dict[str, list[Row[Any]]] = {}
        async with self._database.read() as connection:
            for row in await connection.execute(query):
                found.setdefault(row.document_id, []).append(row)
        return found

    async def revoke_link(self, document_id: str, link_id: str) -> bool:
        """Remove a link and every grant it gave (by foreign key); False when there is no such link."""
        gone = delete(links).where(links.c.document_id == document_id, links.c.id == link_id).returning(links.c.id)
        async with self._database.write() as connection:
            return (await connection.execute(gone)).first() is not None

    async def link_by_secret(self, secret_sha256: str) -> Link | None:
        """The link of a secret, expired ones too."""
        async with self._database.read() as connection:
            found = await connection.execute(select(links).where(links.c.secret_sha256 == secret_sha256))
            row = found.one_or_none()
        return None if row is None else _link(row)

    async def visited(self, document_id: str, principal_id: str, at: datetime) -> None:
        """Remember that the principal opened the document, and when last; NotFound when it is gone."""
        row = {"document_id": document_id, "principal_id": principal_id, "at": at}
        async with self._database.write() as connection:
            remember = insert_into(connection, visits).values(row)
            try:
                await connection.execute(
                    remember.on_conflict_do_update(
                        index_elements=[visits.c.document_id, visits.c.principal_id], set_={"at": at}
                    )
                )
            except IntegrityError as error:
                raise NotFound("There is no such document.") from error


def _link(row: Row[Any]) -> Link:
    return Link(row.id, row.document_id, Role(row.role), row.secret_sha256, row.created_at, row.expires_at)
