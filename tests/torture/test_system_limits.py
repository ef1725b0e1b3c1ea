"""F26 and F28: a server that has no file left for another socket, and one that stands still for a while."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
from tests.support.crowd import Crowd
from tests.support.documents import feed_url, new_document, socket_url
from tests.support.healing import healed, keystrokes, people
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.viewer import Viewer

_FILES = 300
# A machine that is busy with other tests shows here too.
_LEAST_S = 0.1
_STALL_S = 5.0


@contextmanager
def few_files(server: CoscribeServer, most: int) -> Iterator[None]:
    """The server may open no more files than `most`."""
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, before[1]))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)


@pytest.mark.proof(
    promise="A server with no file left turns newcomers away and goes on serving and saving for those inside",
    faults="F26",
    how="ulimit -n 300, then 400 sockets at once and again; typing is timed, and newcomers are let in afterwards",
)
async def test_no_file_left(proof: Proof, own_server: CoscribeServer, tmp_path: Path) -> None:
    rounds = proof.rounds(1, 10)
    document_id = new_document(own_server)
    with Ledger(tmp_path / "ledger") as ledger:
        async with (
            Viewer(feed_url(own_server, document_id)) as viewer,
            Crowd([socket_url(own_server, document_id)]) as crowd,
        ):
            writers = await people(own_server, document_id, ledger, "ab")
            with few_files(own_server, _FILES):
                before = median(await keystrokes(*writers, 100))
                log_before = len(own_server.log)
                worst = 0.0
                for _ in range(rounds):
                    coming = asyncio.ensure_future(crowd.come(400))
                    worst = max(worst, median(await keystrokes(*writers, 100)))
                    await coming
                    assert crowd.synced < _FILES
                    crowd.leave()
                assert all(writer.typist.closed is None for writer in writers)
                # A line for each socket, and a few for what the matter is: not one for each turn of the loop.
                assert len(own_server.log) - log_before < rounds * 400 * 300
            await crowd.come(50)
            await crowd.wait_synced(50, 20)
            await healed(own_server, document_id, ledger, writers, viewer)
        proof.told(
            median_ms_before=round(before * 1e3, 1), median_ms_full=round(worst * 1e3, 1), log_bytes=len(own_server.log)
        )
        assert worst < max(_LEAST_S, 5 * before)


@pytest.mark.proof(
    promise="A server that stands still for 5 s sends nobody away and goes on where it was",
    faults="F28",
    how="SIGSTOP for 5 s under 200 sockets and two people who type on",
)
async def test_a_stall_of_five_seconds(proof: Proof, own_server: CoscribeServer, tmp_path: Path) -> None:
    document_id = new_document(own_server)
    with Ledger(tmp_path / "ledger") as ledger:
        async with (
            Viewer(feed_url(own_server, document_id)) as viewer,
            Crowd([socket_url(own_server, document_id)]) as crowd,
        ):
            writers = await people(own_server, document_id, ledger, "ab")
            await crowd.come(200)
            await crowd.wait_synced(200, 20)
            for _ in range(proof.rounds(1, 5)):
                with own_server.paused():
                    until = time.monotonic() + _STALL_S
                    while time.monotonic() < until:
                        await writers[0].write()
                        await asyncio.sleep(0.1)
                began = time.monotonic()
                for writer in writers:
                    await writer.wait_saved()
                back_s = time.monotonic() - began
            assert crowd.synced == 200
            assert all(writer.typist.closed is None for writer in writers)
            assert viewer.connects == 1
            await healed(own_server, document_id, ledger, writers, viewer)
        proof.told(sockets=200, disconnected=0, saved_after_s=round(back_s, 2))
