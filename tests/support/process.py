"""What a process holds, as the system tells it."""

from __future__ import annotations

import re
from pathlib import Path


def memory_bytes(pid: int) -> int:
    """Its resident memory."""
    found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def open_files(pid: int) -> int:
    """Its file descriptors, sockets among them."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
