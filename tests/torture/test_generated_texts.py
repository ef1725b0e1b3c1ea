"""Every text that people may type reads the same on every outlet, and two who replace it all leave no mixture."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest
from tests.support.documents import feed_url, new_document, socket_url
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.stock import StockClient
from tests.support.typist import Typist
from tests.support.viewer import Viewer

# Strings in one document, and how many of them go out as one change.
IN_A_DOCUMENT = 100
AT_ONCE = 5
# What texts break on: planes, joins, marks, directions, controls, line ends of all kinds, and what is not a character.
RANGES = [
    (0x20, 0x7E), (0xA0, 0x17F), (0x300, 0x36F), (0x5D0, 0x5EA), (0x600, 0x6FF), (0x900, 0x97F), (0x1100, 0x11FF),
    (0x2000, 0x206F), (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0xE000, 0xE010), (0xFE00, 0xFE0F), (0xFFF0, 0xFFFF),
    (0x10000, 0x100FF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1F6FF), (0x20000, 0x200FF), (0xE0001, 0xE007F),
    (0x10FFF0, 0x10FFFF),
]  # fmt: skip
SPECIALS = [
    "\r\n", "\r", "\n", "\t", "\x00", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\u200d", "\u200e",
    "👩\u200d👩\u200d👧\u200d👦", "👍🏽", "🇪🇺", "e\u0301", "z\u0351\u036b\u0343", "\u202e", "data: x\n\n", "\\u0000",
    "\x1a",
]  # fmt: skip


def a_string(rng: random.Random) -> str:
    """Up to twenty characters of two ranges, with a special one now and then."""
    ranges = rng.choices(RANGES, k=2)
    parts = [
        rng.choice(SPECIALS) if rng.random() < 0.2 else chr(rng.randint(*rng.choice(ranges)))
        for _ in range(rng.randrange(1, 20))
    ]
    return "".join(parts)


def as_kept(text: str) -> str:
    """As a document keeps it (rule D12)."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Outlet:
    """A document over REST."""

    def __init__(self, client: httpx.Client, document_id: str) -> None:
        self._client = client
        self._address = f"/api/v1/documents/{document_id}/text"

    def read(self) -> str:
        return self._client.get(self._address).raise_for_status().text

    def write(self, whole: str) -> None:
        headers = {"Content-Type": "text/plain"}
        self._client.put(self._address, content=whole.encode(), headers=headers).raise_for_status()


@pytest.mark.node
@pytest.mark.proof(
    promise="What is typed reads the same in every browser, over REST and in the feed",
    faults="F25",
    how="generated strings from a socket and over REST, compared in yjs, in our replica, over REST and in the feed",
)
async def test_every_outlet_reads_the_same(proof: Proof, server: CoscribeServer, guest: httpx.Client) -> None:
    rng = random.Random(25)
    for _ in range(proof.rounds(200, 10_000) // IN_A_DOCUMENT):
        document_id = new_document(server)
        url, outlet = socket_url(server, document_id), Outlet(guest, document_id)
        stock = StockClient(3, server.url, document_id)
        async with Typist(url) as typist, Viewer(feed_url(server, document_id)) as viewer, stock:
            await typist.wait_synced()
            for step in range(IN_A_DOCUMENT // AT_ONCE):
                strings = [a_string(rng) for _ in range(AT_ONCE)]
                written = _put if step % 2 else _type
                await written(typist, outlet, strings)
                text = outlet.read()
                await typist.wait_text(text)
                await viewer.wait_text(text)
                assert await stock.ask("await", expected=text) == text


async def _put(_: Typist, outlet: Outlet, strings: list[str]) -> None:
    """Write strings behind the text over REST."""
    whole = outlet.read() + "".join(strings)
    outlet.write(whole)
    assert outlet.read() == as_kept(whole)


async def _type(typist: Typist, outlet: Outlet, strings: list[str]) -> None:
    """Type strings one after another behind the text; line ends are turned as they arrive, wherever that cuts them."""
    before = outlet.read()
    for string in strings:
        await typist.insert(len(str(typist.text).encode()), string)
    await typist.wait_saved()
    assert _without_ends(outlet.read()) == _without_ends(before + "".join(strings))


def _without_ends(text: str) -> str:
    return as_kept(text).replace("\n", "")


@pytest.mark.proof(
    promise="Two people who replace the whole text at once leave both texts or one, never a mixture",
    faults="F23",
    how="two sockets, one document, both texts sent before either has heard of the other",
)
async def test_two_replace_everything_at_once(proof: Proof, server: CoscribeServer, guest: httpx.Client) -> None:
    rng = random.Random(23)
    document_id = new_document(server, "The text that both replace.\n")
    outlet = Outlet(guest, document_id)
    url = socket_url(server, document_id)
    async with Typist(url) as ann, Typist(url) as ben, Viewer(feed_url(server, document_id)) as viewer:
        await asyncio.gather(ann.wait_synced(), ben.wait_synced())
        for number in range(proof.rounds(20, 1_000)):
            texts = [as_kept(f"{name}{number}:" + "".join(a_string(rng) for _ in range(3))) for name in ("ann", "ben")]
            await asyncio.gather(_replace(ann, texts[0]), _replace(ben, texts[1]))
            await asyncio.gather(ann.wait_saved(), ben.wait_saved())
            text = outlet.read()
            assert text in ("".join(texts), "".join(reversed(texts)), *texts)
            for reader in (ann, ben, viewer):
                await reader.wait_text(text)


async def _replace(typist: Typist, whole: str) -> None:
    def all_of_it(text: object) -> None:
        typist.text.clear()
        typist.text.insert(0, whole)

    await typist.change(all_of_it)
