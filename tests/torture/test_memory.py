"""F27: a server that is given no more memory refuses or dies, and what was shown as saved is there either way."""

from __future__ import annotations

import asyncio
import random
import re
import resource
from collections import Counter
from pathlib import Path

import httpx
import pytest
from tests.support.documents import feed_url, new_document, text_of
from tests.support.healing import healed, people, persist
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.viewer import Viewer

_SEED = 20242727
# Beside what it has mapped when it is idle.
_ROOM = 64 * 2**20
_LARGE = "a line of a large document\n" * 150_000
_MOST_DOCUMENTS = 40
_ENOUGH = 3


@pytest.mark.proof(
    promise="A server that runs out of memory loses nothing that was shown as saved",
    faults="F27",
    how="64 MB beyond what an idle server has; large documents until it refuses or dies, beside two people typing",
)
async def test_out_of_memory(proof: Proof, own_server: CoscribeServer, tmp_path: Path) -> None:
    document_id = new_document(own_server)
    rng = random.Random(_SEED)
    outcomes: Counter[str] = Counter()
    with Ledger(tmp_path / "ledger") as ledger:
        async with Viewer(feed_url(own_server, document_id)) as viewer:
            writers = await people(own_server, document_id, ledger, "ab")
            for _ in range(proof.rounds(1, 5)):
                _limit(own_server)
                typing = [asyncio.create_task(persist(writer, random.Random(rng.random()))) for writer in writers]
                outcomes.update(await asyncio.to_thread(_fill, own_server))
                for task in typing:
                    task.cancel()
                await asyncio.gather(*typing, return_exceptions=True)
                await asyncio.to_thread(own_server.kill)
                await asyncio.to_thread(own_server.start)
                await healed(own_server, document_id, ledger, writers, viewer)
        assert outcomes.keys() - {"created"}, "it had memory enough"
        proof.told(acked=len(ledger.saved), **outcomes)


def test_large_changes_are_taken_under_an_operators_own_limit(own_server: CoscribeServer) -> None:
    # Less than the process that examines large changes allows itself.
    most = 3 * 2**29
    resource.prlimit(own_server.pid, resource.RLIMIT_AS, (most, most))
    assert text_of(own_server, new_document(own_server, _LARGE)) == _LARGE


def _limit(server: CoscribeServer) -> None:
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(r"VmSize:\s+(\d+) kB", status)
    assert found is not None
    most = int(found[1]) * 1024 + _ROOM
    hard = resource.prlimit(server.pid, resource.RLIMIT_AS)[1]
    resource.prlimit(server.pid, resource.RLIMIT_AS, (most, hard))


def _fill(server: CoscribeServer) -> Counter[str]:
    """Make large documents until the server dies or has refused enough of them; gives what became of each."""
    outcomes: Counter[str] = Counter()
    for _ in range(_MOST_DOCUMENTS):
        try:
            new_document(server, _LARGE)
            outcomes["created"] += 1
        except httpx.HTTPStatusError as error:
            outcomes[f"status_{error.response.status_code}"] += 1
        except httpx.TransportError:
            outcomes["died"] += 1
            break
        if outcomes.total() - outcomes["created"] >= _ENOUGH:
            break
    return outcomes
