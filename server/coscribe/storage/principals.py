"""Who there is: principals, their browser sessions, and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from coscribe.model import Principal, PrincipalKind, Token
from coscribe.storage.engine import Database
from coscribe.storage.tables import principals, sessions, tokens


class SqlPrincipals:
    """The port Principals. Secrets are stored as their SHA-256 only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, principal: Principal) -> None:
        """Store a new principal."""
        async with self._database.write() as connection:
            await connection.execute(insert(principals).values(_row(principal)))

    async def get(self, principal_id: str) -> Principal | None:
        """The principal."""
        return await self._one(select(principals).where(principals.c.id == principal_id))

    async def many(self, principal_ids: Sequence[str]) -> dict[str, Principal]:
        """Those of the ids that exist."""
        if not principal_ids:
            return {}
        query = select(principals).where(principals.c.id.in_(set(principal_ids)))
        async with self._database.read() as connection:
            return {row.id: _principal(row) for row in await connection.execute(query)}

    async def change(self, principal_id: str, *, name: str | None, colour: int | None) -> Principal | None:
        """Change name or colour; None when there is no such principal."""
        values: dict[str, Any] = {"name": name, "colour": colour}
        given = {key: value for key, value in values.items() if value is not None}
        if not given:
            return await self.get(principal_id)
        changed = update(principals).where(principals.c.id == principal_id).values(given).returning(principals)
        async with self._database.write() as connection:
            row = (await connection.execute(changed)).one_or_none()
        return None if row is None else _principal(row)

    async def add_session(self, secret_sha256: str, principal_id: str, expires_at: datetime) -> None:
        """Store a browser session."""
        row = {"secret_sha256": secret_sha256, "principal_id": principal_id, "expires_at": expires_at}
        async with self._database.write() as connection:
            await connection.execute(insert(sessions).values(row))

    async def by_session(self, secret_sha256: str, now: datetime) -> Principal | None:
        """Whose browser session it is; None when unknown or expired."""
        session = sessions.c.secret_sha256 == secret_sha256
        return await self._one(select(principals).join(sessions).where(session, sessions.c.expires_at > now))

    async def add_token(self, token: Token, principal: Principal) -> None:
        """Store a token together with the principal it acts as."""
        row = {
            "id": token.id,
            "principal_id": token.principal_id,
            "name": token.name,
            "secret_sha256": token.secret_sha256,
            "created_at": token.created_at,
        }
        async with self._database.write() as connection:
            await connection.execute(insert(principals).values(_row(principal)))
            await connection.execute(insert(tokens).values(row))

    async def by_token(self, secret_sha256: str) -> Principal | None:
        """Whose bearer token it is."""
        return await self._one(select(principals).join(tokens).where(tokens.c.secret_sha256 == secret_sha256))

    async def _one(self, query: Select[Any]) -> Principal | None:
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _principal(row)


def _row(principal: Principal) -> dict[str, Any]:
    return {
        "id": principal.id,
        "kind": principal.kind.value,
        "name": principal.name,
        "colour": principal.colour,
    }


def _principal(row: Row[Any]) -> Principal:
    return Principal(row.id, PrincipalKind(row.kind), row.name, row.colour)
