"""After a fault: everybody comes back, and what everybody reads is one text that agrees with the ledger."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from hashlib import sha256

import httpx
from tests.support.documents import socket_url, text_of
from tests.support.fault_proxy import FaultProxy
from tests.support.ledger import Ledger
from tests.support.server import CoscribeServer
from tests.support.sound import check_file
from tests.support.typist import Typist
from tests.support.viewer import Viewer
from tests.support.writers import Writer, meet, new_guest
from websockets.exceptions import WebSocketException

# Words that are under way at any moment, and the pause of a client that is not let in.
_AHEAD = 8
_COME_BACK_S = 0.05


async def people(
    server: CoscribeServer,
    document_id: str,
    ledger: Ledger,
    names: str,
    proxy: FaultProxy | None = None,
    *,
    kind: type[Typist] = Typist,
) -> list[Writer]:
    """A connected author for each letter, behind the proxy if there is one; a word of each is saved."""
    url = socket_url(server, document_id)
    url = proxy.through(url) if proxy else url
    writers = []
    for name in names:
        # Without an Origin, which would not be that of the proxy's port.
        headers = {"Cookie": new_guest(server, name)["Cookie"]}
        writer = Writer(name, url, ledger)
        writer.typist = kind(url, headers=headers)
        writers.append(writer)
    for writer in writers:
        await writer.connect()
        await writer.write()
        await writer.wait_saved()
    return writers


async def healed(
    server: CoscribeServer, document_id: str, ledger: Ledger, writers: Sequence[Writer], viewer: Viewer
) -> str:
    """Everybody connects anew; checks I1 to I5 of the ledger's one document and gives its text."""
    for writer in writers:
        await hang_up(writer)
    text = await meet(writers)
    await viewer.wait_text(text)
    ledger.check_all(text)
    readings = [text_of(server, document_id), viewer.text, *(str(writer.typist.text) for writer in writers)]
    hashes = {sha256(reading.encode()).hexdigest() for reading in readings}
    assert len(hashes) == 1, f"I2: {len(hashes)} different texts in {len(readings)} copies"
    for writer in writers:
        await writer.disconnect()
    check_file(server, ledger, document_id)
    return text


async def hang_up(writer: Writer) -> None:
    """End a connection without a goodbye: on a line that is lost nobody would answer it."""
    writer.typist.abort()
    await writer.typist.wait(lambda: writer.is_cut)
    writer.note_acks()


async def persist(writer: Writer, rng: random.Random) -> None:
    """Type without end, and connect again whenever the line is cut, as a client does."""
    while True:
        if writer.is_cut:
            writer.note_acks()
            try:
                await writer.connect()
            except (OSError, WebSocketException, httpx.HTTPError):
                await asyncio.sleep(_COME_BACK_S)
                continue
        await writer.write(rng.choice([0, None]))
        await writer.typist.wait(lambda: writer.typist.sent - writer.typist.acked < _AHEAD or writer.is_cut, 60)


async def keystrokes(one: Writer, other: Writer, count: int) -> list[float]:
    """Seconds that each of so many words takes from one to the other, in order of length."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        word = await one.write()
        await other.typist.wait(lambda word=word: word in str(other.typist.text), timeout_s=60)
        times.append(time.perf_counter() - began)
    return sorted(times)
