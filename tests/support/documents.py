"""Documents of a running server, as tests need them."""

from __future__ import annotations

from tests.support.server import CoscribeServer


def new_document(server: CoscribeServer, text: str = "") -> str:
    """A document that anyone with its address may edit."""
    with server.client() as guest:
        answer = guest.post("/api/v1/documents", json={"text": text})
        answer.raise_for_status()
        return str(answer.json()["id"])


def socket_url(server: CoscribeServer, document_id: str) -> str:
    """Where its WebSocket is."""
    return f"{server.url.replace('http', 'ws', 1)}/ws/{document_id}"


def feed_url(server: CoscribeServer, document_id: str) -> str:
    """Where its feed is."""
    return f"{server.url}/api/v1/documents/{document_id}/events"


def text_of(server: CoscribeServer, document_id: str) -> str:
    """Its text over REST."""
    with server.client() as reader:
        answer = reader.get(f"/api/v1/documents/{document_id}/text")
        answer.raise_for_status()
        return answer.text
