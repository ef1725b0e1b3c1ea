"""What all rooms of a process work with."""

from __future__ import annotations

from dataclasses import dataclass

from coscribe.ports import Principals, UpdateLog
from coscribe.rooms.recorder import Recorder
from coscribe.rooms.turns import Turns
from coscribe.rooms.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Means:
    """The one writer of the log, the log to read, the examiner for what is large, and the clock of flushes."""

    recorder: Recorder
    log: UpdateLog
    workshop: Workshop
    turns: Turns
    principals: Principals
