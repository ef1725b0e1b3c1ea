"""Power loss: what a server has not synced is gone. The disk is that of power.c, which a test compiles for itself."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_SOURCE = Path(__file__).with_name("power.c")
# The least that a disk writes at once; of what was not synced any of these may be there and any may be missing.
_SECTOR = 512
# A map of the WAL in shared memory, which SQLite makes anew.
_NOT_A_FILE = "-shm"


class Disk:
    """A data folder on a disk that may lose its power; `folder` is the test's own."""

    def __init__(self, folder: Path) -> None:
        self._real = folder / "data"
        self._kept = folder / "kept"
        self._cut = folder / "cut"
        self._shim = folder / "power.so"
        self._real.mkdir(parents=True)
        self._kept.mkdir()
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self._shim, _SOURCE, "-ldl", "-lpthread"], check=True)

    def command(self, command: Sequence[str]) -> list[str]:
        """The command, run on this disk."""
        places = {"REAL": self._real, "KEPT": self._kept, "CUT": self._cut}
        told = [f"POWER_{name}={place}" for name, place in places.items()]
        return ["env", f"LD_PRELOAD={self._shim}", *told, *command]

    def cut_at_sync(self, number: int) -> None:
        """Let the power go, and the server die, inside the `number`-th sync from now; never for 0."""
        self._cut.write_text(f"{number:<10}")

    def settle(self) -> None:
        """All that is in the folder now is on the disk, as after half a minute of quiet."""
        shutil.rmtree(self._kept)
        self._kept.mkdir()
        files = [path for path in self._real.iterdir() if path.is_file() and not path.name.endswith(_NOT_A_FILE)]
        for path in files:
            shutil.copyfile(path, self._kept / str(path.stat().st_ino))
        self._names.write_text("".join(f"{path.stat().st_ino} {path.name}\n" for path in files))

    def lose_power(self, luck: random.Random | None) -> None:
        """Make the folder what is left of it, once its server is dead.

        Without `luck` all that was not synced is gone; with it each sector and each name was written or was not.
        """
        left = {name: self._left(name, inode, luck) for name, inode in self._names_left(luck).items()}
        shutil.rmtree(self._real)
        self._real.mkdir()
        for name, content in left.items():
            (self._real / name).write_bytes(content)
        self.settle()

    @property
    def _names(self) -> Path:
        return self._kept / "names"

    def _names_left(self, luck: random.Random | None) -> dict[str, int]:
        """The inode of each file that can still be found."""
        synced = [line.partition(" ") for line in self._lines()]
        names = {name: int(inode) for inode, _, name in synced if not name.endswith(_NOT_A_FILE)}
        if luck is None:
            return names
        now = {path.name: path.stat().st_ino for path in sorted(self._real.iterdir())}
        found = dict(names)
        for name in sorted(names.keys() | now.keys()):
            there = now.get(name) if luck.random() < 0.5 else names.get(name)
            if there is None or name.endswith(_NOT_A_FILE):
                found.pop(name, None)
            else:
                found[name] = there
        return found

    def _lines(self) -> list[str]:
        return self._names.read_text().splitlines() if self._names.exists() else []

    def _left(self, name: str, inode: int, luck: random.Random | None) -> bytes:
        """The content of a file: a file of which nothing was synced is empty."""
        kept = self._kept / str(inode)
        synced = kept.read_bytes() if kept.exists() else b""
        real = self._real / name
        if luck is None or not real.exists() or real.stat().st_ino != inode:
            return synced
        written = real.read_bytes()
        length = luck.choice([len(synced), len(written)])
        mixed = bytearray(length)
        for at in range(0, length, _SECTOR):
            sector = luck.choice([synced, written])[at : min(at + _SECTOR, length)]
            mixed[at : at + len(sector)] = sector
        return bytes(mixed)
