"""How long a keystroke takes to the others, and to its ack: ten people at five keys a second in one document.

    .venv/bin/python -m tests.bench.latency [--people 10] [--seconds 20]

Starts a server of its own with SQLite on disk, as `make run` does. Prints milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.documents import new_document, socket_url
from tests.support.server import CoscribeServer
from tests.support.typist import Typist

from coscribe.core.lib0 import read_bytes
from coscribe.core.update import scan

_KEYS_PER_S = 5


@dataclass
class Times:
    """Seconds from a key to each receipt, and to its ack."""

    fanout: list[float] = field(default_factory=list)
    ack: list[float] = field(default_factory=list)


class TimedTypist(Typist):
    """Notes when frames are sent and acked, and when others' keys come in."""

    def __init__(self, url: str, times: Times, sent_at: dict[tuple[int, int], float]) -> None:
        super().__init__(url)
        self.times = times
        self.sent_at = sent_at
        self.frames: dict[int, float] = {}
        self._acked = 0
        self.doc_clock = 0

    async def type_key(self) -> None:
        """Type one character at the end of one's own text."""
        clock = self.doc_clock
        self.sent_at[self.doc.client_id, clock] = time.perf_counter()
        self.frames[self.sent + 1] = time.perf_counter()
        self.doc_clock += 1
        await self.insert(len(self.text), "x")

    def _take(self, frame: bytes) -> bytes | None:
        now = time.perf_counter()
        if frame[:2] == b"\x00\x02":
            self._note(frame, now)
        reply = super()._take(frame)
        while self._acked < self.acked:
            self._acked += 1
            if self._acked in self.frames:
                self.times.ack.append(now - self.frames[self._acked])
        return reply

    def _note(self, frame: bytes, now: float) -> None:
        for span in scan(read_bytes(frame, 2)[0]).structs:
            if (span.client, span.start) in self.sent_at:
                self.times.fanout.append(now - self.sent_at[span.client, span.start])


async def measure(server: CoscribeServer, people: int, seconds: float) -> Times:
    """Let them type."""
    document_id = new_document(server)
    times, sent_at = Times(), dict[tuple[int, int], float]()
    typists = [TimedTypist(socket_url(server, document_id), times, sent_at) for _ in range(people)]
    for typist in typists:
        await typist.connect()
        await typist.wait_synced()
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for number, typist in enumerate(typists):
            group.create_task(_type(typist, until, random.Random(number)))
    for typist in typists:
        await typist.wait_saved()
        await typist.disconnect()
    return times


async def _type(typist: TimedTypist, until: float, rng: random.Random) -> None:
    while time.monotonic() < until:
        await asyncio.sleep(rng.uniform(0.5, 1.5) / _KEYS_PER_S)
        await typist.type_key()


def _line(name: str, seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"{name}: n {len(seconds)}, p50 {cuts[49] * 1e3:.2f} ms, p99 {cuts[98] * 1e3:.2f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, CoscribeServer(Path(folder)) as server:
        times = asyncio.run(measure(server, options.people, options.seconds))
    print(_line("key to the others", times.fanout))
    print(_line("key to its ack", times.ack))


if __name__ == "__main__":
    main()
