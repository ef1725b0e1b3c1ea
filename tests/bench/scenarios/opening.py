"""How long people wait: for a document with a long history, all at once, and for the server itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

from tests.bench.packages import TOP
from tests.bench.stage import Figures, Stage

_TRACE = TOP / "tests" / "data" / "traces" / "automerge-paper.json.gz"
_EDITS_PER_UPDATE = 100
_TIMES = 3
# What a server puts off until a document was left alone for a while is done by then: Hocuspocus stores after two
# seconds, ours takes a snapshot.
_SETTLE_S = 5.0
_STARTS = 5


def coldload(stage: Stage) -> Iterator[Figures]:
    """A paper's 259,778 edits: written, opened by a second person, and after restarts of the server."""
    [document] = stage.server.documents(1)
    where = {**stage.address, "document": document}
    written = stage.generator.ask("write", **where, file=str(_TRACE), edits=_EDITS_PER_UPDATE)
    yield {"phase": "written", **written}
    characters = written["characters"]
    for _ in range(_TIMES):
        yield {"phase": "warm", **stage.generator.ask("open", **where, characters=characters)}
    stage.generator.ask("stop_writing")
    time.sleep(_SETTLE_S)
    for _ in range(_TIMES):
        stage.restart()
        before = stage.server.usage()
        opened = stage.generator.ask("open", **where, characters=characters)
        yield {"phase": "cold", **opened, "cpu_s": stage.server.usage().since(before).cpu_s}


def storm(stage: Stage) -> Iterator[Figures]:
    """Two thousand people come to a hundred open documents in one moment."""
    documents = stage.gather(stage.options.size(100, 10), 1)
    before = stage.server.usage()
    came = stage.generator.ask("storm", **stage.address, documents=documents, people=20)
    taken = stage.server.usage().since(before)
    yield {**came, "cpu_s": taken.cpu_s, "waited_s": taken.waited_s}


def start(stage: Stage) -> Iterator[Figures]:
    """From the start of the process to its first answer; its files were read before."""
    for _ in range(_STARTS):
        stage.server.end(signal.SIGTERM)
        began = time.perf_counter()
        stage.server.start()
        yield {"ms": (time.perf_counter() - began) * 1000}


def durability(stage: Stage) -> Iterator[Figures]:
    """Somebody types two hundred keys a second and somebody reads; the server is killed, and started again."""
    for kill in range(stage.options.size(5, 1)):
        dialect = "coscribe" if stage.kind.package is None else stage.server.dialect
        [document] = stage.gather(1, 2, typists=1, hasCaret=False, dialect=dialect)
        stage.generator.tell("type", rate=200, seconds=60, drain_s=0)
        time.sleep(3 + 0.37 * kill)  # not always at the same point of what is done every second
        stage.server.end(signal.SIGKILL)
        stage.generator.answer()
        known = stage.generator.ask("state")
        stage.generator.ask("leave")
        stage.server.start()
        yield {**known, "kept": _kept(stage, document)}


def _kept(stage: Stage, document: str) -> int:
    """How many of the typist's keys a newcomer finds."""
    # y-websocket-server answers before it has read what it stored, and sends that after.
    opened = stage.generator.ask("open", **stage.address, document=document, characters=-1, quiet_ms=1000)
    return int(opened["clock"])
