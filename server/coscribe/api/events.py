"""REST: following one document, and following all of one's documents."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import ExitStack

from fastapi import APIRouter, Request, Response

from coscribe.api.callers import Asking, refuse_foreign_page
from coscribe.api.event_stream import EventStream, Seat
from coscribe.api.feeds import Asked, feed_response, poll_response, until_stop, wants_json
from coscribe.api.gates import Place
from coscribe.api.openapi import Responses, content, problems
from coscribe.api.wiring import Wired, Wiring
from coscribe.errors import CoscribeError, Unauthenticated
from coscribe.model import Carrier
from coscribe.rooms.feed import activity_json
from coscribe.rooms.feed_reader import FeedEvent

_log = logging.getLogger(__name__)

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

        async def enter() -> Seat:
            with ExitStack() as stack:
                place = stack.enter_context(wiring.gates.reader(request, caller, Carrier.STREAM))
                await reader.start(asked.after)
                stack.pop_all()  # not to be left now: the relay does
                return _Relay(reader, place).begin(wiring)

        return EventStream(wiring, enter)
    with wiring.gates.reader(request, caller, Carrier.POLL):
        await reader.start(asked.after)
        wait_s = asked.wait_s if asked.after else 0.0  # without a position the answer only says where to begin
        return poll_response(await until_stop(wiring, reader.next(wait_s)) or [], reader.position)


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


class _Relay:
    """Takes one principal's activities from storage to a stream, the next when the last are taken."""

    def __init__(self, activities: ActivityReader, place: Place) -> None:
        self._activities = activities
        self._place = place
        self._events: list[FeedEvent] = []
        self._taken = asyncio.Event()
        self._task: asyncio.Task[None]
        self.is_closed = False
        self.wake: Callable[[], None] = lambda: None

    def begin(self, wiring: Wiring) -> Seat:
        """Begin to read."""
        self._task = wiring.lines.spawn(self._run(wiring))
        return Seat(self, self._leave)

    def _leave(self) -> None:
        self._task.cancel()
        self._place.leave()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._events)

    def take(self, most_bytes: int) -> list[FeedEvent]:
        """All that was read, which is a page of storage at most."""
        del most_bytes
        taken, self._events = self._events, []
        self._taken.set()
        return taken

    async def _run(self, wiring: Wiring) -> None:
        try:
            while not wiring.stop.is_set():  # from then on nobody is made to wait
                self._events = await self._activities.next(wiring.settings.keepalive_s)
                if self._events:
                    self._taken.clear()
                    self.wake()
                    await self._taken.wait()
        except CoscribeError as error:
            _log.warning("an event stream ended early: %s", error)
        finally:
            self.is_closed = True
            self.wake()
