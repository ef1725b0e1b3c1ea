"""How errors, texts and bytes stand in the OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from coscribe.api.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "Problem details (RFC 9457). Programs match on `type`; `detail` is for people.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string", "description": "The part of the request that cannot be used."},
        "index": {"type": "integer", "description": "Which edit of a list failed, from 0."},
        "limit": {"type": "string", "description": "The limit that was exceeded."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}

_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
# Where the text or the state of an answer stands; what `If-Match` and `If-None-Match` take.
ETAG = {"ETag": {"description": '`"<generation>.<seq>"`', "schema": {"type": "string"}, "example": '"1.42"'}}

_MEANING = {
    304: "The caller's copy is current.",
    400: "The request cannot be read.",
    401: "The bearer token is unknown, revoked or expired.",
    403: "The caller's role is too low, or a page of another site asks.",
    404: "No such thing, or not for this caller.",
    405: "No such method here.",
    409: "It does not fit the document as it is.",
    410: "What is asked for can no longer be read.",
    412: "The text is not the one that `If-Match` names.",
    413: "The body or the text is too large.",
    415: "The body has the wrong media type.",
    422: "A value cannot be used; `field` says which.",
    429: "Too often; `Retry-After` says when to try again.",
    503: "Not now; `Retry-After` says when to try again.",
}


def problems(*statuses: int) -> Responses:
    """Declares error responses of a route."""
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {
            "description": _MEANING.get(status, HTTPStatus(status).phrase),
            "content": {MEDIA_TYPE: reference},
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
        }
        for status in sorted(statuses)
    }


def text_body(example: str) -> dict[str, Any]:
    """Declares a request body that is a whole text."""
    media = {"schema": {"type": "string"}, "example": example}
    return {"requestBody": {"required": True, "content": {"text/markdown": media, "text/plain": media}}}


def bytes_body(description: str) -> dict[str, Any]:
    """Declares a request body of bytes."""
    media = {"schema": {"type": "string", "format": "binary"}}
    return {
        "requestBody": {"required": True, "description": description, "content": {"application/octet-stream": media}}
    }


def content(description: str, **media: Any) -> dict[str, Any]:
    """Declares a successful response of other media types than JSON."""
    return {"description": description, "content": media}


def made_at(example: str) -> dict[str, Any]:
    """Declares the address of what a request made."""
    location = {"description": "The address of what was made.", "schema": {"type": "string"}, "example": example}
    return {"headers": {"Location": location}}
