"""What an error looks like outside: RFC 9457 problem details for HTTP, close codes for WebSockets. One table for both.

`type` is a relative reference that stays the same for ever; programs match on it, people read `detail`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from coscribe import errors

MEDIA_TYPE = "application/problem+json"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one class of errors is told: the last part of its `type`, its status and its WebSocket close code."""

    name: str
    title: str
    status: int
    close_code: int


_INTERNAL = Kind("internal", "Something went wrong on the server", 500, 1011)

# y-websocket takes 4400-4499 as final and reconnects after everything else (docs/protocol.md).
KINDS: Mapping[type[Exception], Kind] = {
    errors.Malformed: Kind("malformed", "The bytes could not be read", 400, 4400),
    errors.Unauthenticated: Kind("unauthenticated", "Not signed in", 401, 4401),
    errors.Forbidden: Kind("forbidden", "Not allowed", 403, 4403),
    errors.NotFound: Kind("not-found", "Not found", 404, 4404),
    errors.PositionGone: Kind("position-gone", "This position can no longer be read", 410, 4404),
    errors.InTrash: Kind("in-trash", "The document is in the trash", 409, 4404),
    errors.EditConflict: Kind("edit-conflict", "The edit does not fit the text", 409, 4400),
    errors.PreconditionFailed: Kind("precondition-failed", "The text has changed", 412, 4400),
    errors.TooLarge: Kind("too-large", "Too large", 413, 4413),
    errors.UpdateRefused: Kind("update-refused", "The update was refused", 422, 4413),
    errors.InvalidInput: Kind("invalid-input", "The request cannot be used", 422, 4400),
    errors.TooMany: Kind("too-many-requests", "Too many requests", 429, 1013),
    errors.Unavailable: Kind("unavailable", "Try again later", 503, 1013),
}

# Statuses that the framework raises by itself, and those of callers.py and bodies.py.
_BY_STATUS = {
    400: Kind("malformed", "The request could not be read", 400, 4400),
    404: KINDS[errors.NotFound],
    405: Kind("method-not-allowed", "Method not allowed", 405, 4400),
    406: Kind("not-acceptable", "No such representation", 406, 4400),
    408: Kind("too-slow", "The request came too slowly", 408, 4400),
    415: Kind("unsupported-media-type", "Unsupported media type", 415, 4400),
}


# Some limits that an update is refused for are no fault of the update.
_REFUSALS = {
    "max_document_bytes": KINDS[errors.TooLarge],
    "max_update_bytes": KINDS[errors.TooLarge],
    "max_unsaved_bytes": KINDS[errors.Unavailable],
}


def kind_of(error: Exception) -> Kind:
    """How an error is told; whatever the table does not name is internal."""
    if isinstance(error, errors.UpdateRefused) and error.limit in _REFUSALS:
        return _REFUSALS[error.limit]
    for cls in type(error).__mro__:
        if cls in KINDS:
            return KINDS[cls]
    return _INTERNAL


def close_code_of(error: Exception) -> int:
    """The WebSocket close code of an error."""
    return kind_of(error).close_code


def problem(kind: Kind, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """A problem+json response; members of `more` that are None are left out."""
    sentence = f"{detail[:1].upper()}{detail[1:].rstrip('.')}."
    body = {"type": f"/problems/{kind.name}", "title": kind.title, "status": kind.status, "detail": sentence}
    body |= {name: value for name, value in more.items() if value is not None}
    return Response(
        json.dumps(body), kind.status, {"Cache-Control": "no-store", **(headers or {})}, media_type=MEDIA_TYPE
    )


def problem_of(error: errors.CoscribeError) -> Response:
    """The response to an error of ours, with what it knows about the cause."""
    headers = {}
    if kind_of(error).status in (429, 503):
        headers["Retry-After"] = str(getattr(error, "retry_after_s", 2))
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="coscribe"'
    return problem(
        kind_of(error), str(error), headers=headers,
        field=getattr(error, "field", None), index=getattr(error, "index", None), limit=getattr(error, "limit", None),
    )  # fmt: skip


async def on_our_error(request: Request, error: Exception) -> Response:
    """Exception handler of CoscribeError; what met a limit of a text or of an update is counted."""
    if not isinstance(error, errors.CoscribeError):
        raise error
    if isinstance(error, errors.UpdateRefused | errors.TooLarge):
        request.state.wiring.count_refusal(error.limit)
    return problem_of(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Exception handler of what the framework refuses by itself."""
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    kind = _BY_STATUS.get(error.status_code) or Kind(phrase.lower().replace(" ", "-"), phrase, error.status_code, 4400)
    if error.status_code == 404:
        return problem(kind, "There is nothing at this address.")
    headers = {"Allow": ", ".join(_allowed(request))} if error.status_code == 405 else error.headers
    return problem(kind, str(error.detail), headers=headers)


def _allowed(request: Request) -> list[str]:
    """The methods of an address (RFC 9110, 10.2.1); the framework names those of its first route only."""
    routes = request.app.routes
    asked = (dict(request.scope) | {"method": method} for method in _METHODS)
    return [str(scope["method"]) for scope in asked if any(route.matches(scope)[0] is Match.FULL for route in routes)]


async def on_invalid_request(_request: Request, error: Exception) -> Response:
    """Exception handler of requests that do not fit their schema; JSON that is none is 400, all else 422."""
    if not isinstance(error, RequestValidationError):
        raise error
    found = [{"field": _field(item["loc"]), "detail": item["msg"]} for item in error.errors()]
    first = found[0]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return problem(_BY_STATUS[400], "The body is not valid JSON.")
    detail = f"`{first['field']}`: {first['detail']}" if first["field"] else first["detail"]
    return problem(KINDS[errors.InvalidInput], detail, field=first["field"] or None, errors=found)


async def on_failure(_request: Request, _error: Exception) -> Response:
    """Exception handler of everything else; the server logs the cause, the caller learns nothing of it."""
    return problem(_INTERNAL, "The server could not do this. It has written down why.")


def _field(location: tuple[int | str, ...]) -> str:
    """`("body", "edits", 0, "append", "text")` as `edits[0].text`: without where it was found and a union's tag."""
    field = ""
    for before, part in pairwise(location):
        if isinstance(part, int):
            field += f"[{part}]"
        elif not isinstance(before, int) or part == location[-1]:
            field += f".{part}"
    return field.removeprefix(".")


Handler = Callable[[Request, Exception], Awaitable[Response]]
HANDLERS: Mapping[type[Exception], Handler] = {
    errors.CoscribeError: on_our_error,
    HTTPException: on_http_error,
    RequestValidationError: on_invalid_request,
    Exception: on_failure,
}
