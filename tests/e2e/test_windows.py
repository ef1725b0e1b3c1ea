"""Many windows of one browser where no WebSocket gets through: over HTTP/1.1 it opens six connections to a server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.e2e.test_networks import works
from tests.support.browser import IN_BROWSER, Visitor, invite
from tests.support.server import CoscribeServer
from tests.support.strict_proxy import Mode, StrictProxy

pytestmark = IN_BROWSER

# As pages over plain HTTP find it.
_NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })"
_WINDOWS = 8


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(server: CoscribeServer) -> AsyncIterator[StrictProxy]:
    async with StrictProxy(int(server.url.rpartition(":")[2]), Mode.NO_UPGRADES) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", params=["with locks", "without"])
async def windows(browser: Browser, proxy: StrictProxy, request: pytest.FixtureRequest) -> AsyncIterator[list[Visitor]]:
    """One browser's windows, all with the same document."""
    context = await browser.new_context()
    if request.param == "without":
        await context.add_init_script(_NO_LOCKS)
    found = [await invite(context, proxy.url) for _ in range(_WINDOWS)]
    for number, window in enumerate(found):
        window.expects_silence_of_server()
        window.expects(r"Failed to load resource", r"WebSocket connection")
        if number == 0:
            await window.import_document("Ana:\nBen:")
        else:
            await window.open_document(found[0].document_id)
        await works(window, "stream")
    yield found
    troubles = [trouble for window in found for trouble in window.troubles]
    await context.close()
    assert troubles == []


def streams(proxy: StrictProxy) -> list[str]:
    """The streams that are open."""
    return [asked for asked in proxy.open if "/sse/" in asked]


async def writes(window: Visitor, line: str, words: str) -> None:
    """Type at the end of a line of a window that is looked at."""
    await window.page.bring_to_front()
    await window.put_caret(line)
    await window.type(words)
    await window.see_saved()


async def test_eight_windows_share_one_stream(windows: list[Visitor], proxy: StrictProxy) -> None:
    for number, window in enumerate(windows):
        await writes(window, "Ana:", f" {number}")
    text = await windows[0].stored()
    for window in windows:
        await window.see_text(text)
    assert len(streams(proxy)) == 1
    # Requests of the page itself find a connection.
    for window in windows:
        status = await window.page.evaluate("fetch('/api/v1/me').then(answer => answer.status)")
        assert status == 200
    # The window that listens goes: another takes over.
    await windows[-1].page.close()
    await writes(windows[0], "Ben:", " still here")
    for window in windows[:-1]:
        await window.see_in_text("still here")


async def test_a_window_that_crashed_or_sleeps_keeps_nobody_waiting(windows: list[Visitor]) -> None:
    last, asleep, first = windows[-1], windows[-2], windows[0]
    for sleeper in (asleep, last):
        await writes(sleeper, "Ana:", " seen")
        debugger = await sleeper.context.new_cdp_session(sleeper.page)
        # It had the turn, and does nothing any more.
        await debugger.send("Page.setWebLifecycleState", {"state": "frozen"})
        await writes(first, "Ben:", " awake")
        await windows[1].see_in_text(await first.text())
    debugger = await last.context.new_cdp_session(last.page)
    await debugger.send("Page.setWebLifecycleState", {"state": "active"})
    await last.see_text(await first.text())


async def test_a_person_with_eight_windows_is_there_once(windows: list[Visitor], proxy: StrictProxy) -> None:
    other = await invite(await windows[0].context.browser.new_context(), proxy.url)  # type: ignore[union-attr]
    other.expects(r"Failed to load resource", r"WebSocket connection")
    await other.open_document(windows[0].document_id)
    await expect(other.page.locator(".presence .avatar")).to_have_count(2)
    for window in windows:
        await window.open("/trash")
    await expect(other.page.locator(".presence .avatar")).to_have_count(1)
    await other.context.close()


async def test_eight_documents_leave_a_connection_for_what_is_typed(browser: Browser, proxy: StrictProxy) -> None:
    """Each has a stream of its own, or asks now and then where there are too many."""
    context = await browser.new_context()
    windows = [await invite(context, proxy.url) for _ in range(_WINDOWS)]
    other = await invite(await browser.new_context(), proxy.url)
    for window in (*windows, other):
        window.expects(r"Failed to load resource", r"WebSocket connection")
    for number, window in enumerate(windows):
        await window.import_document(f"Document {number}:")
        await works(window, "stream", "poll")
    for number in (0, _WINDOWS - 1):
        window = windows[number]
        await writes(window, "Document", " typed")
        await other.open_document(window.document_id)
        await writes(other, "Document", " and answered")
        await window.see_text(f"Document {number}: typed and answered")
    assert len(streams(proxy)) <= 4 + 1  # and the other's own
    await context.close()
    await other.context.close()
