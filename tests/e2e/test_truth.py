"""The page tells the truth when storage, access or the server fails it."""

from __future__ import annotations

import re

from playwright.async_api import expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, agree
from tests.support.crossed import ABC, CROSSED

pytestmark = IN_BROWSER

REFUSED_STORAGE = "indexedDB.open = () => { throw new DOMException('denied', 'SecurityError') }"
FULL_STORAGE = "IDBObjectStore.prototype.add = () => { throw new DOMException('full', 'QuotaExceededError') }"


async def test_offline_without_storage_does_not_claim_a_copy_on_this_device(visit: Visit) -> None:
    for storage in (REFUSED_STORAGE, FULL_STORAGE):
        person = await visit()
        person.expects(r"The copy on this device could not be")
        person.expects_silence_of_server()
        await person.context.add_init_script(storage)
        await person.new_document("kept by the server")
        await person.goes_offline()
        await person.type(" and not here")
        await expect(person.status).to_have_text("Offline — changes are in this window only")
        await person.see("Keep this window open: this browser does not keep your changes.")
        await person.context.set_offline(False)
        await person.see_saved()
        assert await person.stored() == "kept by the server and not here"


async def test_status_does_not_flicker_while_someone_types(visit: Visit) -> None:
    person = await visit()
    await person.new_document()
    before = len(await person.witnessed())
    await person.type("one sentence, typed at the pace of a person", delay_ms=60)
    await person.see_saved()
    said = await person.witnessed()
    words = [each["status"] for each in said[before:]]
    changes = [word for word, last in zip(words, [said[before - 1]["status"], *words], strict=False) if word != last]
    assert len([each for each in said[before:] if each["state"] == "saved"]) > 1, "acks came between the keys"
    # A machine that stumbles makes a pause of its own; word for word it would be more than eighty.
    assert 2 <= len(changes) <= 8, changes


async def test_server_in_trouble_leaves_the_local_copy_open(visit: Visit) -> None:
    person = await visit()
    document_id = await person.new_document("here")
    person.expects(r"status of 503")
    await person.context.route(f"**/api/v1/documents/{document_id}", lambda route: route.fulfill(status=503, body="{}"))
    await person.open_document(document_id)
    await person.see_text("here")
    await person.press("Control+End")
    await person.type(" and there")
    await person.see_saved()


async def test_access_removed_while_away_is_not_called_trash_and_the_words_stay(visit: Visit) -> None:
    owner, guest = await visit(), await visit()
    guest.expects_silence_of_server()
    guest.expects(r"status of 404")
    document_id = await owner.new_document("shared")
    await guest.open_document(document_id)
    await guest.press("Control+End")
    await guest.goes_offline()
    await guest.type(" offline words")
    answer = await owner.context.request.patch(
        f"{owner.url}/api/v1/documents/{document_id}",
        data={"access": "restricted"},
        headers={"Origin": owner.url},
    )
    assert answer.ok
    await guest.context.set_offline(False)
    ended = guest.page.locator("#ended")
    for _ in range(3):
        await expect(ended.locator("h1")).to_have_text("This document doesn’t exist or you don’t have access")
        await expect(ended.locator("pre")).to_have_text("shared offline words")
        await guest.page.reload()
    await guest.button("Remove from this device").click()
    await guest.dialog.get_by_role("button", name="Remove", exact=True).click()
    await guest.page.wait_for_url(f"{guest.url}/")
    await guest.open(f"/d/{document_id}")
    await expect(ended.locator("h1")).to_be_visible()
    await expect(ended.locator("pre")).to_have_count(0)


async def test_new_document_is_written_in_even_where_reading_is_preferred(visit: Visit) -> None:
    person = await visit()
    await person.new_document("# One")
    await person.button("Read", exact=True).click()
    await person.new_document("# Two")
    await expect(person.editor).to_have_text(re.compile("# Two"))


async def test_looking_at_a_title_does_not_set_it(visit: Visit) -> None:
    writer, other = await visit(), await visit()
    document_id = await writer.new_document("# First")
    await other.open_document(document_id)
    await other.page.get_by_label("Title", exact=True).focus()
    await writer.type(" and more")
    await writer.see_saved()
    await expect(other.page).to_have_title("First and more - Coscribe")
    await other.press("Enter")
    await other.see_caret()
    answer = await other.context.request.get(f"{other.url}/api/v1/documents/{document_id}")
    assert (await answer.json())["title_by_hand"] is False


async def test_whoever_was_here_before_is_no_news(visit: Visit) -> None:
    first, second, third = await visit(), await visit(), await visit()
    document_id = await first.new_document("text")
    await second.open_document(document_id)
    await expect(second.page.locator(".presence .avatar")).to_have_count(2)
    told = first.page.locator("#joins")
    await expect(told).to_have_text(f"{await second.name()} joined.")
    await expect(second.page.locator("#joins")).to_have_text("")
    await third.open_document(document_id)
    await expect(second.page.locator("#joins")).to_have_text(f"{await third.name()} joined.")


async def test_a_newcomer_who_reads_another_text_brings_it_together_for_all(visit: Visit) -> None:
    owner, newcomer = await visit(), await visit()
    document_id = await owner.new_document()
    updates = f"{owner.url}/api/v1/documents/{document_id}/updates"
    headers = {"Origin": owner.url, "Content-Type": "application/octet-stream"}
    for update in (ABC, CROSSED):
        assert (await owner.context.request.post(updates, data=update, headers=headers)).ok
    await owner.see_text("aYbc")
    await newcomer.open_document(document_id)
    await newcomer.see_text("abcY")
    newcomer.expects(r"The text differs from the server")

    await owner.press("Control+Home", "ArrowRight", "ArrowRight")
    await owner.type("!")

    await newcomer.see_text("aY!bc")
    await owner.see_text("aY!bc")
    await newcomer.see_saved()
    await owner.type("?")
    assert await agree(owner, newcomer) == "aY!?bc"
    third = await visit()
    await third.open_document(document_id)
    await third.see_text("aY!?bc")
