"""What a running server holds, as its metrics and the system tell it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families
from tests.support.process import memory_bytes, open_files
from tests.support.server import CoscribeServer

_MB = 2**20
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Holding:
    """What the server holds."""

    memory_mb: float
    files: int
    tasks: int
    rooms: int
    sessions: int
    readers: int
    connections: int
    owed_bytes: int
    stale: int


def holding(server: CoscribeServer) -> Holding:
    metrics = httpx.get(f"{server.url}/metrics", trust_env=False, headers={"Connection": "close"}).raise_for_status()
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.text):
        for sample in family.samples:
            values[sample.name] = values.get(sample.name, 0) + sample.value
    return Holding(
        memory_mb=memory_bytes(server.pid) / _MB,
        files=open_files(server.pid),
        tasks=int(values["coscribe_tasks"]),
        rooms=int(values["coscribe_rooms"]),
        sessions=int(values["coscribe_sessions"]),
        readers=int(values["coscribe_feed_readers"]),
        connections=int(values["coscribe_connections"]),
        owed_bytes=int(values["coscribe_outbox_bytes"] + values["coscribe_unsaved_bytes"]),
        stale=int(values["coscribe_sessions_stale"]),
    )


async def until_sessions(server: CoscribeServer, count: int, timeout_s: float = 60) -> None:
    """Wait until so many sessions are left: what a closed line still had on its way has been read then."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while (left := (await asyncio.to_thread(holding, server)).sessions) > count:
        assert asyncio.get_running_loop().time() < deadline, f"{left} sessions are left"
        await asyncio.sleep(_LOOK_EVERY_S)
