"""A bus on Redis' publish and subscribe, which loses what is told while somebody is away: a doorbell only.

Two connections: one hears, one tells. A beat of one's own that does not come back says that the server is frozen or
that the line is dead; then both are made anew.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from coscribe.bus.sealing import Refused, Seal
from coscribe.ports import Hear

# What waits to be told while Redis is slow; the oldest is dropped, since the log speaks.
_MOST_WAITING = 10_000
_MOST_BYTES = 16 * 2**20
_TOGETHER = 500
_BEAT_EVERY_S = 1.0
# A line whose own beat does not come back for so long is dead.
_DEAD_AFTER_S = 4.0
_WITHIN_S = 2.0
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 2.0
# How often what is to end is cancelled until it has.
_END_EVERY_S = 1.0
_END_LINE_EVERY_S = 0.05
_BEAT = b"\0"
_FAILURES = (RedisError, OSError, TimeoutError, Refused)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who hears how the bus is: that it went away or is back, how late it is, what was refused or dropped."""

    lost: Callable[[str], None]
    back: Callable[[], None]
    lag: Callable[[float], None]
    refused: Callable[[str], None]
    dropped: Callable[[int], None]


class RedisBus:
    """The port Bus. Topics are told under `prefix`, which an ACL of Redis can be limited to."""

    def __init__(self, url: str, seal: Seal, watch: Watch, *, prefix: str = "coscribe:") -> None:
        self._url = url
        self._seal = seal
        self.sender = seal.sender
        self._watch = watch
        self._prefix = prefix
        self._beat_topic = f"beat.{seal.sender}"
        self._topics: set[str] = {self._beat_topic}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._waiting_bytes = 0
        # Whether Redis is there; before and between nothing is kept for it.
        self._is_open = False
        # Until it was there once nobody could hear what a start has to tell: that is none that was dropped.
        self._was_open = False
        self._dropped = 0
        self._has_more = asyncio.Event()
        # Set whenever topics were followed or left.
        self._has_changed = asyncio.Event()
        self._beat_at = 0.0
        self._hear: Hear = lambda _topic, _sender, _payload: None
        self._restored: Callable[[], None] = lambda: None
        self._is_up = True
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self._connect()  # a URL that is none is told now

    def start(self, hear: Hear, restored: Callable[[], None]) -> None:
        """Begin to hear; Redis may come later."""
        self._hear, self._restored = hear, restored
        self._task = asyncio.create_task(self._run(), name="bus")

    async def close(self) -> None:
        """Tell what waits, for a moment, and stop."""
        if self._task is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_RETRY_S):
                while self._waiting:  # noqa: ASYNC110 - the line empties it
                    await asyncio.sleep(0.005)
        self._is_closing = True
        await _end([self._task], _END_EVERY_S)

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell all others that follow a topic, if Redis is there."""
        if not self._is_open:
            self._dropped += self._was_open
            return
        self._waiting.append((topic, payload))
        self._waiting_bytes += len(payload)
        while len(self._waiting) > _MOST_WAITING or self._waiting_bytes > _MOST_BYTES:
            self._take_first()
            self._dropped += 1
        self._has_more.set()

    def _take_first(self) -> tuple[str, bytes]:
        topic, payload = self._waiting.popleft()
        self._waiting_bytes -= len(payload)
        return topic, payload

    def follow(self, topic: str) -> None:
        """Hear what others tell on a topic, soon."""
        self._topics.add(topic)
        self._has_changed.set()

    def leave(self, topic: str) -> None:
        """Hear no more of it."""
        self._topics.discard(topic)
        self._has_changed.set()

    async def _run(self) -> None:
        delay = _FIRST_RETRY_S
        while not self._is_closing:
            client = self._connect()
            began = time.monotonic()
            try:
                await self._serve(client)
            except Exception as failure:  # noqa: BLE001 - the end of this task would be the end of hearing
                if self._is_up and not self._is_closing:
                    self._watch.lost(str(failure))
                self._is_up = False
            finally:
                self._is_open = False
                with suppress(*_FAILURES):
                    await client.aclose()
            if self._is_closing:
                return
            if time.monotonic() - began > _DEAD_AFTER_S:
                delay = _FIRST_RETRY_S
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LAST_RETRY_S)

    def _connect(self) -> Redis:
        """Raises ValueError for a URL that is none."""
        return Redis.from_url(self._url, socket_timeout=_WITHIN_S, socket_connect_timeout=_WITHIN_S, max_connections=2)

    async def _serve(self, client: Redis) -> None:
        """Hear and tell until either fails. Raises what failed."""
        async with client.pubsub() as pubsub:
            followed = set(self._topics)
            await pubsub.subscribe(*map(self._named, followed))
            self._beat_at = time.monotonic()
            if not self._is_up:
                self._watch.back()
            self._is_up = self._is_open = self._was_open = True
            self._drop_all()
            self._restored()
            works = (self._listen(pubsub), self._keep_up(pubsub, followed), self._tell(client), self._beat())
            tasks = [asyncio.create_task(work, name="bus line") for work in works]
            try:
                ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _end(tasks, _END_LINE_EVERY_S)
            ended.pop().result()

    async def _listen(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=_BEAT_EVERY_S)
            if message is not None:
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        topic = message["channel"].decode("utf-8", "replace").removeprefix(self._prefix)
        try:
            sender, payload = self._seal.open(topic, message["data"])
        except Refused as refused:
            self._watch.refused(refused.reason)
            return
        if topic == self._beat_topic:
            if payload[:1] == _BEAT:
                self._beat_at = time.monotonic()
                self._watch.lag(max(0.0, self._beat_at - int.from_bytes(payload[1:]) / 1e6))
        elif topic in self._topics and sender != self.sender:
            self._hear(topic, sender, payload)

    async def _keep_up(self, pubsub: PubSub, followed: set[str]) -> None:
        """Follow what is asked for from now on."""
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            wanted = set(self._topics)
            if new := wanted - followed:
                await pubsub.subscribe(*map(self._named, new))
            if old := followed - wanted:
                await pubsub.unsubscribe(*map(self._named, old))
            followed = wanted

    async def _tell(self, client: Redis) -> None:
        while True:
            await self._has_more.wait()
            self._has_more.clear()
            while self._waiting:
                together = [self._take_first() for _ in range(min(_TOGETHER, len(self._waiting)))]
                pipeline = client.pipeline(transaction=False)
                for topic, payload in together:
                    pipeline.publish(self._named(topic), self._seal.put(topic, payload))
                await pipeline.execute()

    async def _beat(self) -> None:
        """Hear oneself; raises TimeoutError where nothing comes back."""
        while True:
            self.publish(self._beat_topic, _BEAT + int(time.monotonic() * 1e6).to_bytes(8))
            await asyncio.sleep(_BEAT_EVERY_S)
            if time.monotonic() - self._beat_at > _DEAD_AFTER_S:
                raise TimeoutError("Redis does not answer.")

    def _drop_all(self) -> None:
        """What waited is old by the time somebody hears it."""
        dropped, self._dropped = self._dropped + len(self._waiting), 0
        self._waiting.clear()
        self._waiting_bytes = 0
        if dropped:
            self._watch.dropped(dropped)

    def _named(self, topic: str) -> str:
        return self._prefix + topic


async def _end(tasks: Sequence[asyncio.Task[None]], every_s: float) -> None:
    """Cancel tasks until they are over: now and then Redis' client loses a cancellation, as it connects for one.

    Whoever is cancelled meanwhile ends them first.
    """
    is_cancelled = False
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=every_s)
        except asyncio.CancelledError:
            is_cancelled = True
    await asyncio.gather(*tasks, return_exceptions=True)
    if is_cancelled:
        raise asyncio.CancelledError
