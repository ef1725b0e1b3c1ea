"""The REST interface as a whole: its application class, its routes and what is common to all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from starlette.types import Receive, Scope, Send

from coscribe.api import carriers, documents, events, health, links, me, text, updates
from coscribe.api.bodies import BodyLimit, BodyTooLarge, on_body_too_large
from coscribe.api.openapi import PROBLEM_SCHEMA, problems
from coscribe.api.problems import HANDLERS
from coscribe.api.socket import socket

if TYPE_CHECKING:  # older versions of FastAPI have no traces, and take the word for nothing
    from fastapi.telemetry import TelemetryConfig

PREFIX = "/api/v1"
# FastAPI's own traces name the path and the query of every request, in which secrets of links and tokens stand.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

TAGS = [
    {"name": "documents", "description": "Make, list, name, share, trash and restore documents."},
    {"name": "text", "description": "Read and write a document's text."},
    {"name": "replica", "description": "The CRDT behind the text, for programs with a replica of their own."},
    {"name": "events", "description": "Follow documents as they change: event streams and long polls."},
    {"name": "links", "description": "Links with a secret."},
    {"name": "me", "description": "The caller."},
    {"name": "health", "description": "For load balancers and service managers."},
]


# What FastAPI declares for every route with a parameter; ours are problems and declared where they can happen.
_FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")


class Application(FastAPI):
    """FastAPI whose OpenAPI document knows problem details and the two ways to say who one is.

    WebSockets go past its middleware and routes, which take 0.4 ms for each.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or take a socket."""
        if scope["type"] == "websocket":
            await socket(scope)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document."""
        schema = super().openapi()
        components = schema.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["Problem"] = PROBLEM_SCHEMA
        for name in _FRAMEWORK_SCHEMAS:
            schemas.pop(name, None)
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                _drop_framework_errors(operation["responses"])
                if path.startswith(PREFIX):
                    _add_rates(operation["responses"])
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "A token, or the secret of a link."},
            "session": {"type": "apiKey", "in": "cookie", "name": "coscribe_session"},
        }
        schema["security"] = [{"bearer": []}, {"session": []}, {}]
        return schema


def add_rest(app: FastAPI) -> None:
    """Add every REST route, the health checks, the error responses and the limit on bodies."""
    api = APIRouter(prefix=PREFIX)
    for part in (documents, text, updates, events, links, me):
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(carriers.router)
    app.include_router(health.router)
    app.add_middleware(BodyLimit)
    app.add_exception_handler(BodyTooLarge, on_body_too_large)
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)


def _add_rates(responses: dict[str, Any]) -> None:
    """Rates hold for every route: what changes something is counted, and a new visitor anywhere is one guest more."""
    responses.update({str(status): response for status, response in problems(429).items()})


def _drop_framework_errors(responses: dict[str, Any]) -> None:
    if "application/json" in responses.get("422", {}).get("content", {}):
        del responses["422"]
