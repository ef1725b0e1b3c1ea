"""The door: how many connections there may be, in all and from one address, before a byte of a request was read.

A server without a free file descriptor can neither take a connection nor open its database: it turns connections away
while it still has some. Who is turned away is told so once his request has come, since closing a connection with unread
bytes resets it, and is cut off when it does not come soon.
"""

from __future__ import annotations

import resource
from asyncio import Transport
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from coscribe.api.gates import RETRY_AFTER_S, Addresses
from coscribe.api.http_connection import OwnHttp
from coscribe.api.problems import problem_of
from coscribe.api.relay import HERE
from coscribe.config import Settings
from coscribe.errors import Unavailable
from coscribe.metrics import Metrics
from coscribe.rooms.troubles import Watcher

# For the database (15), its log, the examiner, the loop, and those who are being turned away.
_RESERVED_FILES = 64
_TOLD_AT_ONCE = 32
_TOLD_WITHIN_S = 0.5


class Door:
    """Counts who is in. `metrics` gets the number, `watch` hears who is turned away.

    `in_team` tells that other workers hand requests on here, as a proxy does, and that some are handed on from here,
    which takes two files each.
    """

    def __init__(self, settings: Settings, metrics: Metrics, watch: Watcher, *, in_team: bool = False) -> None:
        self._addresses = Addresses((*settings.trusted_proxies, HERE) if in_team else settings.trusted_proxies)
        files = (open_files() - _RESERVED_FILES) // (2 if in_team else 1)
        self._most = min(settings.max_connections, max(1, files))
        self._most_per_address = settings.max_connections_per_address
        self._metrics = metrics
        self._watch = watch
        self._open = 0
        self._by_address: Counter[str] = Counter()
        self._is_full = False
        self.telling = 0

    def enter(self, host: str | None) -> str | None:
        """Let a connection in; gives the limit that is met where it must stay outside."""
        key = self._addresses.key(host)
        limit = self._limit(key)
        if limit is not None:
            self._watch("refused", limit=limit)
            return limit
        self._open += 1
        if key is not None:
            self._by_address[key] += 1
        self._metrics.gauge(connections=self._open)
        return None

    def _limit(self, key: str | None) -> str | None:
        if self._open >= self._most:
            if not self._is_full:  # once, and not for each of a flood
                self._watch("connections_full", connections=self._open)
            self._is_full = True
            return "max_connections"
        self._is_full = self._is_full and self._open > self._most * 9 // 10
        if key is not None and self._by_address[key] >= self._most_per_address:
            return "max_connections_per_address"
        return None

    def leave(self, host: str | None) -> None:
        """A connection that was let in has ended."""
        key = self._addresses.key(host)
        self._open -= 1
        if key is not None:
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]
        self._metrics.gauge(connections=self._open)

    def protocols(self) -> dict[str, Any]:
        """The arguments `http` and `ws` of uvicorn's configuration; the second only says that there are WebSockets."""
        return {"http": partial(GuardedHttp, self), "ws": GuardedHttp}


class GuardedHttp(OwnHttp):
    """A connection that was let in, or is turned away."""

    def __init__(self, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self._door = door
        self._limit: str | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A connection is made: in, or turned away."""
        super().connection_made(transport)
        self._limit = self._door.enter(self.client[0] if self.client else None)
        if self._limit is None:
            return
        self._door.telling += 1
        if self._door.telling > _TOLD_AT_ONCE:
            transport.abort()
        else:
            self.loop.call_later(_TOLD_WITHIN_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        if self._limit is None:
            self.leaving()()
        else:
            self._door.telling -= 1

    def leaving(self) -> Callable[[], None]:
        """One connection less, once it is called."""
        return partial(self._door.leave, self.client[0] if self.client else None)

    def data_received(self, data: bytes) -> None:
        """Bytes have come; who is turned away hears why."""
        if self._limit is None:
            super().data_received(data)
        elif not self.transport.is_closing():
            self.transport.write(_refusal(self._limit))
            self.transport.close()


def _refusal(limit: str) -> bytes:
    """The whole answer, as `problem_of` words it."""
    whose = "from your network " if limit == "max_connections_per_address" else ""
    error = Unavailable(f"Too many connections {whose}are open.", retry_after_s=RETRY_AFTER_S, limit=limit)
    answer = problem_of(error)
    status = HTTPStatus(answer.status_code)
    head = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    head += [name + b": " + value for name, value in (*answer.raw_headers, (b"connection", b"close"))]
    return b"\r\n".join(head) + b"\r\n\r\n" + bytes(answer.body)


def open_files() -> int:
    """How many files the process may have open; the most that the system allows is asked for first."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems name a higher limit than they grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
