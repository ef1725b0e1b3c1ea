"""How long a page takes to a caret: a new document, one that exists, and one that this browser knows already.

    .venv/bin/python -m tests.bench.page [--rounds 10]

Milliseconds from the start of the navigation to a focused editor that shows the text, in Debian's Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from tests.support.documents import new_document
from tests.support.server import CoscribeServer

# Set in the page before its scripts run: the clock of the first frame in which the caret stands in the right text.
_WATCH = """
window.caretAt = new Promise(resolve => {
  const look = () => {
    const content = document.querySelector('.cm-content')
    const there = content && document.activeElement === content
    if (there && content.textContent.includes(WANTED)) resolve(performance.now())
    else requestAnimationFrame(look)
  }
  look()
})
"""


async def _caret(page: Page, url: str, wanted: str) -> float:
    await page.add_init_script(_WATCH.replace("WANTED", repr(wanted)))
    await page.goto(url, wait_until="commit")
    return float(await page.evaluate("window.caretAt"))


async def _cold(browser: Browser, url: str, wanted: str) -> float:
    context = await browser.new_context()
    try:
        return await _caret(await context.new_page(), url, wanted)
    finally:
        await context.close()


async def measure(server: CoscribeServer, rounds: int) -> dict[str, list[float]]:
    """Open the three kinds of page, each round in browser contexts of its own."""
    document_id = new_document(server, "# Known\n\n" + "Words of a page. " * 300)
    known = f"{server.url}/d/{document_id}"
    times: dict[str, list[float]] = {"new document": [], "existing, first visit": [], "existing, again": []}
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(rounds):
            times["new document"].append(await _cold(browser, f"{server.url}/new", ""))
            context = await browser.new_context()
            times["existing, first visit"].append(await _caret(await context.new_page(), known, "Known"))
            times["existing, again"].append(await _caret(await context.new_page(), known, "Known"))
            await context.close()
        await browser.close()
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, CoscribeServer(Path(folder)) as server:
        for name, found in asyncio.run(measure(server, options.rounds)).items():
            print(f"{name}: median {statistics.median(found):.0f} ms ({min(found):.0f} to {max(found):.0f})")


if __name__ == "__main__":
    main()
