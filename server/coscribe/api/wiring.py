"""Everything a route may use, in one frozen value that the composition root builds and the lifespan hands out.

The lifespan yields `{"wiring": wiring}`; the server copies that into every request's and socket's scope, so a route
reaches it through `wired` and nothing is global.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from coscribe.api.gates import Gates
from coscribe.api.http_session import HttpSessions
from coscribe.api.lines import Lines
from coscribe.api.pace import Rates
from coscribe.config import Settings
from coscribe.core.buffers import Buffers
from coscribe.core.tally import Tally
from coscribe.metrics import Metrics
from coscribe.ports import Activities, Health
from coscribe.rooms.hub import ActivityHub
from coscribe.rooms.registry import Registry
from coscribe.rooms.troubles import Watcher
from coscribe.services.access import AccessService
from coscribe.services.documents import DocumentService
from coscribe.services.identity import IdentityService
from coscribe.services.links import LinkService
from coscribe.services.news import News
from coscribe.services.texts import TextService
from coscribe.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class Wiring:
    """The parts of one running server. `stop` is set by the first SIGTERM or SIGINT and ends every open stream."""

    settings: Settings
    registry: Registry
    hub: ActivityHub
    activities: Activities
    access: AccessService
    documents: DocumentService
    texts: TextService
    identity: IdentityService
    links: LinkService
    health: Health
    watchdog: Watchdog
    gates: Gates
    lines: Lines
    http_sessions: HttpSessions
    rates: Rates
    buffers: Buffers
    unsaved: Tally
    metrics: Metrics
    watch: Watcher
    stop: asyncio.Event
    # None where there are no other servers.
    news: News | None

    def count_refusal(self, limit: str) -> None:
        """Tell that something was refused for a limit."""
        self.watch("refused", limit=limit)


def wired(connection: HTTPConnection) -> Wiring:
    """The wiring of the server that took this request or socket."""
    wiring = connection.state.wiring
    if not isinstance(wiring, Wiring):
        raise TypeError("the lifespan yielded something else than the wiring")
    return wiring


Wired = Annotated[Wiring, Depends(wired)]
