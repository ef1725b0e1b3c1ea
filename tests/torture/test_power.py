"""F2: the power goes. Only what was synced is left, and of the rest any sector may be there or not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.support import failing_server
from tests.support.documents import new_document, socket_url
from tests.support.ledger import Ledger
from tests.support.power import Disk
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.sound import check_file
from tests.support.writers import Writer, introduce, meet, new_guest, write_until_cut

_SEED = 1977


@dataclass
class Scene:
    """One document, two authors, a disk and a ledger that is not on it."""

    server: CoscribeServer
    disk: Disk
    ledger: Ledger
    document_id: str
    writers: list[Writer]

    def text(self) -> str:
        """The document's text; nothing when the document itself is gone."""
        with self.server.client() as reader:
            answer = reader.get(f"/api/v1/documents/{self.document_id}/text")
        return "" if answer.status_code == httpx.codes.NOT_FOUND else answer.raise_for_status().text


@pytest.mark.proof(
    promise="What was shown as saved survives a power cut",
    faults="F2",
    how="a disk that forgets what was not synced, or any sectors of it; without the sync this very test loses words",
)
async def test_power_cuts_lose_no_acked_word(proof: Proof, tmp_path: Path) -> None:
    rounds = proof.rounds(2, 40)
    async with a_scene(tmp_path / "sound") as scene:
        await cut_again_and_again(scene, rounds)
        text = await meet(scene.writers)
        scene.ledger.check_all(text)
        assert scene.text() == text
        proof.told(cuts=rounds, acked=len(scene.ledger.saved))
    unsound = ["skip-the-fsync", "sync-only-checkpoints"][: 2 if proof.full else 1]
    for mutant in unsound:
        async with a_scene(tmp_path / mutant, mutant) as scene:
            with pytest.raises(AssertionError, match="I1: acked and lost"):
                await cut_again_and_again(scene, 1)
    proof.told(found_unsound=unsound)


@asynccontextmanager
async def a_scene(folder: Path, mutant: str = "") -> AsyncIterator[Scene]:
    """A server with a document and two authors, whose first words are saved."""
    disk = Disk(folder)
    server = CoscribeServer(folder, command=disk.command(failing_server.COMMAND), mutant=mutant)
    with server, Ledger(folder / "ledger") as ledger:
        document_id = new_document(server)
        url = socket_url(server, document_id)
        writers = [Writer(name, url, ledger, headers=new_guest(server, name)) for name in "ab"]
        await introduce(writers)
        if mutant:  # or it would not even have a database to lose words from
            await asyncio.to_thread(server.stop)
            disk.settle()
            await asyncio.to_thread(server.start)
        yield Scene(server, disk, ledger, document_id, writers)
        for writer in writers:
            await writer.disconnect()


async def cut_again_and_again(scene: Scene, rounds: int) -> None:
    """Lose the power in the middle of typing; each time everything acked must be there."""
    rng = random.Random(_SEED)
    for number in range(rounds):
        await _type_until_cut(scene, rng, inside=number % 2 == 1)
        scene.disk.lose_power(luck=rng if number % 4 in {1, 2} else None)
        await asyncio.to_thread(scene.server.start)
        check_file(scene.server, scene.ledger, scene.document_id)
        scene.ledger.check(scene.text())


async def _type_until_cut(scene: Scene, rng: random.Random, *, inside: bool) -> None:
    """Type until the power goes: `inside` a sync, or after some acks."""
    for writer in scene.writers:
        await writer.connect()
    witness, some = scene.writers[0].typist, rng.randrange(5, 60)
    if inside:
        scene.disk.cut_at_sync(some)

    async def cut() -> None:
        if not inside:
            await witness.wait(lambda: len(witness.heard.acks) >= some)
        await asyncio.to_thread(scene.server.wait_dead if inside else scene.server.kill)

    await write_until_cut(scene.writers, rng, cut=asyncio.ensure_future(cut()))
