"""Networks where a WebSocket does not get through: people write together all the same, and notice a small mark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.support.browser import IN_BROWSER, Visitor, agree, agree_on_all, invite
from tests.support.proof import Proof
from tests.support.server import CoscribeServer
from tests.support.strict_proxy import Mode, StrictProxy

pytestmark = IN_BROWSER

# From the page's first byte, or from when a network changed, to a carrier that was heard.
WORKS_WITHIN_S = 6.0
_CARRIER = "document.querySelector('[data-carrier]')?.dataset.carrier"
_AWAY = "Offline"


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(server: CoscribeServer) -> AsyncIterator[StrictProxy]:
    async with StrictProxy(int(server.url.rpartition(":")[2])) as running:
        yield running


@asynccontextmanager
async def two_behind(browser: Browser, url: str, **settings: Any) -> AsyncIterator[tuple[Visitor, Visitor]]:
    """Two people in browsers of their own."""
    contexts = [await browser.new_context(**settings) for _ in range(2)]
    ana, ben = [await invite(context, url) for context in contexts]
    for person in (ana, ben):
        person.expects_silence_of_server()
        # What the browser itself says of requests that are refused on the way.
        person.expects(r"Failed to load resource", r"WebSocket connection")
    yield ana, ben
    troubles = ana.troubles + ben.troubles
    for context in contexts:
        await context.close()
    assert troubles == []


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser, proxy: StrictProxy) -> AsyncIterator[tuple[Visitor, Visitor]]:
    """Two people behind the proxy."""
    async with two_behind(browser, proxy.url) as two:
        yield two


async def works(person: Visitor, *kinds: str) -> str:
    """Wait until one of these carriers was heard by somebody; gives which."""
    found = f"() => {list(kinds)}.includes({_CARRIER}) && {_CARRIER}"
    handle = await person.page.wait_for_function(found)
    return str(await handle.json_value())


async def type_together(ana: Visitor, ben: Visitor, until: Callable[[int], bool]) -> str:
    """Both type words in lines of their own until it is enough; gives the text in which each stands once."""
    await ana.put_caret("Ana:")
    await ben.put_caret("Ben:")
    texts = ["Ana:", "Ben:"]
    number = 0
    while not until(number):
        words = [f" a{number}", f" b{number}"]
        texts = [text + word for text, word in zip(texts, words, strict=True)]
        await asyncio.gather(ana.type(words[0], delay_ms=10), ben.type(words[1], delay_ms=10))
        number += 1
    return "\n".join(texts)


async def write_together(ana: Visitor, ben: Visitor, rounds: int = 8) -> None:
    """Both type; nothing is lost and nothing doubled."""
    text = await type_together(ana, ben, lambda number: number == rounds)
    assert await agree_on_all(ana, ben) == text


async def meet(ana: Visitor, ben: Visitor) -> None:
    """Both open a document that one of them has made."""
    await ana.import_document("Ana:\nBen:")
    await ben.open_document(ana.document_id)


async def never_said(person: Visitor, words: str) -> None:
    """The status has not said these words since the page was loaded."""
    assert [said["status"] for said in await person.witnessed() if words in said["status"]] == []


@pytest.mark.parametrize(
    ("mode", "carrier"),
    [
        (Mode.OPEN, "socket"),
        (Mode.NO_UPGRADES, "stream"),
        (Mode.SWALLOWING, "stream"),
        (Mode.BUFFERING, "poll"),
        (Mode.NO_STREAMS, "poll"),
        (Mode.CUT_STREAMS, "poll"),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Mode) else value,
)
async def test_two_people_write_through_a_strict_proxy(
    people: tuple[Visitor, Visitor], proxy: StrictProxy, mode: Mode, carrier: str
) -> None:
    ana, ben = people
    proxy.turn(mode)
    await ana.import_document("Ana:\nBen:")
    clock = asyncio.get_running_loop().time
    began = clock()
    await ben.open(f"/d/{ana.document_id}")
    await works(ben, "socket", "stream", "poll")
    await ben.see_text("Ana:\nBen:")
    print(f"{mode.name}: the text was there after {clock() - began:.1f} s")
    assert await works(ben, carrier) == carrier
    print(f"{mode.name}: a {carrier} after {clock() - began:.1f} s")
    assert clock() - began < WORKS_WITHIN_S
    await write_together(ana, ben)
    assert await works(ben, carrier) == carrier
    mark = ben.page.locator("[data-carrier]")
    if carrier == "socket":
        await expect(mark).to_be_hidden()
    else:
        await expect(mark).to_be_visible()
    await never_said(ben, _AWAY)
    # What worked is remembered: the next page does not wait for what does not.
    began = clock()
    await ben.page.reload()
    await works(ben, carrier)
    print(f"{mode.name}: again after {clock() - began:.1f} s")
    assert clock() - began < WORKS_WITHIN_S / 2


async def test_a_line_that_falls_silent_is_left_in_the_middle_of_typing(
    people: tuple[Visitor, Visitor], proxy: StrictProxy
) -> None:
    ana, ben = people
    await meet(ana, ben)
    assert await works(ana, "socket") == await works(ben, "socket") == "socket"
    proxy.turn(Mode.SWALLOWING)
    began = asyncio.get_running_loop().time()
    await write_together(ana, ben)
    assert await works(ana, "stream") == await works(ben, "stream") == "stream"
    assert asyncio.get_running_loop().time() - began < WORKS_WITHIN_S
    # Nobody is taken for gone: it is the same person on another way.
    for person in (ana, ben):
        await expect(person.page.locator(".presence .avatar")).to_have_count(2)
        await never_said(person, _AWAY)


@pytest.mark.proof(
    promise="A proxy that cuts every line again and again costs no letter",
    faults="F16",
    how="every connection of two browsers is reset every 1.5 s (20 s in full) while both type, by each carrier",
)
@pytest.mark.parametrize("mode", [Mode.OPEN, Mode.NO_UPGRADES, Mode.BUFFERING], ids=lambda mode: mode.name.lower())
async def test_f16_lines_that_are_cut_again_and_again(
    proof: Proof, people: tuple[Visitor, Visitor], proxy: StrictProxy, mode: Mode
) -> None:
    ana, ben = people
    proxy.turn(mode)
    await meet(ana, ben)
    cuts = proxy.cuts + proof.rounds(4, 4)
    cutting = asyncio.create_task(proxy.cut_every(20.0 if proof.full else 1.5))
    try:
        text = await type_together(ana, ben, lambda _: proxy.cuts >= cuts)
    finally:
        cutting.cancel()
        await asyncio.gather(cutting, return_exceptions=True)
    assert await agree_on_all(ana, ben) == text
    proof.told(words=text.count(" "))


@pytest.mark.proof(
    promise="A network that changes its mind every two seconds loses and doubles nothing",
    faults="F30",
    how="a proxy refuses upgrades, swallows frames, buffers answers, cuts and lets through in turn; two browsers type",
)
async def test_f30_a_network_that_changes_its_mind(
    proof: Proof, people: tuple[Visitor, Visitor], proxy: StrictProxy
) -> None:
    ana, ben = people
    await meet(ana, ben)
    await ana.page.evaluate(
        "window.ways = new Set(); new MutationObserver(() => window.ways.add(" + _CARRIER + ")).observe("
        "document.querySelector('#bar'), { subtree: true, childList: true, attributeFilter: ['data-carrier'] })"
    )
    modes = (Mode.NO_UPGRADES, Mode.OPEN, Mode.BUFFERING, Mode.CUTTING, Mode.SWALLOWING)

    async def tell() -> None:
        # What browsers say of a network that has changed.
        for person in (ana, ben):
            await person.page.evaluate("dispatchEvent(new Event('online'))")

    changing = asyncio.create_task(proxy.turn_every(2.0, modes, proof.rounds(7, 40), tell))
    text = await type_together(ana, ben, lambda _: changing.done())
    proxy.turn(Mode.OPEN)
    began = asyncio.get_running_loop().time()
    assert await agree_on_all(ana, ben) == text
    agreed_s = round(asyncio.get_running_loop().time() - began, 1)
    ways = await ana.page.evaluate("[...window.ways].filter(Boolean).sort().join(', ')")
    print(f"{text.count(' ')} words by {ways}; agreed after {agreed_s} s")
    proof.told(words=text.count(" "), agreed_s=agreed_s)
    assert {"socket", "stream"} <= set(ways.split(", "))


async def test_a_network_that_opens_up_is_noticed(people: tuple[Visitor, Visitor], proxy: StrictProxy) -> None:
    ana, ben = people
    proxy.turn(Mode.NO_UPGRADES)
    await meet(ana, ben)
    assert await works(ana, "stream") == "stream"
    assert await works(ben, "stream") == "stream"
    proxy.turn(Mode.OPEN)
    # What the browser tells a page when it is in another network.
    await ana.page.evaluate("dispatchEvent(new Event('online'))")
    # And by hand.
    await ben.button("How this page is connected").click()
    await ben.button("Try now").click()
    await expect(ben.dialog).to_contain_text("One line in both directions")
    await expect(ben.button("Try now")).to_be_focused()
    await ben.press("Escape")
    # The mark that had the focus is not there any more.
    await expect(ben.editor).to_be_focused()
    assert await works(ana, "socket") == await works(ben, "socket") == "socket"
    await write_together(ana, ben)
    for person in (ana, ben):
        await never_said(person, _AWAY)


async def test_the_mark_says_which_way_and_why_by_keyboard_too(
    people: tuple[Visitor, Visitor], proxy: StrictProxy
) -> None:
    ana, _ = people
    proxy.turn(Mode.NO_UPGRADES)
    await ana.import_document("Ana:")
    assert await works(ana, "stream") == "stream"
    mark = ana.button("How this page is connected")
    await expect(mark).to_have_attribute("title", "Connected by requests and an event stream")
    await mark.focus()
    await ana.press("Enter")
    await expect(ana.dialog).to_have_accessible_name("Connection")
    await expect(ana.dialog).to_contain_text("Requests and an event stream")
    await expect(ana.dialog).to_contain_text("A WebSocket was refused on its way to the server")
    await expect(ana.dialog).to_contain_text("A WebSocket is tried again at")
    await ana.press("Escape")
    await expect(mark).to_be_focused()
    # In the menu it can be found without a mark, too.
    proxy.turn(Mode.OPEN)
    await ana.page.evaluate("dispatchEvent(new Event('online'))")
    await works(ana, "socket")
    await expect(mark).to_be_hidden()
    await ana.button("More").click()
    await ana.page.get_by_role("menuitem", name="Connection").click()
    await expect(ana.dialog).to_contain_text("WebSocket")


async def test_access_that_is_taken_away_ends_requests_at_once(
    people: tuple[Visitor, Visitor], proxy: StrictProxy
) -> None:
    ana, ben = people
    proxy.turn(Mode.NO_UPGRADES)
    await meet(ana, ben)
    assert await works(ben, "stream") == "stream"
    address = f"{proxy.url}/api/v1/documents/{ana.document_id}"
    answer = await ana.context.request.patch(address, data={"access": "restricted"}, headers={"Origin": proxy.url})
    assert answer.ok, await answer.text()
    await expect(ben.page.locator("#ended h1")).to_have_text("Your access to this document was removed", timeout=2_000)
    await ana.put_caret("Ana:")
    await ana.type(" still here")
    await ana.see_saved()


async def test_who_closes_the_page_is_gone_for_the_others(people: tuple[Visitor, Visitor], proxy: StrictProxy) -> None:
    ana, ben = people
    proxy.turn(Mode.NO_UPGRADES)
    await meet(ana, ben)
    await ben.put_caret("Ben:")
    await ben.type(" bye")
    await expect(ana.page.locator(".presence .avatar")).to_have_count(2)
    await ben.may_leave()
    await ben.open("/trash")
    await expect(ana.page.locator(".presence .avatar")).to_have_count(1, timeout=5_000)
    await ana.see_text("Ana:\nBen: bye")


async def test_a_server_that_starts_again_costs_requests_nothing(browser: Browser, stoppable: CoscribeServer) -> None:
    async with (
        StrictProxy(int(stoppable.url.rpartition(":")[2]), Mode.NO_UPGRADES) as proxy,
        two_behind(browser, proxy.url) as (ana, ben),
    ):
        await meet(ana, ben)
        assert await works(ana, "stream") == await works(ben, "stream") == "stream"
        await ana.put_caret("Ana:")
        await ben.put_caret("Ben:")
        await ana.type(" before")
        stoppable.kill()
        await ben.type(" meanwhile")
        stoppable.start()
        await ana.type(" after")
        assert await agree(ana, ben) == "Ana: before after\nBen: meanwhile"
