"""What all rooms of a process work with."""

from __future__ import annotations

from dataclasses import dataclass

from coscribe.ports import UpdateLog
from coscribe.rooms.recorder import Recorder
from coscribe.rooms.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Means:
    """The one writer of the log, the log to read, and the worker for what is large."""

    recorder: Recorder
    log: UpdateLog
    workshop: Workshop
