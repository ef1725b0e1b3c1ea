"""F14: rows of the log, of segments and of snapshots are damaged in every way, one document each.

Each document opens, the others notice nothing, and whoever holds a copy brings back what was lost.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.support import failing_server
from tests.support.damage import DAMAGES, remove, rows_of, store
from tests.support.documents import new_document, socket_url, text_of
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.writers import Writer, new_guest

_SEED = 14
_WORDS = 60
_TAIL = 8
# A position in the first segment.
_PAST = 20
_TABLES = ("updates", "segments", "snapshots")
# Both of a healthy neighbour: another document's row in the place of one's own, and no row at all.
_CASES = [(table, damage) for table in _TABLES for damage in (*DAMAGES, "foreign", "gone")]


@pytest.mark.proof(
    promise="A damaged row of the database is told, its document opens, and no other document notices",
    faults="F14",
    how="each kind of row damaged in fourteen ways on a closed database, one document a way",
)
async def test_damaged_documents_open_and_heal(proof: Proof, tmp_path: Path) -> None:
    rng = random.Random(_SEED)
    count = proof.rounds(7, len(_CASES))
    cases = _CASES if count >= len(_CASES) else rng.sample(_CASES, count)
    server = CoscribeServer(tmp_path, command=failing_server.COMMAND, compact_every=25, keepalive_s=0.1)
    with server, Ledger(tmp_path / "ledger") as ledger:
        writers = {case: _writer(server, ledger, f"{case[0]}{number}") for number, case in enumerate(cases)}
        healthy = _writer(server, ledger, "healthy")
        await _write(server, [*writers.values(), healthy])
        await asyncio.to_thread(server.stop)
        _damage(Path(server.data_dir) / "coscribe.db", writers, healthy, rng)
        await _check_verify(server, writers, healthy)
        await asyncio.to_thread(server.start)
        for case, writer in writers.items():
            await _check_opens(server, case, writer)
        await healthy.connect()
        await healthy.write()
        await healthy.wait_saved()
        assert text_of(server, _document(healthy)) == str(healthy.typist.text)
        await healthy.disconnect()
        assert server.log.count("quarantined") >= len([case for case in cases if case[1] != "gone"])
        for case, writer in writers.items():
            await _check_heals(server, case, writer)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        for case, writer in writers.items():
            assert text_of(server, _document(writer)) == str(writer.typist.text), f"{case}: lost again"
        proof.told(damaged=len(cases))


def _document(writer: Writer) -> str:
    return writer.typist.url.rpartition("/")[2]


async def _write(server: CoscribeServer, writers: list[Writer]) -> None:
    """Everybody writes: enough for snapshots and segments, and after a restart a tail of rows behind them."""
    await asyncio.gather(*(_write_words(writer, _WORDS) for writer in writers))
    with closing(sqlite3.connect(Path(server.data_dir) / "coscribe.db")) as file:
        for writer in writers:
            await writer.typist.wait(lambda: all(rows_of(file, table, _document(writer)) for table in _TABLES[1:]))  # noqa: B023
    await _hang_up(writers)
    await asyncio.to_thread(server.stop)
    server.configure(compact_every="")
    await asyncio.to_thread(server.start)
    await asyncio.gather(*(_write_words(writer, _TAIL) for writer in writers))
    await _hang_up(writers)


async def _write_words(writer: Writer, words: int) -> None:
    await writer.connect()
    for _ in range(words):
        await writer.write()
    await writer.wait_saved()


async def _hang_up(writers: list[Writer]) -> None:
    for writer in writers:
        await writer.disconnect()


def _writer(server: CoscribeServer, ledger: Ledger, name: str) -> Writer:
    return Writer(name, socket_url(server, new_document(server)), ledger, headers=new_guest(server, name))


def _damage(path: Path, writers: dict[tuple[str, str], Writer], healthy: Writer, rng: random.Random) -> None:
    with closing(sqlite3.connect(path)) as file:
        for (table, damage), writer in writers.items():
            row = rows_of(file, table, _document(writer))[-1 if table == "snapshots" else 0]
            if damage == "gone":
                remove(file, row)
            elif damage == "foreign":
                other = rows_of(file, table, _document(healthy))[0]
                store(file, type(row)(row.table, row.seq, row.place, other.payload, other.checksum))
            else:
                store(file, DAMAGES[damage](file, row, rng))
        file.commit()


async def _check_verify(server: CoscribeServer, writers: dict[tuple[str, str], Writer], healthy: Writer) -> None:
    """`coscribe verify` names every document that is damaged, and no other; a snapshot may be gone, it is a cache."""
    told = await asyncio.to_thread(server.operate, "verify")
    assert told.returncode == 1, told.stderr
    unnamed = [case for case, writer in writers.items() if _document(writer) not in told.stdout]
    assert unnamed in ([], [("snapshots", "gone")])
    assert _document(healthy) not in told.stdout


async def _check_opens(server: CoscribeServer, case: tuple[str, str], writer: Writer) -> None:
    """The text can be read; it may lack words, but has none that is not its author's. The past is whole or is gone."""
    text = text_of(server, _document(writer))
    with server.client() as reader:
        past = reader.get(f"/api/v1/documents/{_document(writer)}/text", params={"at": _PAST})
    if case[0] == "segments":
        assert past.status_code == httpx.codes.GONE, f"{case}: {past.text}"
    else:
        assert past.text.count("<") == _PAST, f"{case}: {past.text}"
    known = str(writer.typist.text)
    assert set(text.split(">")) <= set(known.split(">")), f"{case}: foreign text"
    if case[0] == "snapshots":
        assert text == known, f"{case}: the log has it all"


async def _check_heals(server: CoscribeServer, case: tuple[str, str], writer: Writer) -> None:
    """The author comes back with his copy and types on; then it is whole."""
    await writer.connect()
    await writer.write()
    await writer.wait_saved()
    text = text_of(server, _document(writer))
    assert text == str(writer.typist.text), f"{case}: not whole"
    assert text.count("<") == writer.ledger.count(writer.name), f"{case}: not every word once"
    await writer.disconnect()
