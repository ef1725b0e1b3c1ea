"""F15: messages that come twice, late, in another order or not at all leave one text and no word twice.

TCP does none of this to a line; proxies, carriers by several requests and bugs of clients do.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.careful_typist import CarefulTypist
from tests.support.documents import feed_url, new_document
from tests.support.fault_proxy import FaultProxy, Weather
from tests.support.healing import healed, people
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.viewer import Viewer
from tests.support.writers import Writer

_SEED = 20241115
_WORDS = 40
_MIXED = Weather(duplicate=0.15, late=0.3, late_s=0.05)
_DROPPING = Weather(drop=0.1, duplicate=0.1, late=0.2, late_s=0.05)


@pytest.mark.proof(
    promise="Messages that arrive twice, late or in another order change nothing",
    faults="F15",
    how="15 % doubled and 30 % overtaken, both ways, while three people type; everybody agrees without reconnecting",
)
async def test_doubled_and_late_messages_heal_by_themselves(
    proof: Proof, own_server: CoscribeServer, tmp_path: Path
) -> None:
    document_id = new_document(own_server)
    rng = random.Random(_SEED)
    with Ledger(tmp_path / "ledger") as ledger:
        async with _line(own_server) as proxy, Viewer(feed_url(own_server, document_id)) as viewer:
            writers = await people(own_server, document_id, ledger, "abc", proxy, kind=CarefulTypist)
            for _ in range(proof.rounds(1, 20)):
                proxy.set(up=_MIXED, down=_MIXED)
                await _type(writers, rng)
                proxy.set()
                await _agree(writers, ledger)
            assert [writer.typist.closed for writer in writers] == [None] * 3
            await healed(own_server, document_id, ledger, writers, viewer)
        proof.told(words=len(ledger.words), **_played(proxy))


@pytest.mark.proof(
    promise="Messages that never arrive are made good as soon as people connect again",
    faults="F15",
    how="a tenth dropped, a tenth doubled, a fifth overtaken, both ways; then everybody reconnects",
)
async def test_dropped_messages_heal_by_a_reconnect(proof: Proof, own_server: CoscribeServer, tmp_path: Path) -> None:
    document_id = new_document(own_server)
    rng = random.Random(_SEED + 1)
    with Ledger(tmp_path / "ledger") as ledger:
        async with _line(own_server) as proxy, Viewer(feed_url(own_server, document_id)) as viewer:
            writers = await people(own_server, document_id, ledger, "abc", proxy, kind=CarefulTypist)
            for _ in range(proof.rounds(1, 20)):
                for writer in writers:
                    await writer.connect()
                proxy.set(up=_DROPPING, down=_DROPPING)
                await _type(writers, rng)
                proxy.set()
                await healed(own_server, document_id, ledger, writers, viewer)
        proof.told(words=len(ledger.words), **_played(proxy))


def _line(server: CoscribeServer) -> FaultProxy:
    return FaultProxy(int(server.url.rpartition(":")[2]), seed=_SEED)


def _played(proxy: FaultProxy) -> dict[str, int]:
    """What was really done to the line: none of it may be nothing."""
    played = {name: proxy.passed[name] for name in ("duplicated", "late", "dropped")}
    assert played["duplicated"] > 0
    assert played["late"] > 0
    return played


async def _type(writers: Sequence[Writer], rng: random.Random) -> None:
    """Everybody types at both ends, not waiting for acks: they count frames, which a bad line makes more or fewer."""

    async def type_on(writer: Writer, own: random.Random) -> None:
        for _ in range(_WORDS):
            await writer.write(own.choice([0, None]))
            await asyncio.sleep(own.uniform(0, 0.01))

    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(type_on(writer, random.Random(rng.random())))


async def _agree(writers: Sequence[Writer], ledger: Ledger) -> None:
    for writer in writers:
        await writer.typist.wait(lambda writer=writer: _has_all(writer, ledger))


def _has_all(writer: Writer, ledger: Ledger) -> bool:
    text = str(writer.typist.text)
    return all(word in text for word in ledger.words)
