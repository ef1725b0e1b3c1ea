"""Locks on folders, which the system lets go of however their process ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def lock_folder(folder: Path) -> int | None:
    """A descriptor that locks the folder until it is closed; None where another process has it, or it is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def folder_held(folder: Path) -> Iterator[bool]:
    """Hold a folder, or the one that a link leads to; gives False where another process holds it."""
    descriptor = lock_folder(folder.resolve())
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)
