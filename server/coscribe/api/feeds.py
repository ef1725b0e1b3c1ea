"""The feed of a document over HTTP, as an event stream or as a long poll over the very same events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Query, Request, Response

from coscribe.api.callers import refuse_foreign_page
from coscribe.api.event_stream import HEADERS, EventStream, Seat
from coscribe.api.gates import Place
from coscribe.api.wiring import Wiring
from coscribe.core.units import Units
from coscribe.errors import Unavailable
from coscribe.model import Carrier
from coscribe.rooms.feed_reader import FeedEvent, FeedReader
from coscribe.rooms.held import Held
from coscribe.rooms.registry import Registry
from coscribe.services.access import Caller

# A poll that waits longer than a minute is cut by common proxies (nginx: proxy_read_timeout).
WAIT_MOST_S = 50.0
WAIT_S = 25.0
_POSITION_MOST = 100
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """Where a reader goes on, what its positions count, and how long a poll waits."""

    after: str | None
    units: Units
    wait_s: float


def feed_query(
    after: Annotated[
        str | None, Query(max_length=_POSITION_MOST, description="The last position that was seen.")
    ] = None,
    units: Annotated[Units, Query(description="What `retain` and `delete` count.")] = Units.UTF16,
    wait: Annotated[float, Query(ge=0, le=WAIT_MOST_S, description="Seconds that a long poll waits.")] = WAIT_S,
    last_event_id: Annotated[
        str | None, Header(max_length=_POSITION_MOST, description="As `after`; what browsers send.")
    ] = None,
) -> FeedQuery:
    """The reader's wishes; `Last-Event-ID` is newer than the `after` of a stream's address."""
    return FeedQuery(last_event_id or after or None, units, wait)


Asked = Annotated[FeedQuery, Depends(feed_query)]


async def feed_response(
    request: Request, wiring: Wiring, document_id: str, caller: Caller, query: FeedQuery
) -> Response:
    """The feed of a document for a caller who may read it.

    Raises NotFound, InTrash, Unavailable, and Forbidden for a page of another site, before anything is sent.
    """
    refuse_foreign_page(request, wiring.settings)
    if wants_json(request):
        return await _poll(wiring, wiring.gates.reader(request, caller, Carrier.POLL), document_id, caller, query)

    async def enter() -> Seat:
        place = wiring.gates.reader(request, caller, Carrier.STREAM)
        reading = await _enter(wiring, place, document_id, caller, query)
        return Seat(reading.reader, reading.leave)

    return EventStream(wiring, enter)


def wants_json(request: Request) -> bool:
    """Whether the caller asks for a long poll: JSON, and no event stream."""
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/event-stream" not in accept


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one reader has until it leaves: its place, its room, its queue."""

    place: Place
    registry: Registry
    held: Held
    reader: FeedReader

    def leave(self) -> None:
        """Give everything back."""
        self.reader.close()
        self.registry.release(self.held)
        self.place.leave()


async def _enter(wiring: Wiring, place: Place, document_id: str, caller: Caller, query: FeedQuery) -> _Reading:
    """Open a reader. Access is checked again behind it: a change from now on finds the reader and closes it."""
    with ExitStack() as stack:
        stack.callback(place.leave)
        document, _ = await wiring.access.enter(document_id, caller)
        held = await wiring.registry.acquire(document)
        stack.callback(wiring.registry.release, held)
        link_id = caller.link.id if caller.link else None
        feed = held.room.feed
        reader = await feed.reader(principal=caller.actor, after=query.after, units=query.units, link_id=link_id)
        stack.callback(reader.close)
        await wiring.access.enter(document_id, caller)
        if wiring.registry.live(document_id) is not held.room:
            raise Unavailable("The document is opened again; try at once.", retry_after_s=0)
        stack.pop_all()  # not to be undone: it is the reader's now
        return _Reading(place, wiring.registry, held, reader)


async def _poll(wiring: Wiring, place: Place, document_id: str, caller: Caller, query: FeedQuery) -> Response:
    reading = await _enter(wiring, place, document_id, caller, query)
    try:
        events = await until_stop(wiring, _heard(reading.reader, query.wait_s)) or []
        return poll_response(events, query.after, people=reading.held.room.people)
    finally:
        reading.leave()


async def _heard(reader: FeedReader, wait_s: float) -> list[FeedEvent]:
    """What a reader hears: waits at most `wait_s` for the first event and takes all that came with it.

    The presence that every reader is greeted with is left out: the answer has it as `people`.
    """
    deadline = asyncio.get_running_loop().time() + wait_s
    events: list[FeedEvent] = []
    is_greeted = False
    try:
        while True:
            left = 0.0 if events else max(0.0, deadline - asyncio.get_running_loop().time())
            event = await reader.next(left)
            if event is None:
                return events
            if event.event == "presence" and not is_greeted:
                is_greeted = True
            else:
                events.append(event)
    except StopAsyncIteration:
        return events


async def until_stop(wiring: Wiring, hearing: Coroutine[Any, Any, _T]) -> _T | None:
    """What is heard, None when the server stops before."""
    heard = asyncio.create_task(hearing)
    stop = asyncio.create_task(wiring.stop.wait())
    try:
        await asyncio.wait({heard, stop}, return_when=asyncio.FIRST_COMPLETED)
        return heard.result() if heard.done() else None
    finally:
        heard.cancel()
        stop.cancel()
        await asyncio.gather(heard, stop, return_exceptions=True)


def poll_response(events: Sequence[FeedEvent], after: str | None, **more: Any) -> Response:
    """A long poll's answer. `next` is where the next one goes on."""
    positions = [event.position for event in events if event.position is not None]
    told = ",".join(
        f'{{"event":{json.dumps(event.event)},"id":{json.dumps(event.position)},"data":{event.data}}}'
        for event in events
    )
    rest = json.dumps({"next": positions[-1] if positions else after, **more}, ensure_ascii=False)
    headers = {**HEADERS, "Content-Type": "application/json"}
    return Response(f'{{"events":[{told}],{rest[1:]}', headers=headers)
