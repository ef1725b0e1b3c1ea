"""The machine: which core is whose, and what a process tree takes of it, as Linux tells it."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The server has one core for itself, and the generator another one; a machine with one core measures both together.
_CORES = sorted(os.sched_getaffinity(0))
# Where there are several servers, each has one of these.
SERVER_CORES = _CORES[:-1] or _CORES
SERVER_CORE = SERVER_CORES[0]
GENERATOR_CORE = _CORES[-1]
_TICKS = os.sysconf("SC_CLK_TCK")


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """A command that stays on one core, and all that it starts with it."""
    return ["taskset", "--cpu-list", str(core), *command]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children have taken: seconds of a core, seconds of waiting for it, and memory now."""

    cpu_s: float
    waited_s: float
    memory_bytes: int

    def since(self, before: Usage) -> Usage:
        """What was taken since an earlier look."""
        return Usage(
            self.cpu_s - before.cpu_s, self.waited_s - before.waited_s, self.memory_bytes - before.memory_bytes
        )


def usage(pid: int) -> Usage:
    """What the process and its children have taken so far."""
    found = [_of_one(one) for one in (pid, *_children(pid))]
    return Usage(
        sum(one.cpu_s for one in found), sum(one.waited_s for one in found), sum(one.memory_bytes for one in found)
    )


def busy_s() -> float:
    """Seconds that all cores together have worked since the machine began, for whomever."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, fields[:8])
    return (user + nice + system + interrupts + soft_interrupts + stolen) / _TICKS


def _of_one(pid: int) -> Usage:
    try:
        cpu_s = time.clock_gettime(_cpu_clock(pid))
        waits = [_waited(thread) for thread in Path(f"/proc/{pid}/task").iterdir()]
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it ended meanwhile
        return Usage(0, 0, 0)
    return Usage(cpu_s, sum(waits) / 1e9, pages * os.sysconf("SC_PAGE_SIZE"))


def _cpu_clock(pid: int) -> int:
    """The clock of a process and all its threads, as clock_getcpuclockid(3) makes it; /proc counts in 10 ms."""
    return (~pid << 3) | 2


def _waited(thread: Path) -> int:
    """Nanoseconds that a thread was ready to run and did not."""
    try:
        return int((thread / "schedstat").read_text().split()[1])
    except OSError:
        return 0


def _children(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found


def description() -> str:
    """The machine in a line."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    total = re.search(r"^MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    memory = f", {int(total[1]) / 2**20:.0f} GB of memory" if total is not None else ""
    cpu = model[1] if model is not None else platform.machine()
    return f"{len(_CORES)} cores ({cpu}){memory}, {platform.system()} {platform.release().partition('-')[0]}"
