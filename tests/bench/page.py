"""How long a page takes to a caret: a new document, one that exists, and one that this browser knows already.

    .venv/bin/python -m tests.bench.page [--rounds 10] [--kilobytes 5]

Milliseconds from the start of the navigation to a focused editor that shows the text, in Debian's Chromium: as it is on
this machine, and as on a phone with a slow line, by DevTools: 1.6 Mbit/s down and 0.75 up, 150 ms a round trip and a
processor that is four times slower.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from tests.support.documents import new_document
from tests.support.server import CoscribeServer

# Lighthouse's "slow 4G", in bytes a second.
_SLOW_LINE = {
    "offline": False, "latency": 150, "downloadThroughput": 1.6 * 2**20 / 8, "uploadThroughput": 0.75 * 2**20 / 8,
}  # fmt: skip
_SLOW_DOWN = 4
GOAL_MS = {"desktop": 500, "slow phone": 1_500}

# Set in the page before its scripts run: the clock of the first frame in which the caret stands in the right text.
# Looking at every frame before would cost a slow processor a tenth of its time.
_WATCH = """
window.caretAt = new Promise(resolve => {
  const look = () => {
    const content = document.querySelector('.cm-content')
    if (document.activeElement === content && content.textContent.includes(WANTED)) resolve(performance.now())
    else requestAnimationFrame(look)
  }
  addEventListener('focusin', () => requestAnimationFrame(look), { once: true })
})
"""
# The service worker keeps the page's files once the page is at rest; the last that it takes is the page of what is not
# saved.
_KEPT = """async () => {
  while (!(await caches.match('/d/')) || !(await caches.match('/recover'))) await new Promise(go => setTimeout(go, 50))
}"""


@dataclass
class Times:
    """Milliseconds of each kind of visit."""

    new: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)


async def _caret(context: BrowserContext, url: str, wanted: str, *, slow: bool) -> tuple[Page, float]:
    page = await context.new_page()
    if slow:
        devtools = await context.new_cdp_session(page)
        await devtools.send("Network.enable")
        await devtools.send("Network.emulateNetworkConditions", _SLOW_LINE)
        await devtools.send("Emulation.setCPUThrottlingRate", {"rate": _SLOW_DOWN})
    await page.add_init_script(_WATCH.replace("WANTED", repr(wanted)))
    await page.goto(url, wait_until="commit")
    return page, float(await page.evaluate("window.caretAt"))


async def _slow_worker(browser: Browser) -> None:
    """Put the service worker behind the slow line too: it asks for the page, and has a network of its own."""
    devtools = await browser.new_browser_cdp_session()
    targets = (await devtools.send("Target.getTargets"))["targetInfos"]
    worker = next(target["targetId"] for target in targets if target["type"] == "service_worker")
    attached = await devtools.send("Target.attachToTarget", {"targetId": worker, "flatten": False})
    for method, params in (("Network.enable", {}), ("Network.emulateNetworkConditions", _SLOW_LINE)):
        message = json.dumps({"id": 1, "method": method, "params": params})
        await devtools.send("Target.sendMessageToTarget", {"sessionId": attached["sessionId"], "message": message})


async def _round(browser: Browser, server: CoscribeServer, known: str, times: Times, *, slow: bool) -> None:
    """A stranger makes a document; another one opens one that exists, and opens it again."""
    context = await browser.new_context()
    times.new.append((await _caret(context, f"{server.url}/new", "", slow=slow))[1])
    await context.close()
    context = await browser.new_context()
    page, taken = await _caret(context, known, "Known", slow=slow)
    times.first.append(taken)
    await page.evaluate(_KEPT)
    if slow:
        await _slow_worker(browser)
    await page.close()
    times.again.append((await _caret(context, known, "Known", slow=slow))[1])
    await context.close()


async def measure(server: CoscribeServer, rounds: int, kilobytes: int, *, slow: bool) -> Times:
    """Open the three kinds of page, each round in browser contexts of its own."""
    text = "# Known\n\n" + "Words of a page, with *marks*. " * 30 + "\n\n"
    document_id = new_document(server, text * max(1, kilobytes))
    times = Times()
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(rounds):
            await _round(browser, server, f"{server.url}/d/{document_id}", times, slow=slow)
        await browser.close()
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--kilobytes", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, CoscribeServer(Path(folder)) as server:
        for where, goal in GOAL_MS.items():
            slow = where != "desktop"
            times = asyncio.run(measure(server, options.rounds, options.kilobytes, slow=slow))
            for name, found in (("new", times.new), ("existing", times.first), ("existing, again", times.again)):
                spread = f"{min(found):.0f} to {max(found):.0f}"
                print(f"{where}, {name} document: median {statistics.median(found):.0f} ms ({spread}; goal {goal} ms)")


if __name__ == "__main__":
    main()
