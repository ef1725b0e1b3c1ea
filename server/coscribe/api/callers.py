"""Who is asking: bearer token, link secret or the browser's cookie; and whether a page of ours asks.

A browser sends our cookie along with what foreign pages make it do, so a request that changes something and a WebSocket
upgrade must come from an origin of ours (OWASP: CSRF, cross-site WebSocket hijacking). A bearer token is never sent
by a browser on its own and needs no such check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from starlette.requests import HTTPConnection

from coscribe.api.wiring import Wired, Wiring
from coscribe.config import Settings
from coscribe.errors import Forbidden, Unauthenticated
from coscribe.model import Principal
from coscribe.services.access import NOBODY, Caller
from coscribe.services.identity import NewSession

COOKIE = "coscribe_session"

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
# A bearer secret has some 50 characters; longer ones are not worth hashing.
_SECRET_MOST = 200


def allowed_origin(headers: Mapping[str, str], host: str, settings: Settings) -> bool:
    """Whether a request with these headers may act for the browser's user: no `Origin`, ours, or a configured one.

    `host` is the request's Host header. Scheme, host and port must be the same; behind HTTPS (setting `secure_cookies`)
    only https is ours. Origins follow RFC 6454; `null` is never ours.
    """
    origin = headers.get("origin")
    if origin is None:
        return True
    schemes = ("https",) if settings.secure_cookies else ("http", "https")
    ours = {_canonical(f"{scheme}://{host}") for scheme in schemes}
    ours |= {_canonical(configured) for configured in settings.origins}
    found = _canonical(origin)
    return found is not None and found in ours


def _canonical(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None for what is no `scheme://host[:port]`."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        return None
    if origin != f"{parts.scheme}://{parts.netloc}":  # a path, a query, a trailing slash, an upper-case scheme
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def own_page(request: HTTPConnection, settings: Settings) -> bool:
    """Whether the request shows that a page of ours made it, as every browser's own requests do."""
    headers = request.headers
    if "origin" in headers:
        return allowed_origin(headers, headers.get("host", ""), settings)
    return headers.get("sec-fetch-site") == "same-origin"


def refuse_foreign_page(request: HTTPConnection, settings: Settings) -> None:
    """Raise Forbidden when the headers show that a page of another site made the request."""
    site = request.headers.get("sec-fetch-site")
    if not allowed_origin(request.headers, request.headers.get("host", ""), settings):
        raise Forbidden("Pages of other sites may not do this.")
    if "origin" not in request.headers and site in ("cross-site", "same-site"):
        raise Forbidden("Pages of other sites may not do this.")


def bearer_of(headers: Mapping[str, str]) -> str | None:
    """The secret of an `Authorization: Bearer` header; raises Unauthenticated for any other scheme."""
    authorization = headers.get("authorization")
    if authorization is None:
        return None
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("Use `Authorization: Bearer <token>`.")
    return secret.strip()


async def caller_by_secret(wiring: Wiring, secret: str) -> Caller:
    """The caller who bears a token or a link's secret; raises Unauthenticated."""
    if len(secret) > _SECRET_MOST:
        raise Unauthenticated("The token is unknown, revoked or expired.")
    return await wiring.identity.by_secret(secret)


async def caller_by_cookie(connection: HTTPConnection, wiring: Wiring) -> Caller:
    """The caller whose browser session the cookie names, nobody when there is none that counts."""
    cookie = connection.cookies.get(COOKIE)
    principal = None if cookie is None else await wiring.identity.by_cookie(cookie)
    return NOBODY if principal is None else Caller(principal)


async def caller_of(request: Request, wiring: Wired) -> Caller:
    """Who makes a REST request. Raises Unauthenticated for a bad token, Forbidden for a foreign page, TooMany."""
    caller = await sender_of(request, wiring)
    if request.method not in _SAFE_METHODS:
        wiring.gates.write(request, caller)
    return caller


async def sender_of(request: Request, wiring: Wired) -> Caller:
    """The same for requests that have a rate of their own."""
    secret = bearer_of(request.headers)
    if secret is not None:
        return await caller_by_secret(wiring, secret)
    if request.method not in _SAFE_METHODS:
        _require_own_page(request, wiring.settings)
    return await caller_by_cookie(request, wiring)


def _require_own_page(request: Request, settings: Settings) -> None:
    refuse_foreign_page(request, settings)
    if COOKIE in request.cookies and not own_page(request, settings):
        raise Forbidden("With the cookie, a matching Origin header is needed; scripts use a bearer token.")


async def principal_of(request: Request, response: Response, wiring: Wiring, caller: Caller) -> Principal:
    """The principal who asks; a visitor without a credential becomes a guest, whose cookie goes into `response`.

    Raises TooMany, and Forbidden for a link's bearer. Routes call it once the request is known to be sound: a refused
    one makes nobody.
    """
    if caller.link is not None:
        raise Forbidden("A link gives access to one document; it is nobody who could own or be something.")
    if caller.principal is not None:
        return caller.principal
    refuse_foreign_page(request, wiring.settings)
    session = await new_guest(request, wiring)
    set_cookie(response, session, wiring.settings)
    return session.principal


async def new_guest(request: Request, wiring: Wiring) -> NewSession:
    """Make a guest of a visitor; raises TooMany where too many come from one address."""
    wiring.gates.guest(request)
    return await wiring.identity.new_guest()


def set_cookie(response: Response, session: NewSession, settings: Settings) -> None:
    """Hand a new guest the cookie that brings him back; scripts in the page cannot read it."""
    response.set_cookie(
        COOKIE, session.cookie, max_age=int(session.lasts.total_seconds()), path="/",
        httponly=True, samesite="lax", secure=settings.secure_cookies,
    )  # fmt: skip


Asking = Annotated[Caller, Depends(caller_of)]
Sending = Annotated[Caller, Depends(sender_of)]
