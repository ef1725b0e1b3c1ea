"""Headers that every response carries, those of pages, and a fresh nonce for the scripts and styles of every page."""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NONCE = "coscribe.nonce"

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OF_PAGES = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# Data runs nothing, and whoever follows a document by polls gets this with each letter: 0.6 KB for 0.1.
_DATA = ("application/octet-stream", "application/json", "application/problem+json", "text/event-stream")
_POLICY_OF_DATA = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def content_security_policy(nonce: str) -> str:
    """The policy of our pages: nothing from elsewhere but pictures, no inline code without the nonce, no frames."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            "connect-src 'self'",
            "img-src 'self' data: https:",
            "font-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def nonce_of(connection: HTTPConnection) -> str:
    """The nonce that this response's policy names."""
    nonce: str = connection.scope[_NONCE]
    return nonce


class SecurityHeaders:
    """Adds the headers to every HTTP response. One that the response sets itself stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope[_NONCE] = nonce

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_data = headers.get("content-type", _DATA[0]).startswith(_DATA)
                policy = _POLICY_OF_DATA if is_data else content_security_policy(nonce)
                headers.setdefault("Content-Security-Policy", policy)
                for name, value in (_ALWAYS if is_data else _ALWAYS | _OF_PAGES).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, adding)
