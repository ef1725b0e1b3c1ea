"""People who type words of a ledger as fast as the line takes them, while the server is being ill-treated."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence

from tests.support.ledger import Ledger
from tests.support.server import CoscribeServer
from tests.support.sick_disk import refused
from tests.support.typist import Typist

# Words that are under way at any moment, so that whatever happens finds some between write and ack.
_AHEAD = 8


class Writer:
    """One author with one client. `name` is how the ledger knows him."""

    def __init__(self, name: str, url: str, ledger: Ledger, *, headers: dict[str, str] | None = None) -> None:
        self.name = name
        self.ledger = ledger
        self.typist = Typist(url, headers=headers)
        self._frames: dict[int, int] = {}
        self._at_first = 0

    @property
    def is_cut(self) -> bool:
        """Whether the connection has ended."""
        return self.typist.closed is not None

    async def connect(self) -> None:
        """Connect and handshake. The first frame is the step 2, which carries every word typed before."""
        self._frames.clear()
        self._at_first = 0
        await self.typist.connect()
        self._at_first = self.ledger.count(self.name)
        await self.typist.wait(lambda: self.typist.synced or self.is_cut)

    async def write(self, index: int | None = None) -> str:
        """Type one word, at the end when no index is told."""
        word = self.ledger.next_word(self.name)
        self.ledger.typed(self.name, word)
        await self.typist.insert(len(self.typist.text) if index is None else index, word)
        self._frames[self.typist.sent] = self.ledger.count(self.name)
        return word

    async def write_on(self, rng: random.Random) -> None:
        """Type at both ends of the text until the connection ends or the task is cancelled."""
        while not self.is_cut:
            await self.write(rng.choice([0, None]))
            await self.typist.wait(lambda: self.typist.sent - self.typist.acked < _AHEAD or self.is_cut, timeout_s=60)
            self.note_acks()

    def note_acks(self) -> None:
        """Write into the ledger what the acks of this connection cover, up to a frame that was refused."""
        settled = min([self.typist.acked, *(frame - 1 for frame in refused(self.typist))])
        covered = [count for frame, count in self._frames.items() if frame <= settled]
        self.ledger.acked(self.name, max(covered, default=self._at_first if settled > 0 else 0))

    async def wait_saved(self) -> None:
        """Wait until everything is shown as saved, and write that down."""
        await self.typist.wait_saved(timeout_s=60)
        self.note_acks()

    async def disconnect(self) -> None:
        await self.typist.disconnect()
        self.note_acks()


def new_guest(server: CoscribeServer, name: str) -> dict[str, str]:
    """The headers of a visitor with a cookie and a name."""
    with server.client() as browser:
        browser.patch("/api/v1/me", json={"name": name}).raise_for_status()
        cookies = "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
    return {"Cookie": cookies, "Origin": server.url}


async def introduce(writers: Iterable[Writer]) -> None:
    """Have a word of everybody saved: until then, whoever brings a client id back after a crash counts as its owner."""
    for writer in writers:
        await writer.connect()
        await writer.write()
        await writer.wait_saved()
        await writer.disconnect()


async def write_until_cut(writers: Sequence[Writer], rng: random.Random, *, cut: asyncio.Future[object]) -> None:
    """Everybody types until `cut` is done and every connection has ended. What was acked is in the ledger then."""
    typing = [asyncio.create_task(writer.write_on(random.Random(rng.random()))) for writer in writers]
    await cut
    for writer in writers:
        await writer.typist.wait(lambda writer=writer: writer.is_cut)
        writer.note_acks()
    for task in typing:
        task.cancel()
    await asyncio.gather(*typing, return_exceptions=True)


async def meet(writers: Iterable[Writer]) -> str:
    """Everybody comes back with what he holds, everything is saved and everybody sees the same text; gives it."""
    everybody = list(writers)
    for writer in everybody:
        await writer.connect()
    for writer in everybody:
        await writer.wait_saved()
    first, *others = everybody
    for other in others:
        await first.typist.wait(lambda other=other: str(first.typist.text) == str(other.typist.text), timeout_s=60)
    return str(first.typist.text)
