"""The read page of a view link: an article without JavaScript, a live one with it, and never a way to the document."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, Visitor, invite
from tests.support.server import CoscribeServer
from tests.support.strict_proxy import Mode, StrictProxy

pytestmark = IN_BROWSER

ARTICLE = """# Harbour notes

Read *along*.

| tide | time  |
|------|-------|
| high | 06:12 |

- [x] ropes
- [ ] anchor
"""


async def make_view_link(owner: Visitor) -> str:
    """A path `/r/...`, made where people make it: in the share sheet."""
    await owner.button("Share", exact=True).click()
    await owner.dialog.get_by_role("button", name="New view link").click()
    address = await owner.dialog.get_by_label("Copy it now").input_value()
    await owner.press("Escape")
    await expect(owner.dialog).to_have_count(0)
    assert address.startswith(f"{owner.url}/r/")
    return address.removeprefix(owner.url)


async def test_it_reads_as_an_article_without_javascript(visit: Visit) -> None:
    owner = await visit()
    document_id = await owner.import_document(ARTICLE)
    path = await make_view_link(owner)
    reader = await visit(java_script_enabled=False)
    await reader.open(path)
    text = reader.page.locator("main#text")
    await expect(text.get_by_role("heading", level=1)).to_have_text("Harbour notes")
    await expect(text.locator("em")).to_have_text("along")
    await expect(text.get_by_role("cell", name="06:12")).to_be_visible()
    boxes = text.get_by_role("checkbox")
    await expect(boxes).to_have_count(2)
    await expect(boxes.first).to_be_checked()
    await expect(boxes.first).to_be_disabled()
    await expect(reader.page).to_have_title("Harbour notes - Coscribe")
    await expect(reader.page.get_by_text(await owner.name()).first).to_be_visible()
    for address in (path, f"{path}/body"):
        answer = await reader.context.request.get(owner.url + address)
        assert answer.ok
        assert document_id not in await answer.text()


async def test_it_follows_live_typing_without_a_socket(visit: Visit) -> None:
    owner, reader = await visit(), await visit()
    document_id = await owner.import_document(ARTICLE)
    path = await make_view_link(owner)
    sockets: list[str] = []
    reader.page.on("websocket", lambda socket: sockets.append(socket.url))
    await reader.open(path)
    await expect(reader.page.locator("#live")).to_have_text("Live")
    await owner.put_caret("along")
    await owner.type(" And **now**.")
    await expect(reader.page.locator("main strong")).to_have_text("now", timeout=2_000)
    assert sockets == []
    assert document_id not in await reader.page.content()


async def test_it_tells_who_is_here_and_what_happened(visit: Visit) -> None:
    owner, reader = await visit(), await visit()
    await owner.import_document(ARTICLE)
    await owner.rename("Ana of the harbour")
    await reader.open(await make_view_link(owner))
    people = reader.page.get_by_role("list", name="Who is here")
    await expect(people).to_contain_text("Ana of the harbour")
    await owner.rename("Ana at sea")
    await expect(people).to_contain_text("Ana at sea")
    ben = await visit()
    await ben.open_document(owner.document_id)
    await ben.put_caret("along")
    await ben.type("!")
    await expect(reader.page.locator("#activity li").first).to_have_text(re.compile(f"{await ben.name()} edited"))
    for person in (owner, ben):
        await person.page.close()
    await expect(people.locator("li")).to_have_count(0)


async def test_a_new_title_arrives(visit: Visit) -> None:
    owner, reader = await visit(), await visit()
    await owner.import_document(ARTICLE)
    await reader.open(await make_view_link(owner))
    await expect(reader.page.locator("#live")).to_have_text("Live")
    title = owner.page.get_by_label("Title", exact=True)
    await title.fill("Set by hand")
    await owner.press("Enter")
    await expect(reader.page).to_have_title("Set by hand - Coscribe")


async def test_what_one_reads_stays_in_place_while_others_write_above(visit: Visit) -> None:
    owner, reader = await visit(), await visit()
    await owner.import_document("\n\n".join(f"Paragraph {number}." for number in range(80)))
    await reader.open(await make_view_link(owner))
    await expect(reader.page.locator("#live")).to_have_text("Live")
    paragraph = reader.page.get_by_text("Paragraph 60.", exact=True)
    await paragraph.scroll_into_view_if_needed()
    before = await paragraph.bounding_box()
    assert before is not None
    await owner.put_caret("Paragraph 0.")
    await owner.type("\n\nNew one.\n\nAnother.")
    await expect(reader.page.get_by_text("Another.")).to_have_count(1)
    after = await paragraph.bounding_box()
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 1


async def test_a_revoked_link_ends_kindly_and_at_once(visit: Visit) -> None:
    owner, reader = await visit(), await visit()
    await owner.import_document(ARTICLE)
    path = await make_view_link(owner)
    await reader.open(path)
    await expect(reader.page.locator("#live")).to_have_text("Live")
    # The browser itself reports that the stream's address is gone.
    reader.expects("404")
    await owner.button("Share", exact=True).click()
    await owner.dialog.get_by_role("button", name="Revoke this View link").click()
    await expect(reader.page.get_by_role("alert")).to_have_text(re.compile("not shared with you any more"))
    await expect(reader.page.locator("#live")).to_have_text("No longer shared")
    await expect(reader.page.get_by_role("cell", name="06:12")).to_be_visible()
    await reader.open(path)
    await expect(reader.page.get_by_role("heading", level=1)).to_have_text(re.compile("doesn.t exist"))


async def test_a_read_page_reloads_itself_after_the_server_was_away(
    visit_stoppable: Visit, stoppable: CoscribeServer
) -> None:
    owner, reader = await visit_stoppable(), await visit_stoppable()
    for person in (owner, reader):
        person.expects_silence_of_server()
    await owner.import_document(ARTICLE)
    await reader.open(await make_view_link(owner))
    await expect(reader.page.locator("#live")).to_have_text("Live")
    stoppable.kill()
    await expect(reader.page.locator("#live")).to_have_text("Connecting…")
    stoppable.start()
    await owner.see_saved()
    await owner.put_caret("along")
    await owner.type(" Back.")
    await expect(reader.page.get_by_text("Back.")).to_be_visible()
    await expect(reader.page.locator("#live")).to_have_text("Live")


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(server: CoscribeServer) -> AsyncIterator[StrictProxy]:
    async with StrictProxy(int(server.url.rpartition(":")[2])) as running:
        yield running


async def readers(browser: Browser, proxy: StrictProxy, path: str, count: int) -> list[Visitor]:
    """Windows of one browser with the read page, all live."""
    context = await browser.new_context()
    found = [await invite(context, proxy.url) for _ in range(count)]
    for window in found:
        window.expects(r"Failed to load resource", r"net::ERR_")
        await window.open(path)
        await expect(window.page.locator("#live")).to_have_text("Live")
    return found


def streams(proxy: StrictProxy) -> list[str]:
    """The event streams that are open."""
    return [asked for asked in proxy.open if re.search(r"/r/.*/events\?after=[^&]* HTTP", asked)]


async def test_readers_follow_where_streams_are_kept_back(visit: Visit, browser: Browser, proxy: StrictProxy) -> None:
    owner = await visit()
    await owner.import_document("# Tides\n\nhigh")
    path = await make_view_link(owner)
    (reader,) = await readers(browser, proxy, path, 1)
    await owner.put_caret("high")
    await owner.type(" and **low**")
    await expect(reader.page.locator("main strong")).to_have_text("low")
    # The network changes while the page is open.
    proxy.turn(Mode.BUFFERING)
    await owner.type(" _water_")
    await expect(reader.page.locator("main em")).to_have_text("water")
    await expect(reader.page.locator("#live")).to_have_text("Live")
    # The next page knows.
    await reader.page.reload()
    await expect(reader.page.locator("#live")).to_have_text("Live", timeout=3_000)
    await owner.type(" `again`")
    await expect(reader.page.locator("main code")).to_have_text("again")
    await reader.context.close()


async def test_a_stream_that_is_cut_goes_on_where_it_was(visit: Visit, browser: Browser, proxy: StrictProxy) -> None:
    owner = await visit()
    await owner.import_document("# Tides\n\nhigh")
    (reader,) = await readers(browser, proxy, await make_view_link(owner), 1)
    await owner.put_caret("high")
    await owner.type(" and **low**")
    await expect(reader.page.locator("main strong")).to_have_text("low")
    proxy.cut()
    await owner.type(" _water_")
    await expect(reader.page.locator("main em")).to_have_text("water")
    await expect(reader.page.locator("#live")).to_have_text("Live")
    assert proxy.resumed
    await reader.context.close()


async def test_eight_read_pages_of_one_browser_share_one_stream(
    visit: Visit, browser: Browser, proxy: StrictProxy
) -> None:
    owner = await visit()
    await owner.import_document("# Tides\n\nhigh")
    windows = await readers(browser, proxy, await make_view_link(owner), 8)
    await owner.put_caret("high")
    await owner.type(" and **low**")
    for window in windows:
        await expect(window.page.locator("main strong")).to_have_text("low")
    assert len(streams(proxy)) == 1
    # The one that is looked at listens; where it goes, another does.
    await windows[-1].page.close()
    await owner.type(" _water_")
    for window in windows[:-1]:
        await expect(window.page.locator("main em")).to_have_text("water")
    await windows[0].context.close()
