"""The whole server on PostgreSQL: written together, killed, read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.documents import feed_url, new_document, socket_url, text_of
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.viewer import Viewer


@pytest.mark.postgres
async def test_people_write_together_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """D3 holds on both databases: what was acked is there after kill -9."""
    with CoscribeServer(tmp_path, database_url=postgres_url) as server:
        document_id = new_document(server, "# Shared\n")
        url = socket_url(server, document_id)
        async with Typist(url) as one, Typist(url) as two, Viewer(feed_url(server, document_id)) as viewer:
            await one.wait_synced()
            await two.wait_synced()
            for at in range(50):
                await one.insert(len(one.text), f"one {at} 😀\n")
                await two.insert(0, f"two {at}\n")
            await one.wait_saved()
            await two.wait_saved()
            await one.wait_text(str(two.text))
            expected = str(one.text)
            assert expected.count("one ") == expected.count("two ") == 50
            await viewer.wait_text(expected)
            server.kill()
            server.start()
            assert text_of(server, document_id) == expected
