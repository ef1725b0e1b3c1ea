"""The wheel: complete, and at work where there is no source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import httpx
import pytest
from tests.support.server import CoscribeServer

TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source tree with its built web client, packed without a look at any index."""
    folder = tmp_path_factory.mktemp("dist")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(TOP)], check=True, timeout=120)
    (made,) = folder.glob("coscribe-*-py3-none-any.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a fresh virtual environment with the wheel in it.

    What the wheel depends on is borrowed from the environment of the tests; Coscribe itself is not, since a path in a
    .pth file brings no editable installation along.
    """
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    python = folder / "bin" / "python"
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True, timeout=60)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.fixture
def served(installed: Path, tmp_path: Path) -> Iterator[CoscribeServer]:
    """`coscribe serve` of the wheel in an empty folder."""
    with CoscribeServer(tmp_path, command=[str(installed.with_name("coscribe"))]) as running:
        yield running


def test_it_carries_the_web_client_and_the_migrations(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    built = TOP / "server" / "coscribe" / "web"
    for path in built.rglob("*"):
        if path.is_file():
            assert f"coscribe/web/{path.relative_to(built)}" in names
    assert "coscribe/migrations/env.py" in names
    assert any(name.startswith("coscribe/migrations/versions/0001_") for name in names)
    assert "coscribe/api/templates/read.html" in names
    assert not any("__pycache__" in name or "node_modules" in name for name in names)


def test_it_says_what_it_is_and_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(archive.read(name).decode())
        assert name.replace("METADATA", "licenses/LICENSE") in archive.namelist()
    assert told["License-Expression"] == "MIT"
    assert told["Requires-Python"] == ">=3.11"
    assert any(line.startswith("pycrdt") for line in told.get_all("Requires-Dist", []))
    assert not any("pytest" in line for line in told.get_all("Requires-Dist", []))


def test_it_is_the_wheel_that_runs(installed: Path, tmp_path: Path) -> None:
    asked = [str(installed), "-c", "import coscribe, sys; sys.stdout.write(coscribe.__file__)"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert Path(told.stdout).is_relative_to(installed.parents[1])


def test_it_serves_from_an_empty_folder(served: CoscribeServer) -> None:
    with served.client() as browser:
        page = browser.get("/", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert "__CSP_NONCE__" not in page.text
        made = browser.post("/api/v1/documents", json={"text": "# From a wheel"})
        assert made.status_code == 201
        text = browser.get(f"/api/v1/documents/{made.json()['id']}/text")
        assert text.text == "# From a wheel"
        assert browser.get("/health/ready").status_code == 200
    assert httpx.get(f"{served.url}/sw.js").status_code == 200
