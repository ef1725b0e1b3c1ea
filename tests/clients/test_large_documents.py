"""Documents of 5 MB open, in pieces (P5), and are typed in."""

from __future__ import annotations

import hashlib
import random

from tests.support.documents import feed_url, new_document, socket_url, text_of
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.viewer import Viewer

from coscribe.core.pieces import ANSWER

_SIZE = 5 * 2**20


def _large_text(seed: int) -> str:
    rng = random.Random(seed)
    words = ["alpha", "beta", "größe", "漢字", "😀", "*strong*", "`code`", "[link](https://example.org)"]
    lines, size = [], 0
    while size < _SIZE:
        line = " ".join(rng.choices(words, k=12))
        lines.append(line)
        size += len(line.encode()) + 1
    return "\n".join(lines) + "\n"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_five_megabytes_open_and_type(own_server: CoscribeServer) -> None:
    text = _large_text(1)
    document_id = new_document(own_server, text)
    url = socket_url(own_server, document_id)
    async with Typist(url) as one, Typist(url) as two, Viewer(feed_url(own_server, document_id)) as viewer:
        await one.wait_synced()
        await two.wait_synced()
        assert _sha256(str(one.text)) == _sha256(text)
        assert one.heard.updates >= _SIZE // ANSWER.size, "a large answer comes in pieces"
        middle = len(text[: len(text) // 2].encode())
        for at in range(20):
            await one.insert(middle + at, "x")
            await two.insert(0, "y")
        await one.wait_saved()
        await two.wait_saved()
        expected = "y" * 20 + text[: len(text) // 2] + "x" * 20 + text[len(text) // 2 :]
        await one.wait_text(expected)
        await two.wait_text(expected)
        await viewer.wait_text(expected)
    own_server.kill()
    own_server.start()
    assert _sha256(text_of(own_server, document_id)) == _sha256(expected)


async def test_a_five_megabyte_paste_arrives(own_server: CoscribeServer) -> None:
    text = _large_text(2)
    document_id = new_document(own_server, "before\n")
    url = socket_url(own_server, document_id)
    async with Typist(url) as one, Typist(url) as two:
        await one.wait_synced()
        await two.wait_synced()
        await one.insert(len(one.text), text)
        await one.wait_saved()
        await two.wait_text("before\n" + text)


async def test_a_document_has_an_end(own_server: CoscribeServer) -> None:
    """The update that would pass the limit is refused with a notice, settled after it, and changes nothing."""
    own_server.stop()
    own_server.configure(max_document_bytes=100_000)
    own_server.start()
    document_id = new_document(own_server, "x" * 90_000)
    async with Typist(socket_url(own_server, document_id)) as typist:
        await typist.wait_synced()
        sent = typist.sent
        await typist.insert(0, "y" * 20_000)
        await typist.wait_saved()
        assert typist.sent == sent + 1
        [notice] = [notice for notice in typist.heard.notices if notice["kind"] == "refused"]
        assert notice["limit"] == "max_document_bytes"
        assert notice["frame"] == typist.sent
    assert text_of(own_server, document_id) == "x" * 90_000
