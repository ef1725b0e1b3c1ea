"""What hands already know: keys, undo, find and replace, input methods, views."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.async_api import Route, expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, agree

pytestmark = IN_BROWSER


@pytest.mark.parametrize(
    ("start", "keys", "after"),
    [
        ("word", ["Control+a", "Control+b"], "**word**"),
        ("word", ["Control+a", "Control+i"], "*word*"),
        ("**word**", ["Control+a", "Control+b"], "word"),
        ("word", ["Control+Alt+Digit2"], "## word"),
        ("## word", ["Control+Alt+Digit2"], "word"),
        ("one\ntwo", ["Control+a", "Control+Shift+Digit8"], "- one\n- two"),
        ("one\ntwo", ["Control+a", "Control+Shift+Digit7"], "1. one\n2. two"),
        ("one\ntwo", ["Control+a", "Control+Shift+Digit9"], "- [ ] one\n- [ ] two"),
        ("- [ ] one", ["Control+Enter"], "- [x] one"),
        ("- one", ["End", "Enter", "t", "w", "o", "Tab"], "- one\n  - two"),
        ("one\ntwo", ["Control+Home", "Alt+ArrowDown"], "two\none"),
    ],
)
async def test_keys_write_markdown(visit: Visit, start: str, keys: Sequence[str], after: str) -> None:
    person = await visit()
    await person.import_document(start)
    await person.see_caret()
    await person.press(*keys)
    await person.see_text(after)
    await person.see_saved()
    assert await person.stored() == after


async def test_the_link_key_wraps_the_selection_and_asks_for_the_address(visit: Visit) -> None:
    person = await visit()
    await person.import_document("word")
    await person.see_caret()
    await person.press("Control+a", "Control+k")
    await person.type("https://example.org")
    await person.see_text("[word](https://example.org)")


async def test_tools_do_what_the_keys_do_and_keep_the_caret(visit: Visit) -> None:
    person = await visit()
    await person.import_document("word")
    await person.see_caret()
    await person.press("Control+a")
    for tool in ("Bold", "Quote"):
        await person.page.get_by_role("toolbar").get_by_role("button", name=tool).click()
    await person.see_text("> **word**")
    await person.see_caret()


async def test_undo_takes_back_only_my_own(visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    await ana.import_document("Ana:\nBen:")
    await ben.open_document(ana.document_id)
    await ana.put_caret("Ana:")
    await ana.type(" mine")
    await ben.put_caret("Ben:")
    await ben.type(" his")
    await agree(ana, ben)
    await ana.press("Control+z")
    await ana.see_text("Ana:\nBen: his")
    await ana.press("Control+z", "Control+z")
    assert await agree(ana, ben) == "Ana:\nBen: his"
    await ana.press("Control+Shift+z")
    assert await agree(ana, ben) == "Ana: mine\nBen: his"
    await ben.press("Control+z")
    assert await agree(ana, ben) == "Ana: mine\nBen:"


async def test_find_and_replace(visit: Visit) -> None:
    person = await visit()
    await person.import_document("\n".join(["cat and dog"] * 120))
    await person.see_caret()
    await person.press("Control+f")
    panel = person.page.locator(".cm-search")
    await expect(panel.get_by_label("Find", exact=True)).to_be_focused()
    await person.type("dog")
    await expect(person.page.locator(".cm-searchMatch").first).to_be_visible()
    await panel.get_by_label("Replace", exact=True).fill("fox")
    await panel.get_by_role("button", name="Replace all").click()
    await person.press("Escape")
    await expect(panel).to_have_count(0)
    await person.see_caret()
    await person.see_saved()
    assert await person.stored() == "\n".join(["cat and fox"] * 120)
    await person.press("Control+h")
    await expect(panel.get_by_label("Replace", exact=True)).to_be_focused()


async def test_what_is_typed_right_after_the_find_key_is_looked_for(visit: Visit) -> None:
    person = await visit()
    async with person.page.expect_response("**/assets/search-*.js"):
        await person.import_document("text")
    await person.put_caret("text")
    await person.page.wait_for_load_state("networkidle")
    await person.press("Control+f")
    await person.type("ex")
    await expect(person.page.locator(".cm-searchMatch")).to_have_text("ex")
    await person.see_text("text")


async def test_what_is_typed_before_the_find_panel_has_come_does_not_land_in_the_text(visit: Visit) -> None:
    person = await visit(service_workers="block")
    person.expects("blocked by Playwright")
    may_come = asyncio.Event()

    async def late(route: Route) -> None:
        await may_come.wait()
        await route.continue_()

    await person.page.route("**/assets/search-*.js", late)
    await person.import_document("text")
    await person.see_caret()
    await person.press("Control+f")
    await person.type("ex")
    may_come.set()
    await expect(person.page.locator(".cm-search").get_by_label("Find", exact=True)).to_be_focused()
    await person.see_text("text")


async def test_escape_then_tab_leaves_the_editor_and_the_skip_link_comes_back(visit: Visit) -> None:
    person = await visit()
    await person.import_document("- item")
    await person.see_caret()
    await person.press("Escape", "Shift+Tab")
    await expect(person.editor).not_to_be_focused()
    await person.see_text("- item")
    skip = person.page.get_by_role("link", name="Skip to document")
    await skip.focus()
    await person.press("Enter")
    await expect(person.page.locator("#desk")).to_be_focused()


async def test_f6_goes_around_the_page(visit: Visit) -> None:
    person = await visit()
    await person.import_document("text")
    await person.see_caret()
    visited = []
    for _ in range(3):
        await person.press("F6")
        visited.append(await person.page.evaluate("document.activeElement.closest('#bar, #tools, #desk').id"))
    assert visited == ["bar", "tools", "desk"]


async def test_the_save_key_does_not_reach_the_browser(visit: Visit) -> None:
    person = await visit()
    await person.new_document("text")
    await person.page.evaluate(
        "addEventListener('keydown', event => { if (event.key === 's') window.prevented = event.defaultPrevented })"
    )
    await person.press("Control+s")
    await person.page.wait_for_function("() => window.prevented === true")
    await expect(person.status).to_have_attribute("data-pulse", "odd")
    assert await person.stored() == "text"


async def test_a_composition_survives_a_remote_insert_in_its_line(visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    await ana.import_document("before \nafter")
    await ben.open_document(ana.document_id)
    await ana.put_caret("before")
    input_method = await ana.context.new_cdp_session(ana.page)

    async def compose(text: str) -> None:
        await input_method.send(
            "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
        )

    await compose("に")
    await compose("にほ")
    await ben.put_caret("before")
    await ben.press("Home")
    await ben.type("right ")
    await ben.see_saved()
    await compose("にほん")
    await compose("日本")
    await input_method.send("Input.insertText", {"text": "日本"})
    assert await agree(ana, ben) == "right before 日本\nafter"
    await ana.type("!")
    assert await agree(ana, ben) == "right before 日本!\nafter"


async def test_edit_split_and_read(visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    await ana.import_document("# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n\nNote[^1]\n\n[^1]: foot")
    await ben.open_document(ana.document_id)
    reading = ana.page.locator("#reading")
    await expect(reading).to_be_hidden()
    await ana.button("Split").click()
    await expect(reading.get_by_role("heading", level=1)).to_have_text("Title")
    await expect(ana.editor).to_be_visible()
    await ben.put_caret("Title")
    await ben.type(" of both")
    await expect(reading.get_by_role("heading", level=1)).to_have_text("Title of both")
    await ana.button("Read").click()
    await expect(ana.editor).to_be_hidden()
    await expect(reading.get_by_role("cell", name="2")).to_be_visible()
    await expect(reading.get_by_role("checkbox")).to_be_checked()
    await expect(reading.locator(".footnotes")).to_contain_text("foot")
    await expect(ana.page.get_by_role("toolbar")).to_have_count(0)
    await ana.page.reload()
    await expect(reading.get_by_role("heading", level=1)).to_have_text("Title of both")
    await ana.button("Edit").click()
    await expect(ana.editor).to_be_visible()


async def test_download_gives_the_text_as_a_markdown_file(visit: Visit, tmp_path: Path) -> None:
    person = await visit()
    await person.import_document("# Día: one/two\n\n🐢")
    await person.button("More").click()
    async with person.page.expect_download() as coming:
        await person.page.get_by_role("menuitem", name="Download .md").click()
    download = await coming.value
    assert download.suggested_filename == "Día one two.md"
    await download.save_as(tmp_path / "text.md")
    assert (tmp_path / "text.md").read_bytes() == "# Día: one/two\n\n🐢".encode()


async def test_a_dropped_file_becomes_a_document(visit: Visit) -> None:
    person = await visit()
    await person.open("/")
    await expect(person.button("New document")).to_be_focused()
    transfer = await person.page.evaluate_handle(
        """() => {
          const transfer = new DataTransfer()
          transfer.items.add(new File(['\\ufeff# Dropped\\r\\n\\r\\nhere 🐢'], 'dropped.md', { type: 'text/markdown' }))
          return transfer
        }"""
    )
    await person.page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    await expect(person.page.locator("body")).to_have_attribute("data-dropping", "")
    await person.page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    await person.see_text("# Dropped\n\nhere 🐢")
    assert await person.stored() == "# Dropped\n\nhere 🐢"


async def test_the_theme_is_kept(visit: Visit) -> None:
    person = await visit(color_scheme="light")
    await person.new_document("text")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = await person.page.evaluate(ground)
    await person.button("More").click()
    await person.page.get_by_role("menuitemradio", name="Dark theme").click()
    dark = await person.page.evaluate(ground)
    assert dark != light
    for path in ("/", f"/d/{person.document_id}"):
        await person.open(path)
        assert await person.page.evaluate(ground) == dark
    await person.button("More").click()
    await expect(person.page.get_by_role("menuitemradio", name="Dark theme")).to_be_checked()
    await person.page.get_by_role("menuitemradio", name="Theme of the system").click()
    assert await person.page.evaluate(ground) == light


async def test_the_word_count_counts_text_and_selection(visit: Visit) -> None:
    person = await visit()
    await person.import_document("one two three")
    await person.see_caret()
    await person.press("Control+Home", "Control+Shift+ArrowRight")
    await person.button("More").click()
    await person.page.get_by_role("menuitem", name="Word count").click()
    facts = person.dialog.locator("dl")
    await expect(facts).to_contain_text("Selected words1")
    assert (await facts.inner_text()).split("\n")[:4] == ["Words", "3", "Characters", "13"]
    await person.press("Escape")
    await expect(person.button("More")).to_be_focused()


async def test_a_megabyte_opens_and_types(visit: Visit) -> None:
    person = await visit()
    await person.import_document("A line of an ordinary length, as people write them.\n" * 20_000)
    await person.see_caret()
    await asyncio.wait_for(person.press("Control+End"), 20)
    await person.type("The end")
    await person.see_in_text("The end")
    await person.see_saved()
    assert (await person.stored()).endswith("write them.\nThe end")
