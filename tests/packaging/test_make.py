"""The make targets: what a newcomer is told when something is missing, and that there is nothing to do twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What make needs to decide what is to be done."""
    folder = tmp_path / "tree"
    (folder / "web").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-build.txt", "requirements-dev.txt"):
        shutil.copy(TOP / name, folder)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(TOP / "web" / name, folder / "web")
    return folder


def program(folder: Path, name: str, script: str) -> Path:
    """A program of that name; its folder goes in front of PATH."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return folder


def make(tree: Path, *arguments: str, programs: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    if programs is not None:
        environment["PATH"] = f"{programs}:{environment['PATH']}"
    return subprocess.run(
        ["make", *arguments], cwd=tree, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_python_that_is_too_old_is_told(tree: Path, tmp_path: Path) -> None:
    programs = program(tmp_path / "programs", "python3", "exit 1")
    done = make(tree, ".venv/bin/pip", programs=programs)
    assert done.returncode != 0
    assert "Coscribe needs Python 3.11 or newer." in done.stdout


def test_a_python_without_venv_is_told_with_the_package(tree: Path, tmp_path: Path) -> None:
    programs = program(tmp_path / "programs", "python3", 'case "$*" in *ensurepip*) exit 1;; esac')
    done = make(tree, ".venv/bin/pip", programs=programs)
    assert done.returncode != 0
    assert "sudo apt-get install python3-venv" in done.stdout


def test_a_node_that_is_too_old_is_told(tree: Path, tmp_path: Path) -> None:
    programs = program(tmp_path / "programs", "node", "exit 1")
    done = make(tree, "-n", "web", programs=programs)
    stamp = next(line for line in done.stdout.splitlines() if line.startswith("touch web/node_modules/.stamp-"))
    done = make(tree, stamp.removeprefix("touch "), programs=programs)
    assert done.returncode != 0
    assert "Coscribe needs Node.js 20 or newer" in done.stdout


def test_the_first_start_installs_and_builds_and_the_second_only_serves(tree: Path) -> None:
    first = make(tree, "-n", "run", "PORT=9").stdout
    assert "npm --prefix web ci" in first
    assert "pip install --quiet --require-hashes -r requirements.txt" in first
    assert "requirements-dev.txt" not in first
    for line in first.splitlines():
        if "touch " in line:
            stamp = tree / line.rpartition("touch ")[2]
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()
    (tree / ".venv" / "bin").mkdir()
    (tree / ".venv" / "bin" / "pip").touch()
    second = make(tree, "-n", "run", "PORT=9").stdout
    assert second.split() == ["exec", ".venv/bin/coscribe", "serve", "--port", '"9"']


def test_a_changed_lock_file_is_installed_again(tree: Path) -> None:
    def stamp() -> str:
        told = make(tree, "-n", "run").stdout
        return next(line for line in told.splitlines() if "touch .venv/stamps/run-" in line)

    before = stamp()
    assert stamp() == before
    with (tree / "requirements.txt").open("a") as lock:
        lock.write("# changed\n")
    assert stamp() != before


def test_every_target_that_people_use_is_explained(tree: Path) -> None:
    told = make(tree, "help").stdout
    for target in ("run", "setup", "web", "test", "torture", "autobahn", "check", "lock", "wheel", "clean"):
        assert f"\n{target} " in f"\n{told}"
