"""`coscribe` with something wrong with it: `python -m tests.support.failing_server serve ...`.

COSCRIBE_FAIL_AT names the file that says at which place of tests.support.failpoints it dies, COSCRIBE_MUTANT a fault
of tests.support.mutants that it has, COSCRIBE_COMPACT_EVERY after how many entries it takes a snapshot,
COSCRIBE_PATIENCE_S how long it waits for a line that takes nothing or answers no ping.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.support import failpoints, mutants

from coscribe import cli, serving
from coscribe.api import socket
from coscribe.rooms import compaction

COMMAND = [sys.executable, "-m", "tests.support.failing_server"]


def main() -> int:
    """Arm what the environment says and run the real command."""
    if file := os.environ.get("COSCRIBE_FAIL_AT"):
        failpoints.arm_by(Path(file))
    if mutant := os.environ.get("COSCRIBE_MUTANT"):
        mutants.SERVER[mutant]()
    if every := os.environ.get("COSCRIBE_COMPACT_EVERY"):
        compaction._MIN_ENTRIES = compaction._MAX_ENTRIES = int(every)
    if patience := os.environ.get("COSCRIBE_PATIENCE_S"):
        socket._SEND_WITHIN_S = serving._PING_S = float(patience)
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
