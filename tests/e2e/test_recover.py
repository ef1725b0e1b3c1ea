"""Nothing typed is lost: what the server does not have is listed at /recover, whatever became of the document."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, WebSocketRoute, expect
from tests.e2e.conftest import Visit, visits
from tests.support.browser import IN_BROWSER, Visitor, keep_for_offline
from tests.support.proof import Proof
from tests.support.server import COMMAND, CoscribeServer

pytestmark = IN_BROWSER

NOTHING = "Everything that was written in this browser is on the server."


@pytest.fixture
def small(tmp_path: Path) -> Iterator[CoscribeServer]:
    """A server that takes small documents only, and few changes while its disk is away."""
    with CoscribeServer(tmp_path, max_document_bytes=2**17, max_unsaved_bytes=2**16) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visit_small(browser: Browser, small: CoscribeServer) -> AsyncIterator[Visit]:
    async for invitation in visits(browser, small):
        yield invitation


def _entries(person: Visitor) -> Locator:
    return person.page.locator(".kept-entry")


async def _change_access(owner: Visitor, document_id: str, access: str) -> None:
    answer = await owner.context.request.patch(
        f"{owner.url}/api/v1/documents/{document_id}", data={"access": access}, headers={"Origin": owner.url}
    )
    assert answer.ok


async def test_offline_words_are_listed_without_the_server_and_gone_once_they_are_sent(visit: Visit) -> None:
    person = await visit()
    person.expects_silence_of_server()
    person.expects("not known yet")
    document_id = await person.new_document("# Diary\n\nBefore.")
    await keep_for_offline(person)
    await person.goes_offline()
    await person.type(" Underground.")
    await expect(person.status).to_have_text("Offline — changes are kept on this device")
    await person.may_leave()
    await person.page.goto(person.url + "/recover")
    entry = _entries(person)
    await expect(entry.locator("h2")).to_have_text("Diary")
    await expect(entry).to_contain_text("13 changes not sent")
    await expect(entry.locator("pre").first).to_have_text(" Underground.")
    await expect(entry.locator("details pre")).to_have_text("# Diary\n\nBefore. Underground.")
    async with person.page.expect_download() as downloading:
        await person.button("Download .md").click()
    download = await downloading.value
    assert download.suggested_filename == "Diary.md"
    assert await asyncio.to_thread((await download.path()).read_text) == "# Diary\n\nBefore. Underground."
    await person.page.goto(person.url + f"/d/{document_id}")
    await person.see_text("# Diary\n\nBefore. Underground.")
    await person.may_leave()
    await person.page.goto("about:blank")
    await person.context.set_offline(False)
    await person.open("/")
    await person.see("One text in this browser is not on the server")
    await person.open_document(document_id)
    await person.see_saved()
    assert await person.stored() == "# Diary\n\nBefore. Underground."
    await person.open("/recover")
    await person.see(NOTHING)


async def test_changes_counted_after_an_offline_reload_are_those_that_were_made(visit: Visit) -> None:
    person = await visit()
    person.expects_silence_of_server()
    person.expects("not known yet")
    await person.new_document("one")
    await keep_for_offline(person)
    await person.goes_offline()
    await person.type("12345")
    await person.may_leave()
    await person.page.reload()
    await person.see_text("one12345")
    await person.see("Connection lost.")
    await person.put_caret("one")
    await person.type("67")
    await person.context.set_offline(False)
    await person.hears_of_the_network()
    await person.see("Back online — 7 changes synced")
    assert await person.stored() == "one1234567"


async def test_refused_paste_is_undone_and_the_rest_is_saved(visit_small: Visit) -> None:
    person = await visit_small()
    document_id = await person.new_document("before")
    await person.page.keyboard.insert_text("\n" + "large " * 40_000)
    await person.see("A change of yours was not accepted: The document is as large as it may get.")
    await expect(person.status).to_have_text("Not saved")
    await person.press("Control+z")
    await person.see_text("before")
    await person.type(" and after")
    await expect(person.status).to_have_text("Not saved")
    await person.button("Try again").click()
    await person.see_saved()
    await person.see_text("before and after")
    assert await person.stored(document_id) == "before and after"
    await person.press("Control+End")
    await person.type(".")
    await person.see_saved()
    await person.open("/recover")
    await expect(_entries(person).locator("pre").first).to_contain_text("large large")
    await expect(_entries(person)).to_contain_text("The server did not accept it. The document is as large")


async def test_refused_paste_is_taken_out_and_kept(visit_small: Visit) -> None:
    person = await visit_small()
    document_id = await person.new_document("before")
    await person.page.keyboard.insert_text(" and " + "large " * 40_000)
    await person.see("A change of yours was not accepted")
    await person.type("!")
    await person.may_leave()
    await person.page.reload()
    await person.see("A change of yours was not accepted")
    await person.button("Take it out").click()
    await person.see_text("before")
    await person.see_saved()
    await person.press("Control+End")
    await person.type(", after")
    await person.see_saved()
    assert await person.stored(document_id) == "before, after"
    await person.open("/recover")
    await expect(_entries(person)).to_have_count(1)
    await expect(_entries(person).locator("details pre")).to_contain_text("before and large")
    await person.button("Remove").click()
    await person.dialog.get_by_role("button", name="Remove", exact=True).click()
    await person.see(NOTHING)


async def test_reader_that_deleted_while_away_gets_the_text_back_and_keeps_his_own(visit: Visit) -> None:
    owner, guest = await visit(), await visit()
    guest.expects_silence_of_server()
    document_id = await owner.new_document("one two three")
    await guest.open_document(document_id)
    await guest.press("Control+End")
    await guest.goes_offline()
    for _ in "three":
        await guest.press("Backspace")
    await _change_access(owner, document_id, "viewer")
    await guest.context.set_offline(False)
    await guest.hears_of_the_network()
    await guest.see("A change of yours was not accepted: You can view this document but not change it.")
    await guest.see_text("one two ")
    await guest.button("Take it out").click()
    await guest.see_text("one two three")
    await guest.open("/recover")
    await expect(_entries(guest).locator("pre").first).to_have_text("one two ")


@pytest.mark.proof(
    promise="Who lost the right to write while away loses no word by it",
    faults="F20",
    how="demoted while offline; what was typed is told as not saved, kept and copied",
)
async def test_editor_who_became_a_reader_while_away_may_take_his_words_out(visit: Visit, proof: Proof) -> None:
    owner, guest = await visit(), await visit()
    guest.expects_silence_of_server()
    document_id = await owner.new_document("shared")
    await guest.open_document(document_id)
    await guest.press("Control+End")
    await guest.goes_offline()
    await guest.type(" my words")
    await _change_access(owner, document_id, "viewer")
    await guest.context.set_offline(False)
    await guest.hears_of_the_network()
    await guest.see("A change of yours was not accepted: You can view this document but not change it.")
    await expect(guest.status).to_have_text("Not saved")
    await guest.button("Take it out").click()
    await guest.see_text("shared")
    await guest.open("/recover")
    await expect(_entries(guest).locator("pre").first).to_have_text(" my words")


async def test_another_principal_in_the_same_browser_sends_what_was_left(visit: Visit) -> None:
    owner, guest = await visit(), await visit()
    guest.expects_silence_of_server()
    document_id = await owner.new_document("shared")
    await guest.open_document(document_id)
    await guest.press("Control+End")
    await guest.goes_offline()
    await guest.type(" left behind")
    await guest.may_leave()
    await guest.page.goto("about:blank")
    await guest.context.set_offline(False)
    await guest.context.clear_cookies()
    await guest.open_document(document_id)
    await guest.see_saved()
    assert await owner.stored(document_id) == "shared left behind"


@pytest.mark.proof(
    promise="A document that was deleted for good leaves people what the server never had",
    faults="F20",
    how="purged while a page is offline with words of its own",
)
async def test_purged_document_leaves_what_the_server_never_had(visit: Visit, proof: Proof) -> None:
    owner, guest = await visit(), await visit()
    guest.expects_silence_of_server()
    for person in (owner, guest):
        person.expects(r"status of 404")
    document_id = await owner.new_document("shared")
    await guest.open_document(document_id)
    await guest.press("Control+End")
    await guest.goes_offline()
    await guest.type(" offline words")
    await expect(guest.status).to_have_text("Offline — changes are kept on this device")
    for query in ("", "?permanent=true"):
        address = f"{owner.url}/api/v1/documents/{document_id}{query}"
        assert (await owner.context.request.delete(address, headers={"Origin": owner.url})).ok
    await guest.context.set_offline(False)
    await expect(guest.page.locator("#ended pre")).to_have_text("shared offline words")
    await guest.open("/recover")
    await expect(_entries(guest)).to_contain_text("The document is gone, or not shared with you any more.")
    await expect(_entries(guest).locator("pre").first).to_have_text(" offline words")


def _command(server: CoscribeServer, *arguments: str) -> None:
    subprocess.run([*COMMAND, *arguments, "--data-dir", server.data_dir], check=True, capture_output=True, timeout=60)


@pytest.mark.proof(
    promise="After a restore nothing is merged in silence and nothing is lost",
    faults="F20",
    how="coscribe backup and restore around an offline page; its copy stays under /recover",
)
async def test_restored_document_opens_and_the_copy_of_the_earlier_one_stays(
    visit_small: Visit, small: CoscribeServer, tmp_path: Path, proof: Proof
) -> None:
    here, away = await visit_small(), await visit_small()
    for person in (here, away):
        person.expects_silence_of_server()
    document_id = await here.new_document("shared")
    await away.open_document(document_id)
    await away.press("Control+End")
    await away.goes_offline()
    await away.type(" from the day before")
    await away.may_leave()
    await away.page.goto("about:blank")
    backup = str(tmp_path / "backup.db")
    await asyncio.to_thread(_command, small, "backup", backup)
    await here.type(", later")
    await here.see_saved()
    await asyncio.to_thread(small.stop)
    await here.type(", not sent")
    await asyncio.to_thread(_command, small, "restore", backup)
    await asyncio.to_thread(small.start)
    await here.hears_of_the_network()
    await here.see("This document was replaced by another state of it")
    await here.button("Open the document as it is now").click()
    await here.see_text("shared")
    await away.context.set_offline(False)
    await away.open_document(document_id)
    await away.see_text("shared")
    await away.see("This document was replaced since you were here.")
    for person, words, whole in (
        (here, ", not sent", "shared, later, not sent"),
        (away, " from the day before", "shared from the day before"),
    ):
        await person.open("/recover")
        await expect(_entries(person)).to_contain_text("The document was replaced by another state of it.")
        await expect(_entries(person).locator("pre").first).to_have_text(words)
        await expect(_entries(person).locator("details pre")).to_have_text(whole)


async def test_full_room_says_so_and_saves_when_the_disk_is_back(visit_small: Visit, small: CoscribeServer) -> None:
    person, beside = await visit_small(), await visit_small()
    person.expects(r"status of 503")
    beside.expects(r"status of 503")
    await beside.open_document(await person.new_document("start "))
    with closing(sqlite3.connect(Path(small.data_dir) / "coscribe.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        for number in range(5):
            await person.page.keyboard.insert_text(f"{number} " * 8_000)
        for one, status in ((person, "Not saved"), (beside, "")):  # nothing that stands in the text is called saved
            await expect(one.page.locator(".notice")).to_contain_text(["The server takes no changes for now"])
            await expect(one.status).to_have_text(status)
        holder.execute("ROLLBACK")
    for one in (person, beside):
        await one.see_saved()
        await expect(one.page.locator(".notice")).to_have_count(0)
    stored = await person.stored()
    assert [stored.count(f"{number} ") for number in range(5)] == [8_000] * 5


async def test_server_that_stops_says_that_it_restarts(visit_stoppable: Visit, stoppable: CoscribeServer) -> None:
    person = await visit_stoppable()
    person.expects_silence_of_server()
    await person.new_document("text")
    await person.until("async () => caches.match('/recover').then(Boolean)")
    # It stands until the first attempt in vain, which may be soon: the page itself has to look.
    said = "async words => document.body.innerText.includes(words)"
    seen = asyncio.create_task(person.until(said, "The server restarts. This page reconnects by itself."))
    await asyncio.to_thread(stoppable.stop)
    await seen
    await asyncio.to_thread(stoppable.start)
    await person.hears_of_the_network()
    await person.type(" more")
    await person.see_saved()
    await expect(person.page.locator(".notice")).to_have_count(0)


async def test_forked_window_goes_on_under_another_client_id_with_its_words(visit: Visit) -> None:
    person = await visit()
    lines: list[WebSocketRoute] = []

    async def pass_until_forked(line: WebSocketRoute) -> None:
        server = line.connect_to_server()
        # What the first window types after its first words is never heard.
        if not lines:
            line.on_message(lambda message: None if forking else server.send(message))
        lines.append(line)

    forking = False
    await person.page.route_web_socket("**/ws/**", pass_until_forked)
    await person.new_document("one")
    forking = True
    await person.type(" two")
    await expect(person.status).to_have_text("Saving…")
    notice = b'{"kind":"fork","reason":"This copy was forked.","frame":9}'
    lines[0].send(bytes((0x73, len(notice))) + notice)
    await lines[0].close(code=4409, reason="This copy was forked.")
    await person.see_text("one two")
    await person.see_saved()
    await person.press("Control+End")
    await person.type(" three")
    await person.see_saved()
    assert await person.stored() == "one two three"
    await person.open("/recover")
    await person.see(NOTHING)


async def test_server_that_is_full_says_so_and_lets_people_type(visit: Visit) -> None:
    person = await visit()
    person.expects_silence_of_server()
    await person.new_document("text")
    await person.page.route_web_socket(
        "**/ws/**", lambda socket: socket.close(code=1013, reason="Too many people are connected to this document.")
    )
    await person.page.reload()
    await person.see("Too many people are connected to this document. You can keep typing; changes will sync.")
    await person.see_text("text")
