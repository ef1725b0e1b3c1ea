"""Renderings are made once a position and shared; what was read longest ago is forgotten first."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coscribe.api.wiring import Wiring
from coscribe.app import running
from coscribe.config import Settings
from coscribe.core.splices import Splice
from coscribe.model import Document, Principal
from coscribe.services.documents import NewDocument
from coscribe.services.reading import Rendering, Renderings


@pytest.fixture
async def wiring(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Wiring]:
    async with running(Settings(database_url=sqlite_url, data_dir=tmp_path), asyncio.Event()) as running_wiring:
        yield running_wiring


@pytest.fixture
async def guest(wiring: Wiring) -> Principal:
    return (await wiring.identity.new_guest()).principal


async def make(wiring: Wiring, owner: Principal, text: str) -> Document:
    return (await wiring.documents.create(owner, NewDocument(text=text))).document


async def read(wiring: Wiring, renderings: Renderings, document: Document) -> Rendering:
    async with wiring.registry.hold(document) as room:
        return await renderings.of(room)


async def test_all_readers_of_a_position_share_one_rendering(wiring: Wiring, guest: Principal) -> None:
    document = await make(wiring, guest, "# Title\n\n" + "word *b* " * 2_000)
    renderings = Renderings()
    first, *others = await asyncio.gather(*(read(wiring, renderings, document) for _ in range(20)))
    assert all(other is first for other in others)
    assert gzip.decompress(first.compressed) == first.body == first.html.encode()
    assert first.summary.startswith("Title word b word b")


async def test_a_new_position_is_rendered_anew(wiring: Wiring, guest: Principal) -> None:
    document = await make(wiring, guest, "one")
    renderings = Renderings()
    before = await read(wiring, renderings, document)
    async with wiring.registry.hold(document) as room:
        await room.writers.edit(guest, lambda text: [Splice(len(text), 0, " two")])
    after = await read(wiring, renderings, document)
    assert (before.html, after.html) == ("<p>one</p>\n", "<p>one two</p>\n")
    assert after.seq > before.seq


async def test_the_documents_read_longest_ago_are_forgotten(wiring: Wiring, guest: Principal) -> None:
    first, second, third = [await make(wiring, guest, f"text {number}") for number in range(3)]
    renderings = Renderings(most_documents=2)
    one = await read(wiring, renderings, first)
    two = await read(wiring, renderings, second)
    assert await read(wiring, renderings, first) is one
    await read(wiring, renderings, third)
    assert await read(wiring, renderings, first) is one
    assert await read(wiring, renderings, second) is not two


async def test_large_renderings_are_kept_only_within_the_budget(wiring: Wiring, guest: Principal) -> None:
    first, second = [await make(wiring, guest, "x" * 10_000) for _ in range(2)]
    renderings = Renderings(most_bytes=30_000)
    one = await read(wiring, renderings, first)
    two = await read(wiring, renderings, second)
    assert await read(wiring, renderings, second) is two
    assert await read(wiring, renderings, first) is not one
