"""No bytes from outside end, stall or fill the core."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest
from tests.support.proof import Proof
from tests.torture.fuzzing import CASES_A_ROUND, SLOW_MS

SEED = 20261123
ROOT = Path(__file__).parents[2]


def start(seed: int, rounds: int, errors: IO[bytes]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.torture.fuzzing", str(seed), str(rounds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)


def told(process: subprocess.Popen[str], errors: Path) -> dict[str, Any]:
    """What a fuzzing process saw; how it ended is the first thing to know."""
    out, _ = process.communicate(timeout=3000)
    assert process.returncode == 0, f"ended with {process.returncode} in\n{errors.read_text()[-3000:]}"
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.proof(
    promise="No bytes from outside can crash, stall or fill the server",
    faults="fuzz",
    how="damaged frames and updates at the whole core, in processes of their own",
)
def test_damaged_frames_do_no_damage(proof: Proof, tmp_path: Path) -> None:
    cases = proof.rounds(10_000, 1_000_000)
    processes = os.cpu_count() or 1 if proof.full else 1
    rounds = cases // CASES_A_ROUND // processes
    files = [tmp_path / f"errors {index}" for index in range(processes)]
    running = []
    for index, path in enumerate(files):
        with path.open("wb") as errors:
            running.append(start(SEED + index * rounds, rounds, errors))

    found = [told(process, path) for process, path in zip(running, files, strict=True)]

    for one in found:
        assert one["slowest_ms"] < SLOW_MS, f"too slow: {one['slowest']}"
        assert one["grown_mb"] < 32
        # The damage is of every kind: some of it passes for an update.
        assert min(one["outcomes"][what] for what in ("accepted", "answered", "malformed")) > one["cases"] // 100
    proof.told(
        cases=sum(one["cases"] for one in found),
        slowest_ms=max(one["slowest_ms"] for one in found),
        grown_mb=max(one["grown_mb"] for one in found),
        accepted=sum(one["outcomes"]["accepted"] for one in found),
    )


@pytest.mark.parametrize("scanned", [True, False])
def test_without_the_scanner_one_frame_ends_the_process(scanned: bool) -> None:
    script = (
        "from pycrdt import Doc; from coscribe.core.update import scan; from tests.torture.mutations import nested\n"
        f"raw = nested(7, 60_000)\nif {scanned}: scan(raw)\nDoc().apply_update(raw)"
    )

    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False, timeout=60)

    assert (b"UpdateRefused" in ended.stderr) is scanned
    assert ended.returncode == (1 if scanned else -signal.SIGSEGV)
