"""F10: the server's clock jumps a day ahead, a day back, and by an hour; order is by sequence and never by time."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.support.documents import feed_url, new_document, socket_url
from tests.support.healing import healed, people
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.viewer import Viewer

_DAY = 86_400
# Ahead, back behind the start, an hour each way as a wrong time zone makes it, and back to what is right.
_JUMPS = (_DAY, -_DAY, 3600, -3600, 0)
_WORDS = 10


class Clock:
    """The clock of a server that runs under libfaketime; it reads the file at every question."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.shift(0)

    def shift(self, seconds: int) -> None:
        """Put the clock so many seconds ahead of what is right."""
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{seconds:+d}\n")
        beside.replace(self.file)


def _library() -> Path:
    """libfaketime; without it the test fails on CI and is skipped elsewhere."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if found:
        return found[-1]
    words = "libfaketime is missing: apt-get install libfaketime"
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def server(tmp_path: Path, clock: Clock) -> Iterator[CoscribeServer]:
    """A server whose wall clock may jump, in a place with summer time; the monotonic clock goes on, as in life."""
    command = [
        "env", f"LD_PRELOAD={_library()}", f"FAKETIME_TIMESTAMP_FILE={clock.file}", "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1", "TZ=Europe/Berlin", sys.executable, "-m", "coscribe",
    ]  # fmt: skip
    with CoscribeServer(tmp_path, command=command, keepalive_s=0.2) as running:
        yield running


@pytest.mark.proof(
    promise="A clock that jumps loses nothing, ends no session and puts nothing out of order",
    faults="F10",
    how="libfaketime: a day ahead, two days back, an hour each way, under people who type, and a restart in between",
)
async def test_clock_jumps(proof: Proof, server: CoscribeServer, clock: Clock, tmp_path: Path) -> None:
    document_id = new_document(server)
    token = server.token("script")
    rounds = proof.rounds(1, 10)
    with Ledger(tmp_path / "ledger") as ledger:
        async with Viewer(feed_url(server, document_id)) as viewer:
            writers = await people(server, document_id, ledger, "ab")
            dates = set()
            for number in range(rounds):
                for seconds in _JUMPS:
                    clock.shift(seconds)
                    for writer in writers:
                        for _ in range(_WORDS):
                            await writer.write()
                        await writer.wait_saved()
                    assert all(writer.typist.closed is None for writer in writers)
                    dates.add(_date(server, token, document_id))
                    await _keepalives(server, document_id)
                if number % 2:
                    for writer in writers:
                        await writer.disconnect()
                    await asyncio.to_thread(server.kill)
                    clock.shift(-_DAY)
                    await asyncio.to_thread(server.start)
                    for writer in writers:
                        await writer.connect()
            await healed(server, document_id, ledger, writers, viewer)
        assert len(dates) > 2, "the clock did not jump"
        seqs = [data["seq"] for name, _, data in viewer.events if name == "text"]
        assert seqs == sorted(set(seqs))
        proof.told(jumps=rounds * len(_JUMPS), words=len(ledger.words))


def _date(server: CoscribeServer, token: str, document_id: str) -> str:
    """The day on which the server believes the document was changed; it is ready, and knows its credentials."""
    with server.client(token) as script:
        assert script.get("/health/ready").status_code == 200
        assert script.get("/api/v1/me").json()["kind"] == "token"
        answer = script.get(f"/api/v1/documents/{document_id}")
        answer.raise_for_status()
        return str(answer.json()["updated_at"])[:10]


async def _keepalives(server: CoscribeServer, document_id: str) -> None:
    """Timers go by the monotonic clock: a silent socket hears a keepalive, as before."""
    async with Typist(socket_url(server, document_id)) as silent:
        await silent.wait_synced()
        looks = count()
        # The condition is looked at once now, and at every frame.
        await silent.wait(lambda: next(looks) > 0, timeout_s=10)
