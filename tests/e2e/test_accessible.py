"""Every page and dialog is clean for axe, in light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, Visitor

pytestmark = IN_BROWSER

_AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_TEXT = """# Title

Some *words* with a [link](https://example.org) and `code`, ~~gone~~.

> Quoted

| a | b |
|---|---|
| 1 | 2 |

- [x] done
- [ ] open

```python
print("hello")  # a comment
```

Note[^1]

[^1]: foot
"""


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def _is_clean(person: Visitor) -> None:
    # What still fades in has less contrast for a moment.
    await person.page.evaluate(
        "Promise.allSettled(document.getAnimations().filter(one => one.effect.getComputedTiming().endTime !== Infinity)"
        ".map(one => one.finished))"
    )
    # Given through the debugger, so that the page's own policy stays as it is.
    await person.page.evaluate(_AXE.read_text() + "; 0")
    found = await person.page.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map("
        "({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(node => node.html.slice(0, 200)).join(' | ')}`))"
    )
    assert found == []


async def test_what_is_not_on_the_server(visit: Visit, scheme: str) -> None:
    person = await visit(color_scheme=scheme)
    person.expects_silence_of_server()
    await person.open("/recover")
    await person.see("Everything that was written in this browser is on the server.")
    await _is_clean(person)
    await person.new_document("# Diary\n\nBefore.")
    await person.goes_offline()
    await person.type(" Offline." * 40)
    await person.may_leave()
    await person.see("Connection lost.")
    await _is_clean(person)
    await person.page.goto("about:blank")
    await person.context.set_offline(False)
    await person.open("/recover")
    await person.see("What is not saved")
    await _is_clean(person)
    await person.button("Remove").click()
    await expect(person.dialog).to_be_visible()
    await _is_clean(person)


async def test_home_and_trash(visit: Visit, scheme: str) -> None:
    person = await visit(color_scheme=scheme)
    await person.open("/")
    await expect(person.page.locator(".empty")).to_be_visible()
    await _is_clean(person)
    await person.import_document("# Kept")
    await person.import_document("# Thrown away")
    await person.open("/")
    await person.button("Move Thrown away to trash").click()
    await expect(person.toast).to_contain_text("Undo")
    await _is_clean(person)
    await person.button("You are").click()
    await expect(person.dialog).to_be_visible()
    await _is_clean(person)
    await person.open("/trash")
    await person.button("Delete Thrown away forever").click()
    await expect(person.dialog).to_be_visible()
    await _is_clean(person)


async def test_the_document_page(visit: Visit, scheme: str) -> None:
    person, other = await visit(color_scheme=scheme), await visit()
    await person.import_document(_TEXT)
    await other.open_document(person.document_id)
    await other.put_caret("Quoted")
    await expect(person.page.locator(".cs-caret")).to_have_count(1)
    await _is_clean(person)
    await person.button("Split").click()
    await expect(person.page.locator("#reading .footnotes")).to_be_visible()
    await expect(person.page.locator("#reading pre .hljs-string")).to_be_visible()
    await _is_clean(person)
    await person.button("Edit").click()
    await person.editor.focus()
    await person.press("Control+f")
    await expect(person.page.locator(".cm-search")).to_be_visible()
    await _is_clean(person)


async def test_the_sheets_of_a_document(visit: Visit, scheme: str) -> None:
    person = await visit(color_scheme=scheme)
    await person.import_document(_TEXT)
    await person.button("Share", exact=True).click()
    await person.dialog.get_by_role("button", name="New view link").click()
    await expect(person.dialog.get_by_label("Copy it now")).to_be_visible()
    await _is_clean(person)
    await person.press("Escape")
    await person.button("More").click()
    await expect(person.page.get_by_role("menu")).to_be_visible()
    await _is_clean(person)
    for name in ("Word count", "Keyboard shortcuts"):
        await person.page.get_by_role("menuitem", name=name).click()
        await expect(person.dialog).to_be_visible()
        await _is_clean(person)
        await person.press("Escape")
        await person.button("More").click()


async def test_the_read_page_and_the_page_of_nothing(visit: Visit, scheme: str) -> None:
    owner, person = await visit(), await visit(color_scheme=scheme)
    document_id = await owner.import_document(_TEXT)
    made = await owner.context.request.post(
        f"{owner.url}/api/v1/documents/{document_id}/links", data={"role": "viewer"}, headers={"Origin": owner.url}
    )
    await person.page.goto((await made.json())["url"])
    await expect(person.page.locator("#live")).to_have_text("Live")
    await _is_clean(person)
    person.expects("404")
    for path in ("/nothing/here", "/d/doesNotExist000000000", "/r/doesNotExist000000000"):
        await person.open(path)
        await expect(person.page.get_by_role("heading", level=1)).to_be_visible()
        await _is_clean(person)


async def test_what_stands_in_place_of_a_document_that_was_taken_away(visit: Visit, scheme: str) -> None:
    owner, person = await visit(), await visit(color_scheme=scheme)
    person.expects("404")
    document_id = await owner.import_document(_TEXT)
    await person.open_document(document_id)
    await owner.context.request.patch(
        f"{owner.url}/api/v1/documents/{document_id}", data={"access": "viewer"}, headers={"Origin": owner.url}
    )
    await expect(person.page.get_by_text("View only")).to_be_visible()
    await _is_clean(person)
    await owner.context.request.patch(
        f"{owner.url}/api/v1/documents/{document_id}", data={"access": "restricted"}, headers={"Origin": owner.url}
    )
    await expect(person.page.get_by_label("Your copy of the text")).to_be_visible()
    await _is_clean(person)
