"""Takes README's picture from the running product: two people and a script in one document.

.venv/bin/python -m tests.e2e.screenshot docs/screenshot.png
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import httpx
from playwright.async_api import Browser, Page, async_playwright
from tests.support.server import CoscribeServer

_TEXT = """# Launch checklist

Everything **before Friday**, in the order it hurts:

- [x] Freeze the wire format
- [x] Two people, one paragraph, no lost letters
- [ ] Restore a backup *while typing*
- [ ] Write to the list

> Saved means saved: on the disk, before the page says so.

| who  | what           |
|------|----------------|
| Ana  | carets, undo   |
| Bo   | the update log |
"""


async def take(server: CoscribeServer, target: Path) -> None:
    """Write the document, let others join, take the picture."""
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        ana = await _person(browser, server, "Ana", 0)
        made = await ana.request.post(f"{server.url}/api/v1/documents", data={"text": _TEXT}, headers=_own(server))
        document_id = (await made.json())["id"]
        await _open(ana, f"{server.url}/d/{document_id}")
        bo = await _person(browser, server, "Bo", 4)
        await _open(bo, f"{server.url}/d/{document_id}")
        await bo.get_by_text("Write to the list").click()
        await bo.keyboard.press("End")
        await bo.keyboard.type(" and to the press")
        await _append(server, document_id)
        await ana.get_by_text("Saved means saved").click()
        await ana.get_by_text("Build 214 passed").wait_for()
        await bo.keyboard.type(".")
        await ana.get_by_text("to the press.").wait_for()
        await ana.get_by_text("All changes saved").wait_for()
        await bo.keyboard.press("ArrowLeft")
        await ana.locator(".cs-caret-flag", has_text="Bo").wait_for()
        await ana.screenshot(path=target)
        await browser.close()


def _own(server: CoscribeServer) -> dict[str, str]:
    return {"Origin": server.url}


async def _person(browser: Browser, server: CoscribeServer, name: str, colour: int) -> Page:
    context = await browser.new_context(viewport={"width": 1280, "height": 760}, device_scale_factor=1)
    page = await context.new_page()
    await page.goto(server.url)
    await page.request.patch(f"{server.url}/api/v1/me", data={"name": name, "colour": colour}, headers=_own(server))
    return page


async def _open(page: Page, url: str) -> None:
    await page.goto(url)
    await page.get_by_text("Launch checklist").first.wait_for()


async def _append(server: CoscribeServer, document_id: str) -> None:
    token = server.token("ci")
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as script:
        answer = await script.patch(
            f"{server.url}/api/v1/documents/{document_id}/text",
            json={"edits": [{"op": "append", "text": "\nBuild 214 passed\n"}]},
        )
        answer.raise_for_status()


def main() -> None:
    """Start a server of its own and take the picture."""
    with tempfile.TemporaryDirectory() as folder, CoscribeServer(Path(folder)) as server:
        asyncio.run(take(server, Path(sys.argv[1])))


if __name__ == "__main__":
    main()
