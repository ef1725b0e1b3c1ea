"""What a key, a document or an opening costs as something grows by powers of ten."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.scenarios.holding import SETTLE_S
from tests.bench.stage import Figures, Stage

# A minute, in which everything that comes round has come.
_IDLE_S = 60.0
_STEP_S = 10
# All together, so that a key costs more for what grows and not for how often keys come.
_KEYS_PER_S = 20.0
_MANY_KEYS_PER_S = 500.0
_SCRIBE_KEYS_PER_S = 5000.0
_WINDOW = 10_000
_SHORT = 1000
# It rests once it takes so little of its core for so long; one that never does is measured all the same.
_AT_REST, _LOOK_S, _REST_MOST_S = 0.02, 4.0, 300.0
# What many documents may take of the core while nobody types; new ones are given their titles before.
_HARDLY_BUSY = 0.1


def people(stage: Stage) -> Iterator[Figures]:
    """Five of 1 to 1,000 people in one document type: what does a key cost?"""
    for count in _powers(stage, 1, 1000):
        typists = min(count, 5)
        stage.gather(1, count, typists=typists)
        stage.typing(_KEYS_PER_S / typists, 1)
        yield {"x": count, **_typed(stage, _KEYS_PER_S / typists)}
        stage.generator.ask("leave")


def documents(stage: Stage) -> Iterator[Figures]:
    """1 to 10,000 documents in which one person types: what does a key cost, a document, and doing nothing?"""
    for count in _powers(stage, 1, 10_000):
        before = stage.memory_bytes()
        stage.gather(count, 1, typists=1, isSilent=True)
        _rest(stage, _HARDLY_BUSY)
        bytes_each = (stage.memory_bytes() - before) / count
        quiet = stage.server.usage()
        time.sleep(_IDLE_S)
        idle_share = stage.server.usage().since(quiet).cpu_s / _IDLE_S
        yield {
            "x": count,
            **_typed(stage, _MANY_KEYS_PER_S / count),
            "bytes_each": bytes_each,
            "idle_share": idle_share,
        }
        stage.generator.ask("leave")
        stage.restart()


def text(stage: Stage) -> Iterator[Figures]:
    """A text of 1 KB to 5 MB, in which five people type: what does a key cost, and an opening?"""
    for size in (1_000, 10_000, 100_000, 1_000_000, *([5_000_000] if not stage.options.is_small else [])):
        [document] = stage.gather(1, 5, typists=5, length=size)
        stage.typing(_KEYS_PER_S / 5, 1)
        typed = _typed(stage, _KEYS_PER_S / 5)
        opened = stage.generator.ask("open", **stage.address, document=document, characters=-1)
        yield {"x": size, **typed, "open_ms": opened["ms"]}
        stage.generator.ask("leave")


def history(stage: Stage) -> Iterator[Figures]:
    """1 to 1,000,000 keystrokes, each an entry of the log: how long does a restarted server take to open them?"""
    for entries in _powers(stage, 1, 1_000_000):
        # Ideographs: letters that go on at this pace would be a fiftieth of the entries.
        [document] = stage.gather(1, 1, typists=1, length=_SHORT, hasCaret=False, isTold=True)
        before = stage.server.usage()
        _write(stage, entries)
        wrote_s = stage.server.usage().since(before).cpu_s
        stage.generator.ask("leave")
        rested_s = _rest(stage, _AT_REST)
        stage.restart()
        # A server may answer before it has read what it stored: only the whole text counts.
        opened = stage.generator.ask("open", **stage.address, document=document, characters=_SHORT + entries)
        yield {
            "x": entries, "kept": opened["clock"], "open_ms": opened["ms"], "wrote_s": wrote_s, "rested_s": rested_s,
        }  # fmt: skip


def _rest(stage: Stage, share: float) -> float:
    """Wait until the server has done what it puts off while somebody writes; gives how long that was."""
    began = time.monotonic()
    time.sleep(SETTLE_S)
    while time.monotonic() - began < _REST_MOST_S:
        before = stage.server.usage()
        time.sleep(_LOOK_S)
        if stage.server.usage().since(before).cpu_s < share * _LOOK_S:
            break
    return time.monotonic() - began


def _write(stage: Stage, keys: int) -> None:
    """Type so many keys, never far ahead of what the server has taken in."""
    for written in range(0, keys, _WINDOW):
        count = min(_WINDOW, keys - written)
        rate = min(_SCRIBE_KEYS_PER_S, count)
        stage.typing(rate, count / rate)
        stage.generator.ask("settle")


def _typed(stage: Stage, rate: float) -> Figures:
    """Let the typists type; what a key costs when all of them are taken in."""
    before = stage.server.usage()
    step = stage.typing(rate, stage.options.size(_STEP_S, 1))
    stage.generator.ask("settle")
    cpu_s = stage.server.usage().since(before).cpu_s
    return {
        "cpu_us_per_key": cpu_s / step.answer["typed"] * 1e6,
        "p99": step.answer["p99"],
        "lost": step.answer["lost"],
    }


def _powers(stage: Stage, first: int, last: int) -> Iterator[int]:
    """Powers of ten; fewer in a trial."""
    count = first
    while count <= (last if not stage.options.is_small else min(last, 100)):
        yield count
        count *= 10
