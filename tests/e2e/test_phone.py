"""A phone-sized window: everything in reach, nothing beside the screen, nothing too small for a thumb."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, Visitor, agree

pytestmark = IN_BROWSER

SIZES = [(390, 844), (360, 640)]
_TEXT = (
    "# A rather long title for such a small screen\n\n" + "Words that go on and on. " * 12 + "\n\n`" + "x" * 90 + "`"
)
# Smaller than 40 px either way. Let be: what is for screen readers only, what stands in a line of text, and the title,
# which shares the height of the bar with the status below it.
_SMALL = """() => [...document.querySelectorAll('a[href], button, select, input:not([type=radio], [type=checkbox])')]
  .filter(one => one.checkVisibility({ visibilityProperty: true }))
  .filter(one => !one.closest('.skip, .unseen, .prose, .wordmark, .title-field'))
  .map(one => [one.ariaLabel ?? one.textContent, one.getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && (box.height < 40 || box.width < 40))
  .map(([name, box]) => `${name}: ${box.width}x${box.height}`)"""


async def _fits(person: Visitor) -> None:
    width, inner = await person.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= inner
    assert await person.page.evaluate(_SMALL) == []


def _phone(size: tuple[int, int]) -> dict[str, object]:
    return {
        "viewport": {"width": size[0], "height": size[1]},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    }


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_every_page_fits_a_phone(visit: Visit, size: tuple[int, int]) -> None:
    person = await visit(**_phone(size))
    await person.import_document(_TEXT)
    await _fits(person)
    await person.button("Share", exact=True).tap()
    await person.dialog.get_by_role("button", name="New view link").tap()
    address = await person.dialog.get_by_label("Copy it now").input_value()
    await _fits(person)
    await person.dialog.get_by_role("button", name="Close").tap()
    await person.button("Read").tap()
    await expect(person.page.locator("#reading h1")).to_be_visible()
    await _fits(person)
    await person.button("Edit").tap()
    await person.page.goto(address)
    await expect(person.page.locator("#live")).to_have_text("Live")
    await _fits(person)
    for path in ("/", "/trash", "/recover"):
        await person.open(path)
        await expect(person.page.locator(".rows, .empty, #recover h1")).to_be_visible()
        await _fits(person)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_phone_and_a_desk_write_together(visit: Visit, size: tuple[int, int]) -> None:
    phone, desk = await visit(**_phone(size)), await visit()
    await desk.import_document("one\ntwo")
    await phone.open_document(desk.document_id)
    await phone.editor.locator(".cm-line", has_text="one").tap()
    await phone.press("End")
    await phone.type(" from a phone")
    await desk.put_caret("two")
    await desk.type(" from a desk")
    assert await agree(phone, desk) == "one from a phone\ntwo from a desk"
    await expect(phone.status).to_be_visible()
    await expect(phone.page.locator(".cs-caret")).to_have_count(1)
    tool = phone.page.get_by_role("toolbar").get_by_role("button", name="Task list")
    await tool.scroll_into_view_if_needed()
    await tool.tap()
    await desk.see_text("- [ ] one from a phone\ntwo from a desk")
    await _fits(phone)
