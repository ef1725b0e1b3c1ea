"""Short words for what many API tests do."""

from __future__ import annotations

from typing import Any

import httpx


def new_document(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """A document made by this client."""
    answer = client.post("/api/v1/documents", json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def path_of(document: dict[str, Any], rest: str = "") -> str:
    """The address of a document or of a part of it."""
    return f"/api/v1/documents/{document['id']}{rest}"


def text_of(client: httpx.Client, document: dict[str, Any], **query: Any) -> str:
    """The document's text."""
    answer = client.get(path_of(document, "/text"), params=query)
    assert answer.status_code == 200, answer.text
    return answer.content.decode()


def put_text(client: httpx.Client, document: dict[str, Any], text: str, **options: Any) -> httpx.Response:
    """Write the whole text; `headers` and `params` as httpx knows them."""
    headers = {"Content-Type": "text/markdown", **options.pop("headers", {})}
    return client.put(path_of(document, "/text"), content=text.encode(), headers=headers, **options)


def patch_text(client: httpx.Client, document: dict[str, Any], *edits: dict[str, Any], **fields: Any) -> httpx.Response:
    """Make edits."""
    return client.patch(path_of(document, "/text"), json={"edits": list(edits), **fields})


def new_link(client: httpx.Client, document: dict[str, Any], role: str, **fields: Any) -> tuple[str, str]:
    """A link's id and its secret."""
    answer = client.post(path_of(document, "/links"), json={"role": role, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["url"].rpartition("/")[2]


def assert_problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The answer is a problem of this kind (RFC 9457); gives its members."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"/problems/{name}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"].endswith(".")
    return body
