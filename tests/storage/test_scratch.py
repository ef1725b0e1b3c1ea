"""Folders of files that are being made: what a killed process left is removed, what a living one makes stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.storage.test_upkeep import of, on, write_document

from coscribe.errors import CoscribeError
from coscribe.storage.scratch import scratch_beside
from coscribe.upkeep.commands import backup, restore

_MAKER = """
import sys
from pathlib import Path
from coscribe.storage.scratch import scratch_beside
with scratch_beside(Path(sys.argv[1])) as folder:
    (folder / "copy.db").write_text("every text")
    print(folder, flush=True)
    sys.stdin.read()
"""


def left_by_a_kill(file: Path) -> Path:
    """A folder whose maker was ended by SIGKILL, after another maker left it alone while it lived."""
    with subprocess.Popen(
        [sys.executable, "-c", _MAKER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        folder = Path(maker.stdout.readline().strip())
        with scratch_beside(file):
            assert (folder / "copy.db").exists()
        maker.send_signal(signal.SIGKILL)
    assert (folder / "copy.db").exists()
    return folder


def test_what_a_killed_backup_or_restore_left_is_removed_by_the_next(sqlite_url: str, tmp_path: Path) -> None:
    on(sqlite_url, write_document)
    settings, file = of(sqlite_url, tmp_path), tmp_path / "backup.db"
    near = tmp_path / ".backup.db.archived"
    near.mkdir()

    left = left_by_a_kill(file)
    assert left.stat().st_mode & 0o777 == 0o700
    backup(settings, file)
    assert not left.exists()

    os.makedirs(tmp_path / "data", exist_ok=True)
    left = left_by_a_kill(tmp_path / "data" / "restore")
    restore(settings, file)
    assert not left.exists()
    assert near.is_dir()


def test_a_folder_that_is_named_as_the_backup_is_told(sqlite_url: str, tmp_path: Path) -> None:
    on(sqlite_url, write_document)
    settings, folder = of(sqlite_url, tmp_path), tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(CoscribeError, match="backups is a folder; name a file in it"):
        backup(settings, folder)
    with pytest.raises(CoscribeError, match=r"none/backup\.db cannot be written: No such file"):
        backup(settings, tmp_path / "none" / "backup.db")
    assert sorted(os.listdir(folder)) == []
