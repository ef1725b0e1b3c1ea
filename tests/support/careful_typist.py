"""A typist that gates what it hears, as our web client does."""

from __future__ import annotations

from tests.support.typist import Typist

from coscribe.core.lib0 import read_bytes, read_uint, write_bytes
from coscribe.core.replica import Replica, Verdict
from coscribe.core.update import scan, scan_state_vector


class CarefulTypist(Typist):
    """Applies only updates whose predecessors are here, and asks for what is missing instead.

    The engine itself loses text when an update comes before the one it builds on; no client of ours hands it such.
    """

    asked = 0

    def _take_sync(self, frame: bytes, pos: int) -> bytes | None:
        step, start = read_uint(frame, pos)
        if step != 0 and self._lacks(read_bytes(frame, start)[0]):
            self.asked += 1
            return b"\x00\x00" + write_bytes(self.doc.get_state())
        return super()._take_sync(frame, pos)

    def _lacks(self, update: bytes) -> bool:
        gate = Replica(0)
        gate.clocks = scan_state_vector(self.doc.get_state())
        return gate.judge(scan(update)) is Verdict.GAP
