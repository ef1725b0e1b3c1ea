"""Folders for files that are being made: beside where they go, for nobody else, gone with all that is left in them.

A process that is killed leaves its folder behind, with a copy of every text in it. The next one removes it: a folder
whose maker lives is locked.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coscribe.errors import CoscribeError
from coscribe.storage.folder_lock import lock_folder

# Nobody else names a folder like this by chance: what fits is removed.
_SUFFIX = ".coscribe-part"


@contextmanager
def scratch_beside(file: Path) -> Iterator[Path]:
    """A folder on the same disk as a file that is to be made; removes those that killed processes left there.

    Raises CoscribeError where none can be made.
    """
    parent = file.absolute().parent
    try:
        _remove_left(parent, file.name)
        made, lock = _new_folder(parent, file.name)
    except OSError as error:
        raise CoscribeError(f"{file} cannot be written: {error.strerror}.") from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def _new_folder(parent: Path, name: str) -> tuple[Path, int]:
    """A folder and the descriptor that locks it; made again where another process took it for one that was left."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=_SUFFIX, dir=parent))  # mode 700
        if (lock := lock_folder(made)) is not None:
            if made.is_dir():
                return made, lock
            os.close(lock)


def _remove_left(parent: Path, name: str) -> None:
    ours = re.compile(rf"\.{re.escape(name)}\.[a-z0-9_]+{re.escape(_SUFFIX)}")
    for left in parent.iterdir():
        if ours.fullmatch(left.name) and (lock := lock_folder(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
