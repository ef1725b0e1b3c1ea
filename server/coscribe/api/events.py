"""REST: following one document, and following all of one's documents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request, Response

from coscribe.api.callers import Asking, refuse_foreign_page
from coscribe.api.event_stream import KEEPALIVE, PREAMBLE, EventStream, event_bytes
from coscribe.api.feeds import Asked, feed_response, poll_response, until_stop, wants_json
from coscribe.api.openapi import Responses, content, problems
from coscribe.api.wiring import Wired, Wiring
from coscribe.errors import Unauthenticated
from coscribe.rooms.feed import FeedEvent, activity_json

_STREAM_EXAMPLE = (
    "retry: 2000\n\n"
    'event: snapshot\nid: 1.42.7\ndata: {"seq":42,"title":"Minutes","text":"# Minutes\\n"}\n\n'
    'event: text\nid: 1.43.7\ndata: {"seq":43,"by":{"id":"h5JtZ1oGqE6vKu0xBwD2Mf","name":"Ada"},'
    '"ops":[{"retain":9},{"insert":"!"}]}\n\n'
)
_POLL_EXAMPLE = {"events": [{"event": "activity", "id": "1.43.8", "data": {"kind": "renamed"}}], "next": "1.43.8"}
_ANSWERS: Responses = {
    200: content(
        "An event stream, or with `Accept: application/json` the answer of a long poll over the same events.",
        **{
            "text/event-stream": {"schema": {"type": "string"}, "example": _STREAM_EXAMPLE},
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["events", "next"],
                    "properties": {
                        "events": {"type": "array", "items": {"type": "object"}},
                        "next": {"type": ["string", "null"]},
                        "people": {"type": "array", "items": {"type": "object"}},
                    },
                },
                "example": _POLL_EXAMPLE,
            },
        },
    )
}

router = APIRouter(tags=["events"])


@router.get(
    "/documents/{document_id}/events", operation_id="followDocument", summary="Follow a document",
    response_class=Response, responses={**_ANSWERS, **problems(401, 403, 404, 409, 422, 503)},
)  # fmt: skip
async def follow(document_id: str, request: Request, caller: Asking, wiring: Wired, asked: Asked) -> Response:
    """A snapshot, then every durable change of the text, activities and presence.

    `Last-Event-ID` (or `after`) resumes exactly; a position that cannot be continued starts with a snapshot again.
    """
    return await feed_response(request, wiring, document_id, caller, asked)


@router.get(
    "/events", operation_id="followDocuments", summary="Follow all of one's documents",
    response_class=Response, responses={**_ANSWERS, **problems(401, 403, 422, 503)},
)  # fmt: skip
async def follow_all(request: Request, caller: Asking, wiring: Wired, asked: Asked) -> Response:
    """Activities in all documents that the caller owns, was granted or has opened, from now on or after a position."""
    refuse_foreign_page(request, wiring.settings)
    if caller.principal is None:
        raise Unauthenticated("Only somebody has documents to follow: use the cookie or a bearer token.")
    reader = ActivityReader(wiring, caller.principal.id)
    if not wants_json(request):
        return EventStream(wiring, wiring.gates.reader(request, caller), _chunks(reader, wiring, asked.after))
    with wiring.gates.reader(request, caller):
        await reader.start(asked.after)
        wait_s = asked.wait_s if asked.after else 0.0  # without a position the answer only says where to begin
        return poll_response(await until_stop(wiring, reader.next(wait_s)), reader.position)


class ActivityReader:
    """Reads one principal's activities from storage whenever the hub says that there is something new."""

    def __init__(self, wiring: Wiring, principal_id: str) -> None:
        self._wiring = wiring
        self._principal_id = principal_id
        self._after = 0
        self._looked_upto = 0

    @property
    def position(self) -> str:
        """Where the reader stands."""
        return str(self._after)

    async def start(self, after: str | None) -> None:
        """Go on after a position; one that is none, or lies ahead, begins with now."""
        head = await self._wiring.activities.head()
        is_number = after is not None and after.isascii() and after.isdigit()
        self._after = min(int(after or 0), head) if is_number else head

    async def next(self, timeout_s: float) -> list[FeedEvent]:
        """New activities in order, none after `timeout_s` of silence."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not (events := await self._read()) and (left := deadline - loop.time()) > 0:
            await self._wiring.hub.wait(self._looked_upto, left)
        return events

    async def _read(self) -> list[FeedEvent]:
        # The head first: whatever is stored while the list is read is looked for again.
        head = await self._wiring.activities.head()
        found = await self._wiring.activities.of_principal(self._principal_id, after=self._after)
        self._looked_upto = head
        self._after = found[-1].id if found else max(self._after, head)
        return [
            FeedEvent(
                "activity",
                str(activity.id),
                json.dumps({"document_id": activity.document_id, **activity_json(activity)}, ensure_ascii=False),
            )
            for activity in found
        ]


async def _chunks(reader: ActivityReader, wiring: Wiring, after: str | None) -> AsyncGenerator[bytes, None]:
    await reader.start(after)
    yield PREAMBLE
    while True:
        events = await reader.next(wiring.settings.keepalive_s)
        told = b"".join(event_bytes(event.event, event.position, event.data) for event in events)
        yield told or KEEPALIVE
