"""What connections and open documents take of the memory while nobody does anything."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.stage import Figures, Stage

# Until what a server does about a newcomer is done, and what it no longer needs is given back.
SETTLE_S = 5.0


def idle(stage: Stage) -> Iterator[Figures]:
    """Memory by connection, in a hundred documents, and by small document with its one connection."""
    _warm_up(stage)
    documents = stage.options.size(100, 10)
    before = stage.memory_bytes()
    stage.gather(documents, 50)
    time.sleep(SETTLE_S)
    connections = documents * 50
    yield {"what": "connection", "count": connections, "bytes_each": (stage.memory_bytes() - before) / connections}
    stage.generator.ask("leave")
    stage.restart()
    _warm_up(stage)
    documents = stage.options.size(1000, 20)
    before = stage.memory_bytes()
    stage.gather(documents, 1)
    time.sleep(SETTLE_S)
    yield {"what": "document", "count": documents, "bytes_each": (stage.memory_bytes() - before) / documents}


def _warm_up(stage: Stage) -> None:
    """What a server loads for its first guest is not counted as theirs."""
    stage.gather(1, 2)
    stage.generator.ask("leave")
    time.sleep(SETTLE_S)
