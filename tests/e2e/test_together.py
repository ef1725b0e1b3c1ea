"""Two people in one document: one text, carets with names, and nobody is moved by somebody else."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, Visitor, agree

pytestmark = IN_BROWSER

LONG = "\n".join(f"line {number}" for number in range(1, 121))
_CARET_Y = "getSelection().focusNode.parentElement.closest('.cm-line').getBoundingClientRect().y"


async def _two(visit: Visit, text: str = "") -> tuple[Visitor, Visitor]:
    """Two people; the second made the document with this text, both have it open."""
    ana, ben = await visit(), await visit()
    await ben.import_document(text)
    await ana.open_document(ben.document_id)
    await ana.see_in_text(text[:8])
    await ana.see_caret()
    return ana, ben


def _in_order(part: str, whole: str) -> bool:
    """Whether all characters of the part stand in the whole in this order."""
    rest = iter(whole)
    return all(character in rest for character in part)


async def test_two_people_type_at_once_in_their_own_lines(visit: Visit) -> None:
    ana, ben = await _two(visit, "top\nmiddle\nbottom")
    await ana.put_caret("top")
    await ben.put_caret("bottom")
    await asyncio.gather(ana.type(" of the morning", delay_ms=5), ben.type(" of the sea", delay_ms=5))
    assert await agree(ana, ben) == "top of the morning\nmiddle\nbottom of the sea"


async def test_two_people_type_at_once_at_the_very_same_place(visit: Visit) -> None:
    ana, ben = await _two(visit, "<>")
    typed = {ana: "one 🐢 and two 🐇🐇 and three é", ben: "EINS 🌞 UND ZWEI 👩‍👩‍👧 UND DREI ß"}
    for person in typed:
        await person.put_caret("<>")
        await person.press("ArrowLeft")
    await asyncio.gather(*(person.type(text, delay_ms=5) for person, text in typed.items()))
    text = await agree(ana, ben)
    assert sorted(text) == sorted("<>" + "".join(typed.values()))
    assert text[0] + text[-1] == "<>"
    for own in typed.values():
        assert _in_order(own, text)


async def test_two_people_type_and_delete_in_the_same_line(visit: Visit) -> None:
    ana, ben = await _two(visit, "the quick brown fox")
    await ana.put_caret("fox")
    await ben.put_caret("fox")
    await ben.press("Home")

    async def delete_the_fox() -> None:
        await ana.press(*["Backspace"] * 3)
        await ana.type("wolf", delay_ms=5)

    await asyncio.gather(delete_the_fox(), ben.type("all of ", delay_ms=5))
    assert await agree(ana, ben) == "all of the quick brown wolf"


async def test_carets_carry_names_that_are_not_part_of_the_text(visit: Visit) -> None:
    ana, ben = await _two(visit, "shared words")
    await ana.rename("Ana Lím")
    await ana.put_caret("shared")
    flag = ben.page.locator(".cs-caret-flag")
    await expect(flag).to_have_text("Ana Lím")
    await expect(flag).to_have_css("opacity", "1")
    face = ben.page.get_by_role("button", name="Go to Ana Lím")
    await expect(face).to_have_attribute("title", re.compile("line 1"))
    colours = [
        await element.evaluate("element => getComputedStyle(element).backgroundColor")
        for element in (flag, face.locator(".avatar"))
    ]
    assert colours[0] == colours[1]
    assert await ben.editor.evaluate("content => content.textContent") == "shared words"


async def test_a_selection_of_another_person_is_shown(visit: Visit) -> None:
    ana, ben = await _two(visit, "shared words")
    await expect(ben.page.locator(".cs-selection")).to_have_count(0)
    await ana.put_caret("shared")
    await ana.press("Shift+Home")
    await expect(ben.page.locator(".cs-selection")).to_have_count(1)


async def test_a_new_name_reaches_others_over_the_same_socket(visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    sockets: list[str] = []
    for person in (ana, ben):
        person.page.on("websocket", lambda socket: sockets.append(socket.url))
    await ben.import_document("text")
    await ana.open_document(ben.document_id)
    await ana.put_caret("text")
    await expect(ben.page.get_by_role("button", name=f"Go to {await ana.name()}")).to_be_visible()
    await ana.rename("Zoë")
    await expect(ben.page.get_by_role("button", name="Go to Zoë")).to_be_visible(timeout=1_000)
    await ana.put_caret("text")
    await expect(ben.page.locator(".cs-caret-flag")).to_have_text("Zoë")
    assert len(sockets) == 2


async def test_an_avatar_leads_to_its_person(visit: Visit) -> None:
    ana, ben = await _two(visit, LONG)
    await ana.put_caret("line 1")
    await ana.press("Control+End")
    face = ben.page.get_by_role("button", name=f"Go to {await ana.name()}, line 120")
    await expect(ben.page.locator(".cs-caret")).to_have_count(0)
    await face.click()
    await expect(ben.page.locator(".cs-caret")).to_be_in_viewport()
    await expect(ben.page.locator(".cm-line", has_text="line 120")).to_be_in_viewport()


async def test_who_leaves_is_gone_and_who_comes_is_announced_once(visit: Visit) -> None:
    ana, ben = await _two(visit, "text")
    name = await ana.name()
    await expect(ben.page.locator("#joins")).to_have_text(f"{name} joined.")
    await ana.page.close()
    await expect(ben.page.get_by_role("button", name=f"Go to {name}")).to_have_count(0)
    await expect(ben.page.locator(".cs-caret")).to_have_count(0)


async def _scroll_to(person: Visitor, words: str) -> None:
    """Go to a line that may not be drawn yet."""
    await person.editor.focus()
    await person.press("Control+Home")
    line = person.editor.locator(".cm-line").get_by_text(words, exact=True)
    while not await line.is_visible():
        await person.press("PageDown")
    await line.evaluate("line => line.scrollIntoView({ block: 'center' })")


async def _ana_stays(ana: Visitor, ben: Visitor, y: float) -> None:
    # Sent after all that was written above, so that has come when this is here. It stands below the caret, in sight.
    await ben.put_caret("line 62")
    await ben.type(" end")
    await expect(ana.editor.locator(".cm-line", has_text="line 62 end")).to_be_visible()
    assert abs(await ana.page.evaluate(_CARET_Y) - y) <= 1
    await ana.type("|")
    await expect(ana.editor.locator(".cm-line", has_text="|")).to_have_text("line 60|")


async def test_lines_written_above_the_window_do_not_move_my_line(visit: Visit) -> None:
    ana, ben = await _two(visit, LONG)
    await _scroll_to(ana, "line 60")
    await ana.put_caret("line 60")
    y = await ana.page.evaluate(_CARET_Y)
    await ben.editor.focus()
    await ben.press("Control+Home")
    await ben.type("new\nnew\nnew\nnew\nnew\n")
    await _scroll_to(ben, "line 62")
    await _ana_stays(ana, ben, y)


async def test_lines_written_above_it_in_the_window_do_not_move_my_line(visit: Visit) -> None:
    ana, ben = await _two(visit, LONG)
    await _scroll_to(ana, "line 60")
    await _scroll_to(ben, "line 60")
    await ana.put_caret("line 60")
    y = await ana.page.evaluate(_CARET_Y)
    await ben.put_caret("line 56")
    await ben.type("\nnew\nnew\nnew\nnew\nnew")
    await _ana_stays(ana, ben, y)


async def test_who_reads_without_a_caret_keeps_the_lines_in_sight(visit: Visit) -> None:
    ana, ben = await _two(visit, LONG)
    await _scroll_to(ana, "line 60")
    await ana.editor.evaluate("content => content.blur()")
    line = ana.editor.locator(".cm-line").get_by_text("line 60", exact=True)
    before = await line.bounding_box()
    assert before is not None
    await ben.press("Control+Home")
    await ben.type("new\nnew\nnew\nnew\nnew\n")
    await _scroll_to(ben, "line 62")
    await ben.put_caret("line 62")
    await ben.type(" end")
    await expect(ana.editor.locator(".cm-line", has_text="line 62 end")).to_be_visible()
    after = await line.bounding_box()
    assert after is not None
    assert abs(after["y"] - before["y"]) <= 1
