"""A server is moved from SQLite to PostgreSQL: people go on where they were, with what they had."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.support.documents import new_document, socket_url, text_of
from tests.support.server import COMMAND, CoscribeServer
from tests.support.typist import Typist


def copied(server: CoscribeServer, target: str) -> str:
    """What the command says, run as an operator runs it."""
    done = subprocess.run(
        [*COMMAND, "copy", "--from", server.data_dir, "--to", target],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.postgres
async def test_people_go_on_after_their_server_was_moved(postgres_url: str, tmp_path: Path) -> None:
    server = CoscribeServer(tmp_path)
    server.start()
    try:
        token = server.token("ci")
        with server.client() as guest:
            me = guest.get("/api/v1/me").json()
            cookies = dict(guest.cookies)
            own = guest.post("/api/v1/documents", json={"text": "mine"}).json()
        document_id = new_document(server, "# Shared\n")
        async with Typist(socket_url(server, document_id)) as one, Typist(socket_url(server, document_id)) as two:
            await one.wait_synced()
            await two.wait_synced()
            await one.insert(len(one.text), "before the move\n")
            await one.wait_saved()

            assert "The source is in use: stop its servers" in copied(server, postgres_url)
            early = server.operate("serve", "--port", "0", "--database-url", postgres_url)
            assert (early.returncode, early.stdout) == (1, "")
            assert "This database is an unfinished copy of" in early.stderr
            await one.insert(len(one.text), "beside it\n")
            await one.wait_saved()
            with server.client(token) as script:
                before = script.get(f"/api/v1/documents/{document_id}").json()
                etag = script.get(f"/api/v1/documents/{document_id}/text").headers["ETag"]

            server.stop()
            told = copied(server, postgres_url)
            assert "1 copied, 1 stood there" in told
            assert "The copy is finished and may be served." in told
            await one.disconnect()
            await one.insert(0, "typed meanwhile\n")

            server.configure(database_url=postgres_url)
            server.start()
            await one.connect()
            await one.wait_synced()
            await one.insert(len(one.text), "after the move\n")
            await one.wait_saved()
            await two.disconnect()
            await two.connect()
            await two.wait_text(str(one.text))
            assert one.heard.denied == two.heard.denied == []

        assert text_of(server, document_id) == (
            "typed meanwhile\n# Shared\nbefore the move\nbeside it\nafter the move\n"
        )
        with server.client(token) as script:
            after = script.get(f"/api/v1/documents/{document_id}").json()
            late = script.put(
                f"/api/v1/documents/{document_id}/text",
                content="x",
                headers={"If-Match": etag, "Content-Type": "text/plain"},
            )
        assert after["generation"] == before["generation"]
        assert late.status_code == 412
        with server.client() as guest:
            guest.cookies.update(cookies)
            assert guest.get("/api/v1/me").json() == me
            assert guest.get(f"/api/v1/documents/{own['id']}").json()["role"] == "owner"
    finally:
        server.stop()
