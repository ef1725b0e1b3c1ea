"""F29: a backup is made while people type, and restored: elsewhere, and into the server that they type at."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import httpx
import pytest
from tests.support.documents import new_document, socket_url, text_of
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.writers import Writer, introduce, new_guest

_SEED = 29
_REPLACED = 4409
_OLD_TAGS = {"If-Match": ", ".join(f'"1.{seq}"' for seq in range(2000)), "Content-Type": "text/plain"}


@pytest.mark.proof(
    promise="A backup made while people type is one moment of every document; restoring it beside them tells them",
    faults="F29",
    how="coscribe backup under typing; restored into an empty folder and into the running server",
)
async def test_a_backup_under_typing_is_one_moment(proof: Proof, tmp_path: Path) -> None:
    rng = random.Random(_SEED)
    rounds = proof.rounds(1, 5)
    with CoscribeServer(tmp_path / "origin") as server, Ledger(tmp_path / "ledger") as ledger:
        documents = [new_document(server), new_document(server)]
        writers = [
            Writer(name, socket_url(server, document), ledger, headers=new_guest(server, name))
            for name, document in [("a", documents[0]), ("b", documents[0]), ("c", documents[1])]
        ]
        await introduce(writers)
        for number in range(rounds):
            file = tmp_path / f"backup{number}.db"
            saved = await _back_up(server, writers, file, rng)
            texts = await asyncio.to_thread(_restored, tmp_path / f"copy{number}", file, documents)
            _check_moment(ledger, "".join(texts), saved)
        await _restore_here(server, writers, file, dict(zip(documents, texts, strict=True)))
        proof.told(backups=rounds, words=len(ledger.words))


async def _back_up(server: CoscribeServer, writers: list[Writer], file: Path, rng: random.Random) -> list[str]:
    """Make a backup while everybody types; gives what was shown as saved before it began."""
    for writer in writers:
        await writer.connect()
    typing = [asyncio.create_task(writer.write_on(random.Random(rng.random()))) for writer in writers]
    await writers[0].typist.wait(lambda: len(writers[0].typist.heard.acks) >= 10)
    for writer in writers:
        writer.note_acks()
    saved = list(writers[0].ledger.saved)
    told = await asyncio.to_thread(server.operate, "backup", str(file))
    assert (told.returncode, "verified" in told.stdout) == (0, True), told.stdout + told.stderr
    for task in typing:
        task.cancel()
    await asyncio.gather(*typing, return_exceptions=True)
    for writer in writers:
        await writer.wait_saved()
        await writer.disconnect()
    return saved


def _restored(folder: Path, file: Path, documents: list[str]) -> list[str]:
    """The texts of a backup, read by a server on a new data folder."""
    server = CoscribeServer(folder)
    told = server.operate("restore", str(file))
    assert told.returncode == 0, told.stdout + told.stderr
    with server, server.client() as writer:
        texts = [text_of(server, document) for document in documents]
        for document, text in zip(documents, texts, strict=True):
            _check_refused(writer.put(f"/api/v1/documents/{document}/text", content=text, headers=_OLD_TAGS))
        return texts


def _check_refused(answer: httpx.Response) -> None:
    """No position of before the loss stands for a text of after it, whatever its seq."""
    assert answer.status_code == 412, answer.text


def _check_moment(ledger: Ledger, text: str, saved: list[str]) -> None:
    """All that was saved before is there, and of each author's later words the first ones, without a gap."""
    ledger.check_words(text)
    missing = [word for word in saved if word not in text]
    assert not missing, f"saved before the backup and not in it: {missing}"
    for author in set(ledger.authors.values()):
        there = [word in text for word in ledger.words if ledger.authors[word] == author]
        assert there == sorted(there, reverse=True), f"words of {author} are missing between others"


async def _restore_here(server: CoscribeServer, writers: list[Writer], file: Path, texts: dict[str, str]) -> None:
    """Restore beside the running server: the texts are the backup's, and who is connected is sent to load anew."""
    for writer in writers:
        await writer.connect()
        await writer.wait_saved()
    told = await asyncio.to_thread(server.operate, "restore", str(file))
    assert told.returncode == 0, told.stdout + told.stderr
    for writer in writers:
        await writer.write()
        await writer.typist.wait(lambda writer=writer: writer.is_cut, timeout_s=60)
        assert writer.typist.closed is not None
        assert writer.typist.closed[0] == _REPLACED
        assert "generation" in [notice["kind"] for notice in writer.typist.heard.notices]
        await writer.typist.disconnect()
    assert {document: text_of(server, document) for document in texts} == texts
    verified = await asyncio.to_thread(server.operate, "verify")
    assert verified.returncode == 0, verified.stdout
