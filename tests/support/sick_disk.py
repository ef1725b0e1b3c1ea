"""Disks and files that a server cannot write to for a while: full, limited, locked."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.support.server import CoscribeServer
from tests.support.typist import Typist

_SMALL_BYTES = 8 * 2**20
_BLOCK = b"\0" * 4096


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 8 MB. Only root can mount one: the test fails on CI without, and is skipped elsewhere."""
    folder = tmp_path / "small"
    folder.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = f"size={_SMALL_BYTES},uid={os.geteuid()}"
    mounted = subprocess.run([*as_root, "mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        words = "A small disk cannot be mounted: be root, or let sudo ask for no password"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    yield folder
    subprocess.run([*as_root, "umount", folder], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """The disk without a free byte, but for what files of others already have."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(_BLOCK)
        except OSError:
            pass
    yield
    ballast.unlink()


@contextmanager
def limited(server: CoscribeServer) -> Iterator[None]:
    """No file of the server's may be written to beyond its first page."""
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def locked(server: CoscribeServer) -> Iterator[None]:
    """The database with its one place for a writer taken by another process."""
    with closing(sqlite3.connect(Path(server.data_dir) / "coscribe.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def degraded(person: Typist) -> list[bool]:
    """The notices that a person heard: False for each that it began, True for each that it is over."""
    return [notice.get("recovered", False) for notice in person.heard.notices if notice["kind"] == "degraded"]


def refused(person: Typist) -> list[int]:
    """The frames of this connection that were refused."""
    return [notice["frame"] for notice in person.heard.notices if notice["kind"] == "refused"]
