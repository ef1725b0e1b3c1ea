"""Who may come in, what happens to who may not any more, and the way to the trash and back."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, Visitor

pytestmark = IN_BROWSER

GONE = re.compile("This document doesn.t exist or you don.t have access")


async def _set_access(owner: Visitor, access: str) -> None:
    await owner.button("Share", exact=True).click()
    async with owner.page.expect_response(lambda answer: answer.request.method == "PATCH") as answered:
        await owner.dialog.get_by_label("General access").select_option(access)
    assert (await answered.value).ok
    await owner.press("Escape")
    await expect(owner.dialog).to_have_count(0)


async def _two(visit: Visit, text: str) -> tuple[Visitor, Visitor]:
    owner, guest = (
        await visit(permissions=["clipboard-read", "clipboard-write"]),
        await visit(permissions=["clipboard-read", "clipboard-write"]),
    )
    await owner.import_document(text)
    await guest.open_document(owner.document_id)
    await guest.see_text(text)
    return owner, guest


async def _clipboard(page: Page) -> str:
    copied: str = await page.evaluate("navigator.clipboard.readText()")
    return copied


async def test_the_share_sheet_names_the_document_and_copies_its_address(visit: Visit) -> None:
    owner = await visit(permissions=["clipboard-read", "clipboard-write"])
    await owner.new_document("# Boat list")
    share = owner.button("Share", exact=True)
    await share.click()
    await expect(owner.dialog.get_by_role("heading", level=2)).to_have_text("Share “Boat list”")
    await owner.dialog.get_by_role("button", name="Copy link").click()
    await owner.see("Link copied")
    assert await _clipboard(owner.page) == f"{owner.url}/d/{owner.document_id}"
    for _ in range(20):
        await owner.press("Tab")
        assert await owner.page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    await owner.press("Escape")
    await expect(owner.dialog).to_have_count(0)
    await expect(share).to_be_focused()


async def test_a_sheet_that_closes_leaves_the_focus_to_who_has_taken_it_meanwhile(visit: Visit) -> None:
    owner = await visit()
    await owner.new_document("# Boat list")
    await owner.page.locator(".presence").get_by_role("button", name="(you)").click()
    await expect(owner.dialog).to_be_visible()
    await owner.page.evaluate(
        """() => new MutationObserver(() => {
            if (!document.querySelector('dialog')) document.querySelector('input[aria-label="Title"]').focus()
        }).observe(document.querySelector('#overlays'), { childList: true, subtree: true })"""
    )
    await owner.press("Escape")
    await expect(owner.dialog).to_have_count(0)
    await owner.page.evaluate("() => new Promise(seen => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    await expect(owner.page.get_by_label("Title", exact=True)).to_be_focused()


async def test_restricting_ends_the_others_at_once_and_leaves_them_their_text(visit: Visit) -> None:
    owner, guest = await _two(visit, "# Ours\n\nwritten together")
    # The browser reports that the page looked after the document's facts once more.
    guest.expects("404")
    await _set_access(owner, "restricted")
    await expect(guest.page.locator("#ended h1")).to_have_text(
        "Your access to this document was removed", timeout=2_000
    )
    await expect(guest.editor).to_be_hidden()
    await expect(guest.page.get_by_label("Your copy of the text")).to_contain_text("written together")
    await guest.button("Copy the text").click()
    await guest.see("Text copied")
    assert await _clipboard(guest.page) == "# Ours\n\nwritten together"
    await guest.page.reload()
    await expect(guest.page.locator("#ended h1")).to_have_text(GONE)
    await owner.put_caret("together")
    await owner.type(" still")
    await owner.see_saved()


async def test_unknown_and_forbidden_documents_look_alike(visit: Visit) -> None:
    owner, stranger = await visit(), await visit()
    await owner.import_document("secret")
    await _set_access(owner, "restricted")
    stranger.expects("404")
    seen = []
    for path in (f"/d/{owner.document_id}", "/d/doesNotExist000000000"):
        await stranger.open(path)
        await expect(stranger.page.locator("#ended h1")).to_have_text(GONE)
        seen.append(await stranger.page.locator("main").inner_text())
        await expect(stranger.page).to_have_title("Not found - Coscribe")
    assert seen[0] == seen[1]
    await stranger.page.get_by_role("link", name="New document").click()
    await stranger.see_caret()


async def test_a_viewer_sees_no_tools_and_is_told_once_why_typing_does_nothing(visit: Visit) -> None:
    owner, guest = await _two(visit, "# Look\n\nonly")
    await _set_access(owner, "viewer")
    await expect(guest.page.get_by_text("You can now only view this document")).to_be_visible()
    await expect(guest.page.get_by_text("View only")).to_be_visible()
    await expect(guest.page.get_by_role("toolbar")).to_have_count(0)
    await guest.editor.focus()
    hint = guest.page.locator(".toast", has_text="You can view this document, but not change it")
    await guest.type("hello")
    await expect(hint).to_have_count(1)
    await guest.see_text("# Look\n\nonly")
    await owner.put_caret("only")
    await owner.type(" this")
    await guest.see_text("# Look\n\nonly this")
    await _set_access(owner, "editor")
    await expect(guest.page.get_by_role("toolbar")).to_be_visible()
    await guest.put_caret("only this")
    await guest.type(" now")
    await owner.see_text("# Look\n\nonly this now")


async def test_an_edit_link_lets_in_where_access_is_restricted(visit: Visit) -> None:
    owner, guest = await visit(), await visit()
    await owner.import_document("text")
    await _set_access(owner, "restricted")
    await owner.button("Share", exact=True).click()
    await owner.dialog.get_by_role("button", name="New edit link").click()
    address = await owner.dialog.get_by_label("Copy it now").input_value()
    assert address.startswith(f"{owner.url}/s/")
    await guest.page.goto(address)
    await guest.see_caret()
    assert guest.document_id == owner.document_id
    await guest.put_caret("text")
    await guest.type(" by a guest")
    await owner.see_text("text by a guest")


async def test_trash_and_undo(visit: Visit) -> None:
    owner, guest = await _two(visit, "# Old plans\n\nby us")
    guest.expects("404")
    document_id = owner.document_id
    await owner.button("More").click()
    await owner.page.get_by_role("menuitem", name="Move to trash").click()
    await expect(owner.page).to_have_url(f"{owner.url}/")
    await expect(owner.toast).to_contain_text("Moved to trash.")
    await expect(guest.page.locator("#ended h1")).to_have_text("This document was moved to the trash")
    await expect(guest.page.get_by_label("Your copy of the text")).to_contain_text("by us")
    row = owner.page.get_by_role("link", name="Old plans")
    await expect(row).to_have_count(0)
    await owner.toast.get_by_role("button", name="Undo").click()
    await row.click()
    await owner.see_text("# Old plans\n\nby us")
    assert owner.document_id == document_id


async def test_an_owner_who_opens_his_trashed_document_can_restore_it(visit: Visit) -> None:
    owner = await visit()
    await owner.import_document("# Put away\n\nwords")
    path = f"/d/{owner.document_id}"
    await owner.button("More").click()
    await owner.page.get_by_role("menuitem", name="Move to trash").click()
    await expect(owner.page).to_have_url(f"{owner.url}/")
    owner.expects("404")
    await owner.page.goto(owner.url + path)
    await owner.button("Restore it").click()
    await owner.see_text("# Put away\n\nwords")


async def test_restore_and_delete_for_good(visit: Visit) -> None:
    owner = await visit()
    for title in ("# First", "# Second"):
        await owner.import_document(title)
    await owner.open("/")
    for title in ("First", "Second"):
        await owner.button(f"Move {title} to trash").click()
    await owner.page.get_by_role("link", name="Trash").click()
    await expect(owner.page).to_have_title("Trash - Coscribe")
    await owner.button("Restore First").click()
    await expect(owner.page.locator(".row-title")).to_have_text(["Second"])
    await owner.button("Delete Second forever").click()
    await expect(owner.dialog).to_contain_text("The text of “Second”")
    await expect(owner.dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await owner.press("Enter")
    await expect(owner.dialog).to_have_count(0)
    await expect(owner.page.locator(".row-title")).to_have_text(["Second"])
    await owner.button("Delete Second forever").click()
    await owner.dialog.get_by_role("button", name="Delete forever").click()
    await expect(owner.page.get_by_text("The trash is empty.")).to_be_visible()
    await owner.page.get_by_role("link", name="Back to documents").click()
    await expect(owner.page.locator(".row-title")).to_have_text(["First"])


async def test_documents_are_found_by_their_title(visit: Visit) -> None:
    owner = await visit()
    for title in ("# Apples", "# Pears"):
        await owner.import_document(title)
    await owner.open("/")
    await expect(owner.page.locator(".row-title")).to_have_count(2)
    await owner.page.get_by_role("searchbox").fill("appl")
    await expect(owner.page.locator(".row-title")).to_have_text(["Apples"])
    await owner.page.get_by_role("searchbox").fill("plums")
    await expect(owner.page.get_by_text("No document contains “plums”.")).to_be_visible()
