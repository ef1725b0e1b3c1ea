"""Behind nginx, Caddy and HAProxy as docs/proxies configures them: everything gets through, over HTTP/2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect
from tests.e2e.test_networks import meet, two_behind, works, write_together
from tests.e2e.test_reading import make_view_link
from tests.support.browser import Visitor
from tests.support.proxies import PROXIES, proxy
from tests.support.server import CoscribeServer

_NO_WEBSOCKETS = """window.WebSocket = class extends EventTarget {
  static OPEN = 1
  readyState = 3
  constructor(url) {
    super()
    this.url = url
    setTimeout(() => this.dispatchEvent(new CloseEvent('close', { code: 1006 })))
  }
  send() {}
  close() {}
}"""


@pytest.fixture(scope="module", params=PROXIES)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server behind a real proxy: its public address, and the certificate."""
    folder = tmp_path_factory.mktemp(request.param)
    with (
        CoscribeServer(folder / "server", secure_cookies="true") as server,
        proxy(request.param, folder, int(server.url.rpartition(":")[2])) as front,
    ):
        yield front


@asynccontextmanager
async def two_over_tls(browser: Browser, url: str) -> AsyncIterator[tuple[Visitor, Visitor]]:
    """Two people; a certificate that signs itself is good enough for pages here, not for what opens them offline."""
    async with two_behind(browser, url, ignore_https_errors=True) as people:
        for person in people:
            person.expects("SSL certificate error", "opens no pages offline")
        yield people


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_people_write_together_over_http_2(browser: Browser, front: tuple[str, Path]) -> None:
    async with two_over_tls(browser, front[0]) as (ana, ben):
        await meet(ana, ben)
        assert await works(ben, "socket") == "socket"
        await write_together(ana, ben)
        protocol = await ben.page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
        assert protocol == "h2"


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_requests_and_their_stream_get_through(browser: Browser, front: tuple[str, Path]) -> None:
    """Where something before the proxy refuses WebSockets."""
    async with two_over_tls(browser, front[0]) as (ana, ben):
        for person in (ana, ben):
            await person.context.add_init_script(_NO_WEBSOCKETS)
        asked: list[str] = []
        ben.page.on("request", lambda request: asked.append(urlsplit(request.url).path.split("/")[1]))
        await meet(ana, ben)
        assert await works(ben, "stream") == "stream"
        await write_together(ana, ben)
        # The proxy hands a stream on as it comes: what Ana typed came by it, and nothing had to be asked for.
        assert await works(ben, "stream") == "stream"
        assert asked.count("sse") == 1
        assert asked.count("poll") <= 2


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_readers_are_told_at_once(browser: Browser, front: tuple[str, Path]) -> None:
    async with two_over_tls(browser, front[0]) as (owner, reader):
        await owner.import_document("# Tides\n\nhigh")
        await reader.open(await make_view_link(owner))
        await expect(reader.page.locator("#live")).to_have_text("Live")
        await owner.put_caret("high")
        await owner.type(" and **low**")
        await expect(reader.page.locator("main strong")).to_have_text("low", timeout=2_000)


def test_the_doctor_finds_nothing_to_change(front: tuple[str, Path]) -> None:
    url, certificate = front
    found = subprocess.run(
        [sys.executable, "-m", "coscribe", "doctor", url, "--patience", "20"],
        env={**os.environ, "SSL_CERT_FILE": str(certificate)}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert "All is well." in found.stdout
    assert "version 2" in found.stdout
