"""Whether SQLite's files still are where they were opened, and whole.

A file that is moved, removed or replaced stays open and takes every commit, which no restart will find again; into one
that was cut short the next checkpoint writes with holes. SQLite does not look, so we do, with two calls of 2 us around
each commit.
"""

from __future__ import annotations

import os
from pathlib import Path

# The SQLite file format, 1.3: where the header has the size of a page and how many there are.
_HEADER = 100
_PAGE_BYTES = slice(16, 18)
_PAGES = slice(28, 32)
_LARGEST_PAGE = 65536  # stands there as 1


class SameFile:
    """The database file and its write-ahead log, by the inodes that the first connection found.

    A later connection may find others, which are not what the rooms were loaded from.
    """

    def __init__(self, path: Path) -> None:
        self._paths = (path, path.with_name(f"{path.name}-wal"))
        self._opened: dict[Path, tuple[int, int]] = {}
        self._bytes = 0

    def opened(self) -> None:
        """Remember what is there. A new file gets its write-ahead log with its first transaction."""
        for path in self._paths:
            if path not in self._opened and (about := _about(path)) is not None:
                self._opened[path] = about.st_dev, about.st_ino

    def check(self) -> None:
        """Raise OSError when what was opened is not what a restart would open."""
        for path, inode in self._opened.items():
            about = _about(path)
            if about is None or (about.st_dev, about.st_ino) != inode:
                raise OSError("the database file was moved, removed or replaced: put it back, or restart the server")
            if path == self._paths[0]:
                self._check_size(about.st_size)
        if len(self._opened) < len(self._paths):
            self.opened()

    def _check_size(self, size: int) -> None:
        """A file shrinks by VACUUM too, which its header then tells."""
        if size < self._bytes and size < _told_bytes(self._paths[0]):
            raise OSError("the database file was cut short: stop the server and restore a backup")
        self._bytes = size


def _about(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:  # gone, or a folder on the way may not be entered any more
        return None


def _told_bytes(path: Path) -> float:
    """The least size of a file by its header; without any end where that is gone too."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if len(header) < _HEADER:
        return float("inf")
    page = int.from_bytes(header[_PAGE_BYTES], "big")
    return int.from_bytes(header[_PAGES], "big") * (_LARGEST_PAGE if page == 1 else page)
