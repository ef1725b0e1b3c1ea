"""Whether SQLite's files still are where they were opened.

A file that is moved, removed or replaced stays open and takes every commit, which no restart will find again: SQLite
does not look, so we do, with two calls of 2 us around each commit.
"""

from __future__ import annotations

import os
from pathlib import Path


class SameFile:
    """The database file and its write-ahead log, by the inodes that the first connection found.

    A later connection may find others, which are not what the rooms were loaded from.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (path, path.with_name(f"{path.name}-wal"))
        self._opened: dict[Path, tuple[int, int]] = {}

    def opened(self) -> None:
        """Remember what is there. A new file gets its write-ahead log with its first transaction."""
        for path in self._paths:
            if path not in self._opened and (inode := _inode(path)) is not None:
                self._opened[path] = inode

    def check(self) -> None:
        """Raise OSError when what was opened is not what a restart would open."""
        if any(_inode(path) != inode for path, inode in self._opened.items()):
            raise OSError("the database file was moved, removed or replaced: put it back, or restart the server")
        if len(self._opened) < len(self._paths):
            self.opened()


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        about = os.stat(path)
    except OSError:  # gone, or a folder on the way may not be entered any more
        return None
    return about.st_dev, about.st_ino
