"""How long a key takes to the screen: one person types in the middle of a large text among other people's carets.

    .venv/bin/python -m tests.bench.keystrokes [--keys 300] [--people 10] [--moves 5] [--typing 0] [--kilobytes 1000]

Milliseconds from the key's event to the end of the page's own work for it, and to the frame that shows it, in Debian's
Chromium. The others' carets stand in what is drawn and move over real sockets; some are selections. Of the people
`--typing` many type as well; `--split` shows the reading view beside the source. `--profile FILE` writes a CPU profile
of the page for DevTools.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page, async_playwright
from pycrdt import Assoc
from tests.support.documents import new_document, socket_url
from tests.support.server import CoscribeServer
from tests.support.typist import Typist

# A person's fast typing is eight keys a second; at irregular times, so that the keys do not fall in step with frames.
_PAUSE_S = (0.06, 0.18)
_KEYS = "the quick brown fox jumps over the lazy dog "
_SEED = 20

# Each key's times. The editor takes what the browser has written in a microtask of the first listener of `input`; a
# message that is posted in a frame's callback runs when that frame was drawn.
_WATCH = """
window.keys = []
let key
addEventListener('keydown', ({ timeStamp }) => {
  const mine = (key = {})
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      mine.painted = performance.now() - timeStamp
      window.keys.push(mine)
    }
    port2.postMessage(null)
  })
}, { capture: true })
addEventListener('input', ({ timeStamp }) => queueMicrotask(() => (key.handled = performance.now() - timeStamp)))
"""
# The middle of the text under the caret of whoever clicks there.
_TO_THE_MIDDLE = """() => {
  const scroller = document.querySelector('.cm-scroller')
  scroller.scrollTop = scroller.scrollHeight / 2
}"""
_SEEN = (
    "() => [...document.querySelectorAll('.cm-line')].map(line => line.textContent).filter(text => text.length > 100)"
)


def long_text(kilobytes: int) -> str:
    """Markdown of a size: numbered paragraphs with headings, lists, links and marks among them."""
    parts: list[str] = []
    size = number = 0
    while size < kilobytes * 1000:
        number += 1
        part = f"Paragraph {number} has **bold** and *soft* words, `code` and [a link](https://example.org/{number}). "
        part += "It goes on as paragraphs do, for a line or three, until its end comes. " * 3 + "\n\n"
        if number % 10 == 0:
            part += f"## Heading {number}\n\n- one of a list\n- another one\n  1. and a third\n\n> quoted\n\n"
        parts.append(part)
        size += len(part)
    return "".join(parts)


@dataclass
class Settings:
    """What is measured."""

    keys: int
    people: int
    moves: float
    typing: int
    kilobytes: int
    split: bool
    profile: Path | None


class Other:
    """One of the other people, somewhere in the lines that the first person sees."""

    def __init__(self, typist: Typist, rng: random.Random, places: list[int]) -> None:
        self.typist = typist
        self._random = rng
        self._places = places
        self._clock = 0

    async def move(self, *, selects: bool) -> None:
        """Go to another place in sight, selecting a few words there or not."""
        at = self._random.choice(self._places) + self._random.randrange(200)
        until = at + 60 if selects else at
        ends = [self.typist.text.sticky_index(index, Assoc.BEFORE).to_json() for index in (at, until)]
        cursor = dict(zip(("anchor", "head"), ends, strict=True))
        self._clock += 1
        await self.typist.set_awareness(self._clock, {"cursor": cursor, "line": 1, "state": "active"})

    async def live(self, moves_per_s: float, *, types: bool) -> None:
        """Move, and type, until cancelled; every fifth move selects."""
        turn = self._random.randrange(5)
        while True:
            await asyncio.sleep(self._random.uniform(0.5, 1.5) / moves_per_s)
            turn += 1
            if types:
                await self.typist.insert(self._random.choice(self._places) + self._random.randrange(200), "x")
            await self.move(selects=turn % 5 == 0)


@asynccontextmanager
async def _others(url: str, settings: Settings, places: list[int]) -> AsyncIterator[None]:
    """The other people, alive."""
    async with AsyncExitStack() as stack:
        tasks: list[asyncio.Task[None]] = []
        for number in range(settings.people):
            typist = await stack.enter_async_context(Typist(url))
            await typist.wait_synced()
            other = Other(typist, random.Random(_SEED + number), places)
            tasks.append(asyncio.create_task(other.live(settings.moves, types=number < settings.typing)))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _open(page: Page, url: str, *, split: bool) -> list[str]:
    """Open the document, put the caret into the middle of the text and give the lines that are seen there."""
    await page.add_init_script(_WATCH + f"localStorage.setItem('coscribe.view', '{'split' if split else 'edit'}')")
    await page.goto(url)
    await page.wait_for_function("() => document.querySelectorAll('.cm-line').length > 1")
    await page.evaluate(_TO_THE_MIDDLE)
    await page.wait_for_timeout(2_000)  # until what a page does once at its start is over
    box = await page.locator("#source").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen: list[str] = await page.evaluate(_SEEN)
    return seen


async def _type(page: Page, keys: int) -> str:
    """Press so many keys, at uneven times."""
    rng = random.Random(_SEED)
    for number in range(keys):
        await page.keyboard.press(_KEYS[number % len(_KEYS)])
        await asyncio.sleep(rng.uniform(*_PAUSE_S))
    return ""


async def _profile(page: Page, keys: int) -> str:
    """Type while DevTools looks where the page's time goes."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Profiler.enable")
    await devtools.send("Profiler.setSamplingInterval", {"interval": 200})
    await devtools.send("Profiler.start")
    await _type(page, keys)
    return json.dumps((await devtools.send("Profiler.stop"))["profile"])


async def measure(server: CoscribeServer, settings: Settings) -> tuple[list[dict[str, float]], str]:
    """Type so many keys among the others; gives the times of each, and a profile where one is wanted."""
    text = long_text(settings.kilobytes)
    document_id = new_document(server, text)
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page()
        seen = await _open(page, f"{server.url}/d/{document_id}", split=settings.split)
        places = [text.index(line) for line in seen]
        async with _others(socket_url(server, document_id), settings, places):
            await _type(page, 20)  # until the first flags are up and the code is warm
            await page.evaluate("window.keys.length = 0")
            profile = await (_profile if settings.profile else _type)(page, settings.keys)
            await page.wait_for_function("keys => window.keys.length >= keys", arg=settings.keys)
        found: list[dict[str, float]] = await page.evaluate("window.keys")
        await browser.close()
    return found, profile


def _line(name: str, times: list[float]) -> str:
    cuts = statistics.quantiles(times, n=100)
    return f"{name}: n {len(times)}, p50 {cuts[49]:.1f} ms, p95 {cuts[94]:.1f} ms, p99 {cuts[98]:.1f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--moves", type=float, default=5)
    parser.add_argument("--typing", type=int, default=0)
    parser.add_argument("--kilobytes", type=int, default=1_000)
    parser.add_argument("--split", action="store_true")
    parser.add_argument("--profile", type=Path)
    settings = Settings(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as folder, CoscribeServer(Path(folder)) as server:
        times, profile = asyncio.run(measure(server, settings))
    if settings.profile:
        settings.profile.write_text(profile)
    print(_line("key to handled", [key["handled"] for key in times]))
    print(_line("key to paint", [key["painted"] for key in times]))


if __name__ == "__main__":
    main()
