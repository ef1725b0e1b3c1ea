"""A visit at a server: a guest with a document of his own, which goes with him."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

_TITLE = "A look at this server (coscribe doctor)"


@dataclass(frozen=True, slots=True)
class Visit:
    """The guest's client, which sends what a page of the server's sends, and his document."""

    client: httpx.AsyncClient
    context: ssl.SSLContext
    base: str
    document_id: str
    # By how much the server's clock is before this machine's, as far as the time of the answer does not explain it.
    ahead_s: float
    # What was found to work, and can be held to see for how long.
    works: set[str] = field(default_factory=set)

    @property
    def is_https(self) -> bool:
        """Whether what people say is encrypted."""
        return self.base.startswith("https:")

    def socket_url(self, path: str) -> str:
        """The address of a WebSocket."""
        return f"{self.base.replace('http', 'ws', 1)}{path}"

    @property
    def headers(self) -> dict[str, str]:
        """What a browser of the guest's sends with each request, its cookie also where a browser would keep it."""
        told = {name: self.client.headers.get(name, "") for name in ("Sec-Fetch-Site", "Authorization")}
        told["Cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.client.cookies.jar)
        return {name: value for name, value in told.items() if value}

    def path(self, rest: str = "") -> str:
        """An address of the document's under REST."""
        return f"/api/v1/documents/{self.document_id}{rest}"


@asynccontextmanager
async def visiting(client: httpx.AsyncClient, base: str, context: ssl.SSLContext) -> AsyncIterator[Visit]:
    """Make a document and remove it in the end.

    Raises httpx's errors, and ValueError or LookupError for an answer that is none.
    """
    before = datetime.now(UTC)
    answer = await client.post("/api/v1/documents", json={"title": _TITLE, "access": "restricted"})
    after = datetime.now(UTC)
    answer.raise_for_status()
    made = answer.json()
    at = datetime.fromisoformat(made["created_at"])
    ahead = max(0.0, (at - after).total_seconds()) - max(0.0, (before - at).total_seconds())
    visit = Visit(client, context, base, str(made["id"]), ahead)
    try:
        yield visit
    finally:
        for how in ({}, {"permanent": "true"}):
            (await client.delete(visit.path(), params=how, headers=visit.headers)).raise_for_status()
