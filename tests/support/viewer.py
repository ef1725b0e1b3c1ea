"""A reader of the feed without a CRDT: keeps a text by its events, and resumes by position when it is cut off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx


class Viewer:
    """Follows one feed. Lengths are code points, as Python counts."""

    def __init__(self, url: str, *, headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.headers = headers or {}
        self.text = ""
        self.seq = 0
        self.position: str | None = None
        self.snapshots = 0
        self.connects = 0
        self.events: list[tuple[str, str | None, Any]] = []
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Viewer:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self, condition: Callable[[], bool], timeout_s: float = 60) -> None:
        """Wait until a condition on what was told holds."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(condition)

    async def wait_text(self, expected: str, timeout_s: float = 60) -> None:
        await self.wait(lambda: self.text == expected, timeout_s)

    async def wait_event(self, name: str, timeout_s: float = 20) -> Any:
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: any(event[0] == name for event in self.events))
            return next(event for event in self.events if event[0] == name)

    async def _follow(self) -> None:
        async with httpx.AsyncClient(timeout=httpx.Timeout(30), trust_env=False) as client:
            while True:
                headers = {**self.headers, "Accept": "text/event-stream"}
                if self.position is not None:
                    headers["Last-Event-ID"] = self.position
                try:
                    async with client.stream("GET", self.url + "?units=code-points", headers=headers) as stream:
                        if stream.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                            await asyncio.sleep(0.05)  # it is stopping, or has no memory left
                            continue
                        stream.raise_for_status()
                        self.connects += 1
                        await self._read(stream)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)  # the server is away; come back as EventSource does

    async def _read(self, stream: httpx.Response) -> None:
        fields: dict[str, str] = {}
        async for line in stream.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                await self._take(fields)
                fields = {}

    async def _take(self, fields: dict[str, str]) -> None:
        data = json.loads(fields["data"])
        self.position = fields.get("id", self.position)
        self.events.append((fields["event"], fields.get("id"), data))
        if fields["event"] == "snapshot":
            self.snapshots += 1
            self.text, self.seq = data["text"], data["seq"]
        elif fields["event"] == "text":
            assert data["seq"] > self.seq, "a text event was told twice"
            self.text, self.seq = apply_ops(self.text, data["ops"]), data["seq"]
        async with self._changed:
            self._changed.notify_all()


def apply_ops(text: str, ops: list[dict[str, Any]]) -> str:
    parts, at = [], 0
    for op in ops:
        if "retain" in op:
            parts.append(text[at : at + op["retain"]])
            at += op["retain"]
        elif "delete" in op:
            at += op["delete"]
        else:
            parts.append(op["insert"])
    return "".join(parts) + text[at:]
