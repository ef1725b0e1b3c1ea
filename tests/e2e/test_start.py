"""A stranger's first minutes: one action to a caret, and nothing typed is lost."""

from __future__ import annotations

import re

from playwright.async_api import WebSocket, expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, Visitor

pytestmark = IN_BROWSER


async def _write_and_reload(person: Visitor) -> None:
    await person.see_caret()
    await expect(person.page.locator(".cm-placeholder")).to_be_visible()
    await person.type("# Night train\n\nLeaves at ten.")
    await person.see_saved()
    await expect(person.page).to_have_title("Night train - Coscribe")
    await person.page.reload()
    await person.see_text("# Night train\n\nLeaves at ten.")
    assert await person.stored() == "# Night train\n\nLeaves at ten."


async def test_enter_on_the_home_page_leads_to_a_caret(visit: Visit) -> None:
    person = await visit()
    await person.open("/")
    await expect(person.button("New document")).to_be_focused()
    await person.press("Enter")
    await _write_and_reload(person)


async def test_the_button_and_the_address_new_lead_there_too(visit: Visit) -> None:
    person = await visit()
    await person.open("/")
    await person.button("New document").click()
    await person.see_caret()
    first = person.document_id
    await person.open("/new")
    await _write_and_reload(person)
    assert person.document_id != first


async def test_a_page_opens_one_socket_and_asks_for_the_text_once(visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    asked: list[list[bytes]] = []

    def opened(socket: WebSocket) -> None:
        asked.append(frames := [])
        socket.on("framesent", lambda frame: frames.append(frame) if frame[:2] == b"\0\0" else None)

    ana.page.on("websocket", opened)
    ben.page.on("websocket", opened)
    document_id = await ana.new_document("Once")
    await ben.open_document(document_id)
    await ben.see_text("Once")
    assert asked == [[b"\0\0\1\0"], [b"\0\0\1\0"]]
    await ben.page.reload()
    await ben.see_saved()
    assert [len(frames) for frames in asked] == [1, 1, 1]
    assert asked[2] != asked[1], "a browser that has the text asks for the rest only"


async def test_the_text_waits_for_no_buttons_and_does_not_jump_when_they_come(visit: Visit) -> None:
    person = await visit()
    person.expects(r"net::ERR_FAILED", r"The page is not complete yet")
    await person.page.route("**/assets/surroundings-*.js", lambda route: route.abort(), times=1)
    await person.open("/new")
    await person.see_caret()
    await person.type("text")
    top = "() => document.querySelector('.cm-line').getBoundingClientRect().top"
    before = await person.page.evaluate(top)
    await expect(person.status).to_have_count(0)
    await person.see_saved()
    await expect(person.button("Split")).to_be_visible()
    assert await person.page.evaluate(top) == before
    assert await person.stored() == "text"


async def test_a_guest_has_a_friendly_name_and_no_questions_asked(visit: Visit) -> None:
    person = await visit()
    await person.new_document()
    assert re.fullmatch(r"Anonymous \w+", await person.name())
    await expect(person.dialog).to_have_count(0)
    await expect(person.page.get_by_role("button", name="(you)")).to_be_visible()


async def test_the_first_heading_names_the_document_at_home(visit: Visit) -> None:
    person = await visit()
    await person.new_document("# Plan for *spring*\n\ntext")
    await expect(person.page.get_by_label("Title", exact=True)).to_have_value("Plan for spring")
    row = person.page.get_by_role("link", name="Plan for spring")
    await person.see_named("Plan for spring")
    await person.open("/")
    await expect(row).to_be_visible()
    await row.click()
    await person.see_text("# Plan for *spring*\n\ntext")


async def test_a_title_set_by_hand_stays_and_an_emptied_one_follows_the_text(visit: Visit) -> None:
    person = await visit()
    await person.new_document("# From the text")
    await person.see_named("From the text")
    title = person.page.get_by_label("Title", exact=True)
    await title.fill("By hand")
    await person.press("Enter")
    await expect(person.page).to_have_title("By hand - Coscribe")
    await person.page.reload()
    await expect(title).to_have_value("By hand")
    await title.fill("")
    await person.press("Enter")
    await expect(person.page).to_have_title("From the text - Coscribe")


async def test_a_document_without_words_is_untitled(visit: Visit) -> None:
    person = await visit()
    await person.new_document()
    await expect(person.page).to_have_title("Untitled - Coscribe")
    await person.open("/")
    await expect(person.page.get_by_role("link", name="Untitled")).to_be_visible()


async def test_a_stranger_sees_where_documents_will_appear(visit: Visit) -> None:
    person = await visit()
    await person.open("/")
    await expect(person.page.get_by_text("Documents you write or open appear here.")).to_be_visible()
    await person.page.get_by_role("link", name="Trash").click()
    await expect(person.page.get_by_text("The trash is empty.")).to_be_visible()
    await person.page.go_back()
    await expect(person.button("New document")).to_be_visible()
