"""People at real browser windows: the system's Chromium, driven by Playwright.

A `Visitor` is one person: cookies, storage and a page of his own. What a page says to its console as an error or a
warning, what its security policy refuses and every dialog it opens is a trouble, and a trouble fails the test.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Error,
    Frame,
    Locator,
    Page,
    Playwright,
    expect,
)

WEB = Path(__file__).parents[2] / "server" / "coscribe" / "web"
# Marks for a module: the browser lives in one event loop for the whole run.
IN_BROWSER = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
# A busy machine with two cores takes its time; nothing waits this long when all is well.
WITHIN_MS = 20_000

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Written down whenever the status changes: what it says, the state behind it (the words wait for a pause in the acks),
# and the text that stands in the editor at that moment.
_WITNESS = """
window.witnessed = []
document.addEventListener('securitypolicyviolation', event =>
  console.error(`policy refused ${event.violatedDirective} ${event.blockedURI} ${event.sample}`))
new MutationObserver(() => {
  const element = document.querySelector('.status')
  const status = element?.textContent ?? ''
  const state = element?.dataset.state ?? ''
  const last = window.witnessed.at(-1)
  if (status === (last?.status ?? '') && state === (last?.state ?? '')) return
  window.witnessed.push({ status, state, text: window.textOfEditor() })
}).observe(document, { subtree: true, childList: true, characterData: true, attributeFilter: ['data-state'] })
window.textOfEditor = () => {
  const lines = document.querySelectorAll('#source .cm-line')
  // The placeholder of an empty text stands in its line.
  const text = line => (line.querySelector('.cm-placeholder') ? '' : line.textContent)
  return lines.length === 0 ? null : [...lines].map(text).join('\\n')
}
addEventListener('online', event => window.staysOffline && event.stopImmediatePropagation())
addEventListener('copy', event => (window.copied = event.clipboardData.getData('text/plain')))
"""
# The page asks before it goes only while a change is on its way to this device.
_MAY_LEAVE = "async () => dispatchEvent(new Event('beforeunload', { cancelable: true }))"
SAVED = re.compile(r"^(Saved|All changes saved)$")
expect.set_options(timeout=WITHIN_MS)


async def launch(playwright: Playwright) -> Browser:
    """Start the system's Chromium; says what is missing when it cannot."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    assert program is not None, "The browser tests need Chromium. On Debian: sudo apt-get install chromium"
    assert (WEB / ".vite" / "manifest.json").exists(), "The web client is not built. Run: make web"
    return await playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)


async def launch_persistent(playwright: Playwright, folder: Path) -> BrowserContext:
    """Start Chromium with a profile that outlives it."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    assert program is not None, "The browser tests need Chromium. On Debian: sudo apt-get install chromium"
    return await playwright.chromium.launch_persistent_context(folder, executable_path=program, args=_ARGUMENTS)


def programs_of(folder: Path) -> list[int]:
    """The processes that run with a profile: the browser itself, whose end ends the others, first."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended meanwhile
        if f"--user-data-dir={folder}".encode() in command and not any(part.startswith(b"--type=") for part in command):
            found.append(int(entry.name))
    return found


class Visitor:
    """One person at one window. Positions in the text are reached with keys, as people reach them."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self.context = context
        self.page = page
        self.url = url
        self.troubles: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self._latest: str | None = None
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(f"uncaught: {error}"))
        page.on("dialog", self._asked)
        page.on("framenavigated", self._went)
        page.set_default_timeout(WITHIN_MS)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(one.search(message.text) for one in self._expected):
            self.troubles.append(f"{message.type}: {message.text}")

    def _went(self, frame: Frame) -> None:
        document = re.search(r"/d/([^/?#]+)", frame.url)
        self._latest = document[1] if document else self._latest

    async def _asked(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.type} {dialog.message}")
        await dialog.accept()

    def expects(self, *patterns: str) -> None:
        """Name what the console will say because of what the test does to the page."""
        self._expected += map(re.compile, patterns)

    def expects_silence_of_server(self) -> None:
        """The browser itself reports requests that nobody answers."""
        self.expects(r"net::ERR_", r"WebSocket connection to .* failed", r"Find and replace could not be loaded")
        # A page at rest asks for its service worker, half a second after its caret.
        self.expects(r"error occurred when fetching the script", r"This browser opens no pages offline")

    async def goes_offline(self) -> None:
        """Take the network away and wait until the page knows: what is typed before may still be sent."""
        await self.context.set_offline(True)
        await expect(self.status).to_have_text(re.compile("^Offline — "))

    async def may_leave(self) -> None:
        """Wait until a page that is offline may be left or loaded anew: all that was typed is on this device.

        Chromium ends the emulation a moment before the page it belongs to, which would hear that it is online again
        and may still send what it has. A page that really is offline can't.
        """
        await self.until(_MAY_LEAVE)
        await self.page.evaluate("window.staysOffline = true")

    async def hears_of_the_network(self) -> None:
        """What the browser tells a page when the network is there again: it need not wait for its next attempt."""
        await self.page.evaluate("dispatchEvent(new Event('online'))")

    async def open(self, path: str) -> None:
        """Go to a path of the server."""
        await self.page.goto(self.url + path)

    async def new_document(self, text: str = "") -> str:
        """Make a document with `/new`, type into it and wait until it is stored; gives its id."""
        await self.open("/new")
        await self.see_caret()
        if text:
            await self.type(text)
            await self.see_saved()
        return self.document_id

    async def import_document(self, text: str) -> str:
        """Make a document with this text over REST and open it; gives its id."""
        answer = await self.context.request.post(
            f"{self.url}/api/v1/documents", data={"text": text}, headers={"Origin": self.url}
        )
        assert answer.status == 201, await answer.text()
        document_id = str((await answer.json())["id"])
        await self.open_document(document_id)
        return document_id

    async def open_document(self, document_id: str) -> None:
        """Open a document and wait for its text, and for the bars around it, which come a moment later."""
        await self.open(f"/d/{document_id}")
        await expect(self.editor).to_be_visible()
        await expect(self.page.locator("body[data-drawn]")).to_be_visible()

    @property
    def document_id(self) -> str:
        """The id in the address bar."""
        found = re.fullmatch(re.escape(self.url) + r"/d/([^/?#]+)", self.page.url)
        assert found is not None, f"{self.page.url} is no document's address"
        return found[1]

    @property
    def editor(self) -> Locator:
        return self.page.locator("#source .cm-content")

    @property
    def status(self) -> Locator:
        return self.page.locator(".status")

    @property
    def toast(self) -> Locator:
        return self.page.locator(".toasts")

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog[open]")

    def button(self, name: str | re.Pattern[str], *, exact: bool = False) -> Locator:
        return self.page.get_by_role("button", name=name, exact=exact)

    async def type(self, text: str, *, delay_ms: float = 0) -> None:
        """Press the keys of a text, one after the other."""
        await self.page.keyboard.type(text, delay=delay_ms)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def see_caret(self) -> None:
        """Wait until the editor takes what is typed."""
        await expect(self.editor).to_be_focused()

    async def see_saved(self) -> None:
        """Wait until the status says that the server has everything."""
        await expect(self.status).to_have_text(SAVED)

    async def see_text(self, text: str) -> None:
        """Wait until the editor shows exactly this."""
        await self.page.wait_for_function("text => window.textOfEditor() === text", arg=text)

    async def see_in_text(self, *parts: str) -> None:
        """Wait until the editor shows all of these."""
        await self.page.wait_for_function(
            "parts => parts.every(part => window.textOfEditor()?.includes(part))", arg=list(parts)
        )

    async def see(self, words: str, *, within_ms: float = WITHIN_MS) -> None:
        """Wait until the page shows these words."""
        await expect(self.page.get_by_text(words).first).to_be_visible(timeout=within_ms)

    async def put_caret(self, words: str) -> None:
        """Put the caret at the end of the line that shows these words."""
        await self.editor.locator(".cm-line", has_text=words).first.click()
        await self.press("End")

    async def text(self) -> str:
        """What the editor shows; short texts only, lines outside the window are not drawn."""
        shown: str = await self.page.evaluate("window.textOfEditor()")
        return shown

    async def copied(self) -> str:
        """All of the text, by select and copy: of a long line or text the editor draws only what is in view."""
        await self.editor.focus()
        await self.press("Control+a", "Control+c")
        copied: str = await self.page.evaluate("window.copied")
        return copied

    async def witnessed(self) -> list[dict[str, Any]]:
        """Every word of the status since the page was loaded, with the text that stood there when it was said."""
        said: list[dict[str, Any]] = await self.page.evaluate("window.witnessed")
        return said

    async def stored(self, document_id: str | None = None) -> str:
        """The text as REST gives it to this person."""
        address = f"{self.url}/api/v1/documents/{document_id or self.document_id}/text"
        answer = await self.context.request.get(address)
        assert answer.ok, f"{answer.status} {await answer.text()}"
        return (await answer.body()).decode()

    async def last_seen(self) -> str:
        """What stands on the page, and of its latest document on the server; for whoever reads why a test failed."""
        shown: list[object] = [self.page.url]
        for look in (self.page.evaluate("document.body.innerText"), self.stored(self._latest)):
            try:
                async with asyncio.timeout(2):  # a frozen page answers nothing
                    shown.append((await look)[:2_000])
            except (AssertionError, Error, TimeoutError) as error:
                shown.append(f"({str(error)[:200]})")
        return "\n".join(map(str, shown))

    async def see_named(self, title: str) -> None:
        """Wait until the server has taken the title from the text, about a second after the last change."""
        await self.until(
            "async ([id, title]) => (await (await fetch(`/api/v1/documents/${id}`)).json()).title === title",
            [self.document_id, title],
        )

    async def until(self, condition: str, arg: object = None) -> None:
        """Wait until an asynchronous function of the page gives true; Playwright's wait takes a promise for true."""
        wait = f"async arg => {{ while (!(await ({condition})(arg))) await new Promise(go => setTimeout(go, 50)) }}"
        async with asyncio.timeout(WITHIN_MS / 1000):
            await self.page.evaluate(wait, arg)

    async def name(self) -> str:
        """The name that others see."""
        answer = await self.context.request.get(f"{self.url}/api/v1/me")
        return str((await answer.json())["name"])

    async def rename(self, name: str) -> None:
        """Change one's name by clicking one's own avatar."""
        await self.page.locator(".presence").get_by_role("button", name="(you)").click()
        await self.dialog.get_by_label("Your name").fill(name)
        await self.dialog.get_by_role("button", name="Save").click()
        await expect(self.dialog).to_have_count(0)


async def invite(context: BrowserContext, url: str) -> Visitor:
    """A visitor at a new page of a context."""
    await context.add_init_script(_WITNESS)
    return Visitor(context, await context.new_page(), url)


async def agree(*people: Visitor) -> str:
    """Wait until everything is stored and everyone sees the stored text; gives it."""
    for person in people:
        await person.see_saved()
    text = await people[0].stored()
    for person in people:
        await person.see_text(text)
    return text


async def agree_on_all(*people: Visitor) -> str:
    """As `agree`, of a text that is too long to be drawn whole."""
    for person in people:
        await person.see_saved()
    text = await people[0].stored()
    deadline = asyncio.get_running_loop().time() + WITHIN_MS / 1000
    for person in people:
        while (copied := await person.copied()) != text:
            assert asyncio.get_running_loop().time() < deadline, f"{len(copied)} of {len(text)} characters"
    return text


async def keep_for_offline(person: Visitor) -> None:
    """Wait until the document's page, the one of what is not saved and their files are kept on the device."""
    await person.until("""async () => {
      if (!navigator.serviceWorker.controller) return false
      const pages = await Promise.all(['/d/', '/recover'].map(path => caches.match(path)))
      if (!pages.every(Boolean)) return false
      const names = (await Promise.all(pages.map(page => page.text()))).join().match(/\\/assets\\/[^"]+/g)
      return (await Promise.all(names.map(name => caches.match(name)))).every(Boolean)
    }""")
