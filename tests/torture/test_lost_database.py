"""D8 by hand: the database's files are taken away, exchanged or locked away while people type."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.documents import new_document, socket_url, text_of
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import COMMAND, CoscribeServer
from tests.support.sick_disk import degraded
from tests.support.sound import check_file
from tests.support.writers import Writer, introduce, meet, new_guest

Step = Callable[[Path], None]

_FILES = ("coscribe.db", "coscribe.db-wal", "coscribe.db-shm")
# Permissions mean nothing to root unless it gives up to pass them by.
_AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def _move_away(data: Path) -> None:
    aside = data / "aside"
    aside.mkdir()
    for name in _FILES:
        (data / name).rename(aside / name)


def _move_back(data: Path) -> None:
    for name in _FILES:
        (data / "aside" / name).replace(data / name)


def _exchange(data: Path) -> None:
    """Put copies in the place of the files, as somebody does who restores a backup by hand."""
    for name in _FILES:
        copy = data / f"{name}.copy"
        shutil.copyfile(data / name, copy)
        copy.replace(data / name)


def _lock_away(data: Path) -> None:
    data.chmod(0)


def _unlock(data: Path) -> None:
    data.chmod(0o700)


@pytest.mark.proof(
    promise="Nothing is called saved that went into a database file which somebody moved, replaced or locked away",
    faults="F3",
    how="the files moved and put back, their folder locked and unlocked, the files exchanged for copies, under typing",
)
async def test_a_lost_database_gets_no_acks(proof: Proof, tmp_path: Path) -> None:
    server = CoscribeServer(tmp_path, command=[*_AS_ANYBODY, *COMMAND], keepalive_s=0.1)
    with server, Ledger(tmp_path / "ledger") as ledger:
        document_id = new_document(server)
        url = socket_url(server, document_id)
        writers = [Writer(name, url, ledger, headers=new_guest(server, name)) for name in "ab"]
        await introduce(writers)
        for away, back in [(_move_away, _move_back), (_lock_away, _unlock), (_exchange, None)]:
            await _lose(server, writers, away, back)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        check_file(server, ledger, document_id)
        ledger.check(text_of(server, document_id))
        ledger.check_all(await meet(writers))
        for writer in writers:
            await writer.disconnect()
        proof.told(ways=3, words=len(ledger.words))


async def _lose(server: CoscribeServer, writers: list[Writer], away: Step, back: Step | None) -> None:
    data = Path(server.data_dir)
    for writer in writers:
        await writer.connect()
        await writer.wait_saved()
    away(data)
    await _type_in_vain(server, writers)
    if back is not None:
        back(data)
        for writer in writers:
            await writer.typist.wait(lambda writer=writer: degraded(writer.typist) == [False, True])
            await writer.wait_saved()
    for writer in writers:
        await writer.disconnect()


async def _type_in_vain(server: CoscribeServer, writers: list[Writer]) -> None:
    """Everybody types; nobody gets an ack, and all are told why."""
    acked = [writer.typist.acked for writer in writers]
    for writer in writers:
        await writer.write()
    for writer in writers:
        await writer.typist.wait(lambda writer=writer: degraded(writer.typist) == [False])
    assert [writer.typist.acked for writer in writers] == acked
    with server.client() as probe:
        ready = probe.get("/health/ready")
        assert ready.status_code == 503
        assert "the database file was moved, removed or replaced" in ready.json()["detail"]
