"""What a server watches of itself: a late event loop, memory, and free space on its disk."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import shutil
from pathlib import Path

from coscribe.config import Settings
from coscribe.rooms.registry import Registry
from coscribe.rooms.troubles import Watcher

_EVERY_S = 0.25
# A stall that people notice; half a second is a large paste on a slow machine.
_STALL_S = 1.0
# Memory and disk are looked at on each of these rounds.
_ROUNDS = 8
# Garbage of this many rooms is taken out at once, less of it after so many looks (a minute): it takes 10 ms where there
# are thousands of connections. By itself the collector comes by too seldom (serving.py): it counts objects, and a
# document is few of them.
_MANY_ROOMS = 64
_LOOKS = 30
_STATM = Path("/proc/self/statm")
# The C library keeps what was freed; glibc has a function that hands it back, others do not.
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


class Watchdog:
    """Looks four times a second; tells `watch` when something begins to be wrong."""

    def __init__(self, settings: Settings, registry: Registry, watch: Watcher) -> None:
        self._settings = settings
        self._registry = registry
        self._watch = watch
        self._longest_s = 0.0
        self._is_low = False
        self._is_high = False
        self._looks = 0
        registry.has_memory = self.has_memory
        self.free_bytes: int | None = None

    @property
    def warning(self) -> str | None:
        """What an operator should know before it stops the work, None while all is well."""
        if not self._is_low or self.free_bytes is None:
            return None
        return f"Only {self.free_bytes // 2**20} MB are free on the disk of the data directory."

    def take_lag(self) -> float:
        """The longest that the loop was late since this was asked last, in seconds."""
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop` is set."""
        loop = asyncio.get_running_loop()
        rounds = 0
        while not stop.is_set():
            if rounds % _ROUNDS == 0:
                await self._look()
            rounds += 1
            due = loop.time() + _EVERY_S
            try:
                async with asyncio.timeout_at(due):
                    await stop.wait()
            except TimeoutError:
                self._note_lag(loop.time() - due)

    def _note_lag(self, late_s: float) -> None:
        self._longest_s = max(self._longest_s, late_s)
        if late_s > _STALL_S:
            self._watch("loop_stalled", seconds=round(late_s, 2))

    async def _look(self) -> None:
        # A disk that hangs must not hold the loop up.
        self.free_bytes = await asyncio.to_thread(free_bytes, self._settings.data_dir)
        was_low = self._is_low
        self._is_low = self.free_bytes is not None and self.free_bytes < self._settings.min_free_bytes
        if self._is_low and not was_low:
            self._watch("disk_low", free_bytes=self.free_bytes, least=self._settings.min_free_bytes)
        self._look_at_memory()

    def _look_at_memory(self) -> None:
        was_high, self._is_high = self._is_high, self._is_over()
        if self._is_high and not was_high:
            self._watch("memory_high", bytes=resident_bytes(), most=self._settings.max_memory_bytes)
        self._looks += 1
        if self._is_high:
            self._make_room()
        elif self._registry.let_go >= _MANY_ROOMS or self._looks >= _LOOKS:
            self._take_out_garbage()

    def _is_over(self) -> bool:
        most = self._settings.max_memory_bytes
        return most > 0 and resident_bytes() > most

    def _make_room(self) -> None:
        """Let go of the rooms where nobody is, and give what that frees back to the system."""
        self._registry.evict_idle()
        self._take_out_garbage()

    def _take_out_garbage(self) -> None:
        self._looks = 0
        if self._registry.let_go:
            self._registry.let_go = 0
            gc.collect()
        if _malloc_trim is not None:
            _malloc_trim(0)

    def has_memory(self) -> bool:
        """Whether one more document may be opened; always where none is: less memory than that there cannot be."""
        if self._is_over():
            self._make_room()
        return not self._is_over() or not self._registry.rooms


def free_bytes(folder: Path) -> int | None:
    """What this account may still write on the folder's disk; None where that is not known."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def resident_bytes() -> int:
    """The memory that this process has; 0 on systems that do not tell."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
