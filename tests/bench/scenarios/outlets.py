"""What only ours has: viewers of an event stream, and scripts that write over REST beside people."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.scenarios.holding import SETTLE_S
from tests.bench.scenarios.steady import KEYS_PER_S
from tests.bench.stage import Figures, Stage


def sse(stage: Stage) -> Iterator[Figures]:
    """Five people type in one document, and thousands follow its event stream."""
    [document] = stage.gather(1, 5, typists=5, hasCaret=False, isTold=True)
    time.sleep(SETTLE_S)
    before = stage.memory_bytes()
    address = stage.server.url.replace("ws", "http", 1).partition("/ws/")[0]
    streams = stage.options.size(5000, 200)
    url = f"{address}/api/v1/documents/{document}/events"
    opened = stage.generator.ask("watch", url=url, streams=streams)
    time.sleep(SETTLE_S)
    bytes_each = (stage.memory_bytes() - before) / streams
    step = stage.typing(KEYS_PER_S, stage.options.size(20, 3), drain_s=30)
    editors = {f"editors_{name}": step.answer[name] for name in ("p50", "p99", "lost")}
    shares = {"cpu_share": step.taken.cpu_s / step.answer["seconds"], "late_p99": step.answer["late_p99"]}
    yield {
        "streams": streams, "open_ms": opened["ms"], "bytes_each": bytes_each,
        **step.answer["streams"], **editors, **shares,
    }  # fmt: skip


def rest(stage: Stage) -> Iterator[Figures]:
    """A script appends to a document in which a hundred people are."""
    [document] = stage.gather(1, stage.options.size(100, 10))
    address = stage.server.url.replace("ws", "http", 1).partition("/ws/")[0]
    url = f"{address}/api/v1/documents/{document}/text"
    stage.generator.ask("append", url=url, rate=20, seconds=1)
    before = stage.server.usage()
    answer = stage.generator.ask("append", url=url, rate=20, seconds=stage.options.size(20, 2))
    yield {**answer, "cpu_us_each": stage.server.usage().since(before).cpu_s / answer["count"] * 1e6}
