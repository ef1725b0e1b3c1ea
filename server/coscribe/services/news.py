"""What all servers have done beside the texts: read from the list of activities, brought to those who are here.

A bell says that there is something new; without one the list is looked at every two seconds. So whoever lost access
through another server has lost it here soon, with a bus or without.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from coscribe.errors import Unavailable
from coscribe.model import Activity, ActivityKind
from coscribe.ports import Activities
from coscribe.rooms.hub import ActivityHub
from coscribe.rooms.registry import Registry
from coscribe.services.access import AccessService

_EVERY_S = 2.0
_TOGETHER = 256
# What changes nobody's access.
_HARMLESS = frozenset((ActivityKind.CREATED, ActivityKind.EDITED, ActivityKind.RENAMED))


class News:
    """Follows the activities of all servers."""

    def __init__(self, activities: Activities, registry: Registry, hub: ActivityHub, access: AccessService) -> None:
        self._activities = activities
        self._registry = registry
        self._hub = hub
        self._access = access
        self._last: int | None = None
        self._rung = asyncio.Event()
        registry.neighbours.happened_elsewhere = self._rung.set
        hub.news = self._stored_here

    def _stored_here(self) -> None:
        self._rung.set()
        self._registry.neighbours.happened()

    async def follow(self, stop: asyncio.Event) -> None:
        """Bring news until `stop` is set."""
        while not stop.is_set():
            with suppress(Unavailable):  # those who write are told that the database is away
                await self._look()
            await self._rest(stop)

    async def _rest(self, stop: asyncio.Event) -> None:
        """Wait for a bell, for two seconds at most."""
        waits = [asyncio.create_task(event.wait()) for event in (self._rung, stop)]
        await asyncio.wait(waits, timeout=_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        self._rung.clear()

    async def _look(self) -> None:
        if self._last is None:
            self._last = await self._activities.head()
            return
        while found := await self._activities.since(self._last, limit=_TOGETHER):
            for activity in found:
                self._last = activity.id
                await self._bring(activity)

    async def _bring(self, activity: Activity) -> None:
        room = self._registry.live(activity.document_id)
        if room is not None:
            room.announce(activity)
        self._hub.publish(activity)
        if activity.kind not in _HARMLESS:
            self._access.note_change()
            if room is not None:
                await self._access.inspect(room)
