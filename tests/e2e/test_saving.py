"""The status tells the truth: what it called saved outlives a server that stalls, dies or is out of reach."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, SAVED, agree, keep_for_offline
from tests.support.server import CoscribeServer

pytestmark = IN_BROWSER

OFFLINE = "Offline — changes are kept on this device"


def _in_order(part: str, whole: str) -> bool:
    """Whether all characters of the part stand in the whole in this order."""
    rest = iter(whole)
    return all(character in rest for character in part)


async def test_nothing_is_said_to_be_saved_before_the_server_has_it(
    visit_stoppable: Visit, stoppable: CoscribeServer
) -> None:
    person = await visit_stoppable()
    await person.new_document("before ")
    with stoppable.paused():
        said = len(await person.witnessed())
        await person.type("while it stands still", delay_ms=20)
        await expect(person.status).to_have_text("Saving…")
        # What was news at the start grows old after 3 s: it must not come back as "All changes saved".
        start = await person.page.evaluate("performance.now()")
        await person.page.wait_for_function("start => performance.now() > start + 3_500", arg=start)
        meanwhile = [each["status"] for each in (await person.witnessed())[said:]]
        assert meanwhile[-1] == "Saving…"
        assert not any(SAVED.match(status) for status in meanwhile[1:])
    await person.see_saved()
    assert await person.stored() == "before while it stands still"


async def test_saved_turns_into_all_changes_saved(visit: Visit) -> None:
    person = await visit()
    await person.new_document("text")
    await expect(person.status).to_have_text("All changes saved")
    said = [each["status"] for each in await person.witnessed() if each["status"]]
    assert said[-2:] == ["Saved", "All changes saved"]
    assert await person.status.get_attribute("role") == "status"


async def test_a_server_killed_while_two_type_loses_nothing_shown_as_saved(
    visit_stoppable: Visit, stoppable: CoscribeServer
) -> None:
    ana, ben = await visit_stoppable(), await visit_stoppable()
    for person in (ana, ben):
        person.expects_silence_of_server()
    await ana.new_document("Ana:\nBen:")
    await ben.open_document(ana.document_id)
    await ana.put_caret("Ana:")
    await ben.put_caret("Ben:")

    async def kill_and_start() -> None:
        await ana.see_in_text("a12 ")
        await asyncio.to_thread(stoppable.kill)
        await ana.see_in_text("a40 ")
        await asyncio.to_thread(stoppable.start)
        for person in (ana, ben):
            await person.hears_of_the_network()

    await asyncio.gather(
        kill_and_start(),
        *(
            person.type("".join(f" {letter}{number}" for number in range(80)), delay_ms=15)
            for person, letter in ((ana, "a"), (ben, "b"))
        ),
    )
    text = await agree(ana, ben)
    for person, letter in ((ana, "a"), (ben, "b")):
        saved = [each["text"] for each in await person.witnessed() if each["state"] == "saved"]
        assert len(saved) > 1
        assert [shown for shown in saved if not _in_order(shown, text)] == [], text
        assert " ".join(f"{letter}{number}" for number in range(80)) in text


async def test_lost_and_found_says_so_without_taking_the_text_away(
    visit_stoppable: Visit, stoppable: CoscribeServer
) -> None:
    person = await visit_stoppable()
    person.expects_silence_of_server()
    await person.new_document("before")
    await asyncio.to_thread(stoppable.kill)
    await person.see("Connection lost. You can keep typing; changes will sync.")
    await expect(person.page.locator(".countdown")).to_have_text(re.compile(r"Reconnecting(…| in \d+ s)"))
    await expect(person.status).to_have_text(OFFLINE)
    await person.see_caret()
    await person.type(" and after")
    # The pauses between attempts grow: in one this long the server is up again before the page tries by itself.
    long_pause = re.compile(r"Reconnecting in ([89]|[12]\d|30) s")
    await expect(person.page.locator(".countdown")).to_have_text(long_pause, timeout=60_000)
    await asyncio.to_thread(stoppable.start)
    await person.button("Try now").dispatch_event("click")
    await expect(person.page.locator(".notices")).to_have_text(re.compile(r"Back online — \d+ changes? synced"))
    await person.see_saved()
    assert await person.stored() == "before and after"
    await expect(person.page.locator(".notice")).to_have_count(0)


async def test_offline_edits_and_the_others_edits_are_merged_on_return(visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    ana.expects_silence_of_server()
    await ana.new_document("Ana:\nBen:")
    await ben.open_document(ana.document_id)
    await ana.put_caret("Ana:")
    await ben.put_caret("Ben:")
    await ana.goes_offline()
    await ana.type(" from the train")
    await ben.type(" from the desk")
    await ben.see_saved()
    await ana.see("Connection lost. You can keep typing; changes will sync.")
    assert await ana.text() == "Ana: from the train\nBen:"
    assert await ben.text() == "Ana:\nBen: from the desk"
    await ana.context.set_offline(False)
    await ana.see("Back online")
    assert await agree(ana, ben) == "Ana: from the train\nBen: from the desk"


async def test_a_reload_while_offline_shows_the_text_and_merges_later(visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    ana.expects_silence_of_server()
    # Says that who we are is not known; nothing of the text hangs on that.
    ana.expects("not known yet")
    await ana.new_document("Ana:\nBen:")
    await ben.open_document(ana.document_id)
    await keep_for_offline(ana)
    await ana.put_caret("Ana:")
    await ana.goes_offline()
    await ana.type(" underground")
    await ana.may_leave()
    await ana.page.reload()
    await ana.see_text("Ana: underground\nBen:")
    await expect(ana.status).to_have_text(OFFLINE)
    await ana.put_caret("Ana:")
    await ana.type(", still")
    await ben.put_caret("Ben:")
    await ben.type(" above")
    await ana.context.set_offline(False)
    assert await agree(ana, ben) == "Ana: underground, still\nBen: above"


async def test_a_reload_while_the_server_is_away_shows_the_text(
    visit_stoppable: Visit, stoppable: CoscribeServer
) -> None:
    person = await visit_stoppable()
    person.expects_silence_of_server()
    person.expects("not known yet")
    document_id = await person.new_document("# Kept\n\nHere.")
    await keep_for_offline(person)
    await asyncio.to_thread(stoppable.stop)
    await person.page.reload()
    await person.see_text("# Kept\n\nHere.")
    await expect(person.page).to_have_title("Kept - Coscribe")
    await person.put_caret("Here.")
    await person.type(" And now.")
    await asyncio.to_thread(stoppable.start)
    await person.see_saved()
    assert await person.stored(document_id) == "# Kept\n\nHere. And now."


async def test_a_server_that_stops_orderly_announces_it(visit_stoppable: Visit, stoppable: CoscribeServer) -> None:
    person = await visit_stoppable()
    person.expects_silence_of_server()
    await person.new_document("text")
    await asyncio.to_thread(stoppable.stop)
    await expect(person.page.locator(".notices")).to_have_text(re.compile("The server restarts|Connection lost"))
    await person.type(" more")
    await asyncio.to_thread(stoppable.start)
    await person.hears_of_the_network()
    await person.see_saved()
    assert await person.stored() == "text more"
