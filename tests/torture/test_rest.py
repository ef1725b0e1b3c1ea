"""The REST interface against its own OpenAPI document: valid and invalid requests, made up by schemathesis."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest
from tests.support.proof import Proof
from tests.support.server import CoscribeServer

_CONFIG = Path(__file__).with_name("schemathesis.toml")
_PHASES = "examples,coverage,fuzzing,stateful"
# A script that makes as many writes would be asked to wait, and the test with it.
_NO_RATE = 1_000_000


@pytest.mark.proof(
    promise="REST does what its OpenAPI document says, whatever it is asked",
    faults="fuzz",
    how="schemathesis: valid and invalid requests, boundaries, chains of requests, all checks; exceptions have reasons",
)
async def test_rest_is_what_its_document_says(tmp_path: Path, proof: Proof) -> None:
    examples = proof.rounds(2, 300)
    with CoscribeServer(tmp_path, max_writes_per_s=_NO_RATE) as server:
        command = [
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIG),
            "run", f"{server.url}/openapi.json",
            "--phases", _PHASES if proof.full else "coverage", "--max-examples", str(examples),
            "--generation-deterministic", "--request-timeout", "20", "--no-color",
            "--header", f"Authorization: Bearer {server.token('fuzz')}",
        ]  # fmt: skip
        # In a folder of its own: it keeps what it has found for the next time.
        asking = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        told = (await asking.communicate())[0].decode()
        assert asking.returncode == 0, told
        assert "Traceback" not in server.log
    requests = re.search(r"([\d,]+) generated", told)
    operations = re.search(r"Tested: (\d+)", told)
    assert requests is not None, told
    assert operations is not None, told
    proof.told(requests=int(requests[1].replace(",", "")), operations=int(operations[1]))
