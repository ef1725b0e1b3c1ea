"""F1, rule D3: what was acked is there after kill -9, whatever the moment. The ledger is kept outside the server."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support import failing_server, failpoints
from tests.support.documents import feed_url, new_document, socket_url, text_of
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.sound import check_file
from tests.support.viewer import Viewer
from tests.support.writers import Writer, introduce, meet, new_guest, write_until_cut
from websockets.exceptions import WebSocketException

_SEED = 20240611
_PLACES = [*failpoints.PLACES, failpoints.ANY_COMMIT]
# Places that a round passes often; the others once or twice.
_OFTEN = {
    "before-transaction", "inside-transaction", "before-commit", "between-commit-and-ack", failpoints.ANY_COMMIT,
}  # fmt: skip


@pytest.mark.proof(
    promise="What was shown as saved survives kill -9, whatever the moment",
    faults="F1",
    how="SIGKILL under typing, at random and at named places between write and ack; a ledger outside the server",
)
async def test_kills_lose_no_acked_word(proof: Proof, tmp_path: Path) -> None:
    rng = random.Random(_SEED)
    trap = failpoints.Trap(tmp_path / "fail-at")
    server = CoscribeServer(tmp_path, command=failing_server.COMMAND, fail_at=trap.file, compact_every=40)
    rounds = proof.rounds(4, 200)
    with server, Ledger(tmp_path / "ledger") as ledger:
        documents = [new_document(server), new_document(server)]
        writers = [
            Writer(name, socket_url(server, document), ledger, headers=new_guest(server, name))
            for name, document in [("a", documents[0]), ("b", documents[0]), ("c", documents[1])]
        ]
        await introduce(writers)
        async with Viewer(feed_url(server, documents[0])) as viewer:
            for number in range(rounds):
                await _round(server, writers, _place(number, rng), trap, rng)
                check_file(server, ledger, *documents)
                ledger.check("".join(text_of(server, document) for document in documents))
            text = await meet(writers[:2])
            other = await meet(writers[2:])
            ledger.check_all(text + other)
            assert [text_of(server, document) for document in documents] == [text, other]
            await viewer.wait_text(text)
        for writer in writers:
            await writer.disconnect()
        verified = await asyncio.to_thread(server.operate, "verify")
        assert verified.returncode == 0, verified.stdout
        proof.told(kills=rounds, acked=len(ledger.saved), places=len(_PLACES))


def _place(number: int, rng: random.Random) -> str:
    """Where the server is to die in this round, nothing for a kill from outside."""
    if number % 2 == 0:
        return ""
    name = _PLACES[number // 2 % len(_PLACES)]
    return f"{name}:{rng.randrange(2, 30) if name in _OFTEN else 1}"


async def _round(
    server: CoscribeServer, writers: list[Writer], place: str, trap: failpoints.Trap, rng: random.Random
) -> None:
    """Type until the server is dead, and start it again."""
    if place.startswith("while-loading"):
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)  # which rehearses the loading of a document that is none
        trap.set(place)
    for writer in writers:
        with suppress(OSError, WebSocketException):  # it may die before everybody is there
            await writer.connect()
    trap.set(place)
    end = _end(server, writers[0], place, rng.randrange(1, 40))
    await write_until_cut(writers, rng, cut=asyncio.ensure_future(end))
    trap.set("")
    await asyncio.to_thread(server.start)


async def _end(server: CoscribeServer, witness: Writer, place: str, acks: int) -> None:
    """Kill the server after so many acks, when some more are on their way, or let it die at its place."""
    if not place or "-stopping" in place:
        await witness.typist.wait(lambda: len(witness.typist.heard.acks) >= acks)
    ends = server.stop if "-stopping" in place else server.wait_dead if place else server.kill
    assert await asyncio.to_thread(ends) == -signal.SIGKILL
