"""What browsers go through: sleep, days offline, a kill, a line that is cut again and again. Nothing typed is lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, CDPSession, WebSocketRoute, async_playwright, expect
from playwright.async_api import Error as PlaywrightError
from tests.e2e.conftest import Visit
from tests.support.browser import (
    IN_BROWSER,
    Visitor,
    agree,
    agree_on_all,
    invite,
    keep_for_offline,
    launch_persistent,
    programs_of,
)
from tests.support.ledger import Ledger
from tests.support.proof import Proof
from tests.support.server import CoscribeServer

pytestmark = IN_BROWSER


async def _debugger(person: Visitor) -> CDPSession:
    return await person.context.new_cdp_session(person.page)


@pytest.mark.proof(
    promise="A laptop that slept goes on within two seconds, with one caret and without losing a word",
    faults="F17",
    how="Chromium's freezer and a server held still while the page sleeps; typing before and after",
)
async def test_f17_page_that_slept_goes_on(proof: Proof, visit_stoppable: Visit, stoppable: CoscribeServer) -> None:
    ana, ben = await visit_stoppable(), await visit_stoppable()
    for person in (ana, ben):
        person.expects_silence_of_server()
    await ana.new_document("Ana:\nBen:")
    await ben.open_document(ana.document_id)
    await ana.put_caret("Ana:")
    await ben.put_caret("Ben:")
    freezer = await _debugger(ana)
    slowest = 0.0
    for number in range(proof.rounds(2, 20)):
        await ana.type(f" a{number}")
        await freezer.send("Page.setWebLifecycleState", {"state": "frozen"})
        with stoppable.paused():
            await ben.type(f" b{number}")
        await ben.see_saved()
        woke = asyncio.get_running_loop().time()
        await freezer.send("Page.setWebLifecycleState", {"state": "active"})
        await ana.see_in_text(f"b{number}")
        slowest = max(slowest, asyncio.get_running_loop().time() - woke)
    text = await agree(ana, ben)
    rounds = range(proof.ran)
    assert text == "\n".join(f"{name}:" + "".join(f" {name[0].lower()}{n}" for n in rounds) for name in ("Ana", "Ben"))
    await expect(ben.page.locator(".presence .avatar")).to_have_count(2)
    proof.told(slowest_wake_s=round(slowest, 2))


@pytest.mark.proof(
    promise="After a day offline thousands of edits on both sides are merged, and undo is still one's own",
    faults="F18",
    how="Edits in a browser without a line, reloaded in between, while another person edits the same document",
)
async def test_f18_edits_of_a_day_offline_are_merged(proof: Proof, visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    ana.expects_silence_of_server()
    ana.expects("not known yet")
    edits = proof.rounds(300, 5_000)
    await ana.new_document("Ana:\nBen:")
    await ben.open_document(ana.document_id)
    await keep_for_offline(ana)
    await ana.goes_offline()
    for person, line in ((ana, "Ana:"), (ben, "Ben:")):
        await person.put_caret(line)
    await asyncio.gather(*(_edit(person, edits // 2) for person in (ana, ben)))
    await ana.may_leave()
    await ana.page.reload()
    await ana.see_in_text("x")
    await ana.put_caret("Ana:")
    await asyncio.gather(*(_edit(person, edits // 2) for person in (ana, ben)))
    await ana.type("mine")
    await ana.context.set_offline(False)
    await ana.hears_of_the_network()
    text = await agree_on_all(ana, ben)
    hers, his = text.split("\n")
    # Where her caret stood after the reload depends on how the long line was wrapped.
    assert hers.replace("mine", "", 1) == "Ana:" + "x" * edits
    assert his == "Ben:" + "x" * edits
    # A step of undo ends at a pause, which a slow machine may make anywhere: all of them together are Ana's own.
    while "mine" in await ana.copied():
        await ana.press("Control+z")
    text = await agree_on_all(ana, ben)
    assert text.split("\n")[1] == his
    proof.told(edits_each=edits)


async def _edit(person: Visitor, times: int) -> None:
    """Insert one letter at a time at the caret: each is an edit of its own."""
    for _ in range(times):
        await person.page.keyboard.insert_text("x")


@pytest_asyncio.fixture(loop_scope="session")
async def profile(tmp_path: Path) -> AsyncIterator[Path]:
    """The folder of a browser that is killed and started again."""
    folder = tmp_path / "profile"
    yield folder
    for pid in programs_of(folder):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.proof(
    promise="Words typed offline outlive a killed browser: they are sent when it is opened again, once",
    faults="F19",
    how="SIGKILL to all of Chromium with unsent words on its page, then the same profile again",
)
async def test_f19_killed_browser_sends_what_it_had(proof: Proof, own_server: CoscribeServer, profile: Path) -> None:
    ledger = Ledger(profile.parent / "ledger")
    clients = set()
    document_id = ""
    async with async_playwright() as playwright:
        for number in range(proof.rounds(2, 20)):
            context = await launch_persistent(playwright, profile)
            person = await _at(context, own_server)
            if document_id:
                await person.open_document(document_id)
                await person.see_saved()
                ledger.check(await person.stored(document_id))
            else:
                document_id = await person.new_document()
            await person.press("Control+End")
            await person.goes_offline()
            for _ in range(5):
                word = ledger.next_word("ana")
                ledger.typed("ana", word)
                await person.type(f"{word} ")
            await person.may_leave()
            # On this device now: that is a promise like an ack.
            ledger.acked("ana", 5 * (number + 1))
            for pid in programs_of(profile):
                os.kill(pid, signal.SIGKILL)
            with suppress(PlaywrightError):
                await context.close()  # it is gone already, which Playwright may or may not have heard
        context = await launch_persistent(playwright, profile)
        person = await _at(context, own_server)
        await person.open_document(document_id)
        await person.see_saved()
        ledger.check(await person.stored(document_id))
        clients |= await _clients(person)
        await context.close()
    assert len(clients) == 1
    proof.told(kills=proof.ran, words=len(ledger.words))


async def _at(context: BrowserContext, server: CoscribeServer) -> Visitor:
    person = await invite(context, server.url)
    person.expects_silence_of_server()
    return person


async def _clients(person: Visitor) -> set[str]:
    """Who is shown as being here; a killed window must not stay."""
    return set(await person.page.locator(".presence .avatar").evaluate_all("all => all.map(one => one.outerHTML)"))


@pytest.mark.proof(
    promise="Undo takes back one's own edits only, whatever the others write meanwhile",
    faults="F24",
    how="Two people type, undo and redo at random in one document, from a seed",
)
async def test_f24_undo_storm_takes_back_ones_own(proof: Proof, visit: Visit) -> None:
    ana, ben = await visit(), await visit()
    await ana.import_document("Ana:\nBen:")
    await ben.open_document(ana.document_id)
    seed = 20261123
    chance = random.Random(seed)
    steps = proof.rounds(40, 600)
    for person, line in ((ana, "Ana:"), (ben, "Ben:")):
        await person.put_caret(line)
    plans = [[chance.choice(("type", "type", "undo", "redo")) for _ in range(steps)] for _ in range(2)]
    await asyncio.gather(_storm(ana, "a", plans[0]), _storm(ben, "b", plans[1]))
    text = await agree(ana, ben)
    upper, lower = text.split("\n")
    assert set(upper.removeprefix("Ana:")) <= {"a", " "}, f"seed {seed}: {upper!r}"
    assert set(lower.removeprefix("Ben:")) <= {"b", " "}, f"seed {seed}: {lower!r}"
    while "a" in (await ana.text()).split("\n")[0].removeprefix("Ana:"):
        await ana.press("Control+z")
    text = await agree(ana, ben)
    assert text.split("\n")[1] == lower, f"seed {seed}"
    proof.told(steps=2 * steps, seed=seed)


async def _storm(person: Visitor, letter: str, plan: list[str]) -> None:
    keys = {"undo": "Control+z", "redo": "Control+Shift+z"}
    for step in plan:
        if step == "type":
            await person.type(f" {letter}")
        else:
            await person.press(keys[step])


@pytest.mark.proof(
    promise="A line that is cut again and again loses nothing and repeats nothing",
    faults="F30",
    how="Both sockets of two browsers cut every few words while both type",
)
async def test_f30_line_that_is_cut_again_and_again(proof: Proof, visit: Visit, tmp_path: Path) -> None:
    ana, ben = await visit(), await visit()
    lines: list[WebSocketRoute] = []
    for person in (ana, ben):
        person.expects_silence_of_server()
        await person.page.route_web_socket("**/ws/**", lambda line: _passed(line, lines))
    await ana.new_document("ana\nben")
    await ben.open_document(ana.document_id)
    for person, line in ((ana, "ana"), (ben, "ben")):
        await person.put_caret(line)
        await person.press("End")
        await person.type(" ")
    with Ledger(tmp_path / "ledger") as ledger:
        for number in range(proof.rounds(4, 100)):
            await asyncio.gather(_words(ana, "ana", ledger), _words(ben, "ben", ledger))
            if number % 2:
                for line in lines:
                    await line.close(code=1012)
                lines.clear()
                for person in (ana, ben):
                    await person.hears_of_the_network()
        text = await agree_on_all(ana, ben)
        for author in ("ana", "ben"):
            ledger.acked(author, ledger.count(author))
        ledger.check(text.replace("ana\n", "").removeprefix("ana").replace("\nben", "\n"))
    proof.told(cuts=proof.ran, words=len(ledger.words))


async def _passed(line: WebSocketRoute, lines: list[WebSocketRoute]) -> None:
    line.connect_to_server()
    lines.append(line)


async def _words(person: Visitor, author: str, ledger: Ledger) -> None:
    for _ in range(5):
        word = ledger.next_word(author)
        ledger.typed(author, word)
        await person.type(f"{word} ")
