"""The packages of the servers that ours is measured beside, from npm and PyPI.

    .venv/bin/python -m tests.bench.packages

installs what is missing into .bench/peers, which git ignores; better-sqlite3 may be compiled, for some minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).parents[2]
SCRATCH = TOP / ".bench"
_SCRIPTS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Package:
    """A folder of .bench/peers with what is installed in it."""

    name: str
    npm: Mapping[str, str] = field(default_factory=dict)
    pip: Mapping[str, str] = field(default_factory=dict)
    # Those that run a program when they are installed, which npm 11 does only where it is told to.
    built: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is."""
        return SCRATCH / "peers" / self.name

    @property
    def versions(self) -> str:
        """What is installed, in words."""
        return ", ".join(f"{name} {version}" for name, version in (self.npm or self.pip).items())

    @property
    def why_missing(self) -> str | None:
        """Why it cannot be run; None when it can."""
        failed = self.folder / "failed"
        if failed.exists():
            return failed.read_text()
        return None if (self.folder / "installed").exists() else "it is not installed; `make bench-peers` does it"


# 0.1.1 is the last one on yjs 13; 0.1.5 builds on pre-releases of the next one, and its LevelDB is switched off.
Y_WEBSOCKET = Package("y-websocket", npm={"@y/websocket-server": "0.1.1", "y-leveldb": "0.1.2"})
HOCUSPOCUS = Package(
    "hocuspocus",
    npm={"@hocuspocus/server": "4.7.0", "@hocuspocus/extension-sqlite": "4.7.0"},
    built=("better-sqlite3",),
)
PYCRDT = Package(
    "pycrdt-websocket",
    pip={"pycrdt-websocket": "0.16.5", "uvicorn": "0.54.0", "uvloop": "0.23.0", "websockets": "17.4"},
)


def install(package: Package) -> None:
    """Install a package unless it is there already; what goes wrong is kept for the report."""
    mark = package.folder / "installed"
    wanted = json.dumps([package.npm, package.pip])
    if not mark.exists() or mark.read_text() != wanted:
        shutil.rmtree(package.folder, ignore_errors=True)
        package.folder.mkdir(parents=True)
        try:
            (_install_npm if package.npm else _install_pip)(package)
        except subprocess.CalledProcessError as error:
            last = (error.stdout or "").strip().splitlines()[-1:]
            (package.folder / "failed").write_text(f"`{' '.join(error.cmd)}` failed: {' '.join(last)}")
            return
        mark.write_text(wanted)
    for script in _SCRIPTS.iterdir():  # beside their packages, where Node looks for them
        shutil.copy(script, package.folder)


def _install_npm(package: Package) -> None:
    (package.folder / "package.json").write_text(json.dumps({"private": True, "dependencies": dict(package.npm)}))
    _run(package, "npm", "install", "--no-audit", "--no-fund", "--loglevel", "error")
    for name in package.built:
        # Older ones do not know the command, and have run the program already.
        approve = ["npm", "install-scripts", "approve", name]
        subprocess.run(approve, cwd=package.folder, capture_output=True, check=False)
        _run(package, "npm", "rebuild", name)


def _install_pip(package: Package) -> None:
    _run(package, sys.executable, "-m", "venv", "venv")
    pins = [f"{name}=={version}" for name, version in package.pip.items()]
    _run(package, "venv/bin/python", "-m", "pip", "install", "--quiet", *pins)


def _run(package: Package, *command: str) -> None:
    environment = os.environ | {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run(
        command, cwd=package.folder, env=environment, check=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def main() -> None:
    """Install all of them and say what could not be."""
    for package in (Y_WEBSOCKET, HOCUSPOCUS, PYCRDT):
        install(package)
        print(f"{package.name}: {package.why_missing or package.versions}", flush=True)


if __name__ == "__main__":
    main()
