"""Vectors that concern a browser alone (undo, relative positions, a client's own awareness), on the yjs it runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.vectors.golden import DATA

PROGRAM = Path(__file__).with_name("check_with_yjs.mjs")


@pytest.mark.node
def test_the_installed_yjs_does_what_the_vectors_say() -> None:
    node = shutil.which("node")
    assert node is not None, "Node.js is needed"

    run = subprocess.run([node, PROGRAM, DATA], capture_output=True, timeout=60, check=True)

    found = json.loads(run.stdout)
    assert found["problems"] == []
    assert found["checked"] > 700
