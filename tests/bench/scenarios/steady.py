"""A load that stays the same: how long a key takes to the others and to its ack, and whether that holds for long."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.scenarios.capacity import measured_rate
from tests.bench.stage import Figures, Stage

# A fast typist's keys a second.
KEYS_PER_S = 5.0
_SOAK_SHARE = 0.8
_INTERVAL_S = 30.0


def latency(stage: Stage) -> Iterator[Figures]:
    """Fifty people at a typist's pace in one document."""
    stage.crowd(stage.shape("a"))
    stage.typing(KEYS_PER_S, 2)
    yield stage.typing(KEYS_PER_S, stage.options.size(20, 2)).figures()


def ack(stage: Stage) -> Iterator[Figures]:
    """The same people at half of what the server bears: when each hears that his key is on the disk."""
    rate = measured_rate(stage, "a") / 2
    stage.crowd(stage.shape("a"), dialect="coscribe")
    stage.typing(rate, 1)
    step = stage.typing(rate, stage.options.size(5, 1))
    acks = step.answer["acks"]
    yield {
        **step.figures(), "ack_p50": acks["p50"], "ack_p99": acks["p99"], "acked": acks["count"],
        "typed": step.answer["typed"],
    }  # fmt: skip


def soak(stage: Stage) -> Iterator[Figures]:
    """Minutes of the largest crowd at 80 % of its capacity."""
    seconds = stage.options.minutes * 60
    rate = measured_rate(stage, "c") * _SOAK_SHARE
    stage.crowd(stage.shape("c"))
    before = stage.memory_bytes()
    step = stage.typing(rate, seconds, every_s=min(_INTERVAL_S, seconds / 4))
    checked = stage.generator.ask("check", place=0)
    yield {
        **step.figures(), "minutes": stage.options.minutes, "is_text_whole": checked.get("isWhole", False),
        "p99s": [interval["p99"] for interval in step.answer["intervals"]],
        "grown_bytes": stage.memory_bytes() - before,
    }  # fmt: skip
