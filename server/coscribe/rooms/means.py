"""What all rooms of a process work with."""

from __future__ import annotations

from dataclasses import dataclass

from coscribe.core.audience import Deliveries
from coscribe.ports import Principals, UpdateLog
from coscribe.rooms.recorder import Recorder
from coscribe.rooms.turns import Turns
from coscribe.rooms.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Means:
    """The one writer of the log, the log to read, the examiner for what is large, the clock of flushes, who may have
    written, and the count of what sessions are given.
    """

    recorder: Recorder
    log: UpdateLog
    workshop: Workshop
    turns: Turns
    principals: Principals
    deliveries: Deliveries
