"""Who is asking: guests and their browser sessions, bearer tokens, link secrets.

A browser holds a random secret in a signed cookie and storage holds only its SHA-256, as with tokens and links: who
reads the database can act as nobody. The signature lets made-up cookies fail without a look into the database.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadSignature, Signer

from coscribe.errors import InvalidInput, Unauthenticated
from coscribe.model import Principal, PrincipalKind, Token, new_id
from coscribe.ports import Grants, Principals
from coscribe.rooms.registry import Registry
from coscribe.services.access import Caller
from coscribe.services.names import guest_name
from coscribe.services.wording import require_line

COLOURS = 12
NAME_MOST = 40
TOKEN_PREFIX = "cst_"  # noqa: S105 - the prefix tells people and secret scanners what leaked
LINK_PREFIX = "csl_"

_SALT = b"coscribe.session"


def new_secret(prefix: str = "") -> str:
    """A secret of 256 random bits, URL-safe."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """The SHA-256 of a secret in hexadecimal: what storage keeps of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_token(name: str) -> tuple[str, Token, Principal]:
    """A bearer token's secret, its record and the principal it acts as; raises InvalidInput for a bad name."""
    name = require_line(name, field="name", most=NAME_MOST)
    secret = new_secret(TOKEN_PREFIX)
    principal = Principal(new_id(), PrincipalKind.TOKEN, name, secrets.randbelow(COLOURS))
    return secret, Token(new_id(), principal.id, name, digest(secret), datetime.now(UTC)), principal


@dataclass(frozen=True, slots=True)
class NewSession:
    """A guest that was just made and the cookie that brings him back."""

    principal: Principal
    cookie: str
    lasts: timedelta


class IdentityService:
    """Makes, finds and renames principals. `key` signs cookies; several servers of one site share it."""

    def __init__(
        self, principals: Principals, grants: Grants, registry: Registry, *, key: str, session_days: int
    ) -> None:
        self._principals = principals
        self._grants = grants
        self._registry = registry
        self._signer = Signer(key.encode(), salt=_SALT, digest_method=hashlib.sha256)
        self._lasts = timedelta(days=session_days)

    async def new_guest(self) -> NewSession:
        """A new guest with a friendly name, a colour and a browser session."""
        guest = Principal(new_id(), PrincipalKind.GUEST, guest_name(), secrets.randbelow(COLOURS))
        secret = new_secret()
        await self._principals.add(guest)
        await self._principals.add_session(digest(secret), guest.id, datetime.now(UTC) + self._lasts)
        return NewSession(guest, self._signer.sign(secret).decode(), self._lasts)

    async def by_cookie(self, cookie: str) -> Principal | None:
        """Whose browser session it is; None when the cookie is forged, unknown or expired."""
        try:
            secret = self._signer.unsign(cookie).decode()
        except (BadSignature, UnicodeDecodeError):
            return None
        return await self._principals.by_session(digest(secret), datetime.now(UTC))

    async def by_secret(self, secret: str) -> Caller:
        """The caller who bears a token or a link's secret; raises Unauthenticated when it is neither or expired."""
        if secret.startswith(TOKEN_PREFIX):
            principal = await self._principals.by_token(digest(secret))
            if principal is not None:
                return Caller(principal)
        elif secret.startswith(LINK_PREFIX):
            link = await self._grants.link_by_secret(digest(secret))
            if link is not None and (link.expires_at is None or link.expires_at > datetime.now(UTC)):
                return Caller(None, link)
        raise Unauthenticated("The token is unknown, revoked or expired.")

    async def change(self, principal: Principal, *, name: str | None, colour: int | None) -> Principal:
        """Change one's name or colour, at once in every open room; raises InvalidInput and Unauthenticated."""
        if name is not None:
            name = require_line(name, field="name", most=NAME_MOST)
        if colour is not None and not 0 <= colour < COLOURS:
            raise InvalidInput(f"A colour is a number from 0 to {COLOURS - 1}.", field="colour")
        changed = await self._principals.change(principal.id, name=name, colour=colour)
        if changed is None:
            raise Unauthenticated("This visitor is no longer known.")
        for room in tuple(self._registry.rooms):
            room.rename(changed)
        self._registry.neighbours.renamed(changed)
        return changed
