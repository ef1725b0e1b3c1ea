"""Threat row 1: a page of another origin in a browser that is signed in here gets no socket, stream or document."""

from __future__ import annotations

from playwright.async_api import Route
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER

pytestmark = IN_BROWSER

# The same host and another port: to cookies that is the same site, which makes it the hardest case.
_FOREIGN = "http://127.0.0.1:8099/"
_OPEN_SOCKET = """url => new Promise(done => {
  const socket = new WebSocket(url)
  socket.onopen = () => done('open')
  socket.onclose = event => done(event.code)
})"""
_OPEN_STREAM = """url => new Promise(done => {
  const stream = new EventSource(url, { withCredentials: true })
  stream.onopen = () => done('open')
  stream.onerror = () => done('refused')
})"""
_POST = """url => fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' })
  .then(answer => answer.type, () => 'refused')"""


async def test_row_1_a_foreign_page_gets_nothing_with_our_cookie(visit: Visit) -> None:
    person = await visit()
    await person.new_document("mine")
    socket = f"{person.url.replace('http', 'ws', 1)}/ws/{person.document_id}"
    stream = f"{person.url}/api/v1/documents/{person.document_id}/events"
    assert await person.page.evaluate(_OPEN_SOCKET, socket) == "open"

    async def foreign(route: Route) -> None:
        await route.fulfill(content_type="text/html", body="<!doctype html><title>Elsewhere</title>")

    person.expects("WebSocket connection", "EventSource", "CORS policy", "net::ERR_FAILED", "403")
    await person.page.route(f"{_FOREIGN}**", foreign)
    await person.page.goto(_FOREIGN)
    assert await person.page.evaluate(_OPEN_SOCKET, socket) == 1006
    assert await person.page.evaluate(_OPEN_STREAM, stream) == "refused"
    assert await person.page.evaluate(_POST, f"{person.url}/api/v1/documents") in ("opaque", "refused")
    listing = await person.context.request.get(f"{person.url}/api/v1/documents")
    assert len((await listing.json())["items"]) == 1
