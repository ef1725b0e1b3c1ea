"""A text is a text: nothing in it runs, in no view, and the policy is never even asked."""

from __future__ import annotations

from playwright.async_api import expect
from tests.e2e.conftest import Visit
from tests.support.browser import IN_BROWSER, Visitor

pytestmark = IN_BROWSER

HOSTILE = """# <img src=x onerror="window.owned=1"> title

<script>window.owned = 2</script>
<img src=x onerror="window.owned=3">
<svg onload="window.owned=4"><animate onbegin="window.owned=4" attributeName=x dur=1s></svg>
<iframe srcdoc="<script>parent.owned=5</script>"></iframe>
<style>body { display: none }</style>
<form action="https://evil.example"><input name=q><button>go</button></form>
<a href="javascript:window.owned=6" id="status">raw</a>
<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example/">

[click](javascript:window.owned=7) [data](data:text/html,<script>window.owned=8</script>)
[vb](vbscript:window.owned=9) [mixed](JaVaScRiPt&#58;window.owned=10) <javascript:window.owned=11>

![pic](javascript:window.owned=12) ![x](x" onerror="window.owned=13)

<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=window.owned=14&gt;">

```html" onmouseover="window.owned=15
<script>window.owned = 16</script>
```

The end.
"""


async def _is_harmless(person: Visitor, place: str) -> None:
    text = person.page.locator(place)
    await expect(text.get_by_text("The end.")).to_be_visible()
    for link in await text.locator("a").all():
        assert not (await link.get_attribute("href") or "#").lower().startswith(("javascript", "vbscript", "data"))
    await expect(text.locator("script, iframe, style, form, svg, base, meta, math")).to_have_count(0)
    handlers = await text.evaluate(
        "text => [...text.querySelectorAll('*')].flatMap(one => one.getAttributeNames()).filter(at => /^on/.test(at))"
    )
    assert handlers == []
    assert await person.page.evaluate("window.owned") is None


async def test_nothing_of_a_hostile_text_runs(visit: Visit) -> None:
    owner, reader = await visit(), await visit()
    document_id = await owner.import_document(HOSTILE)
    await owner.button("Read").click()
    await _is_harmless(owner, "#reading")
    made = await owner.context.request.post(
        f"{owner.url}/api/v1/documents/{document_id}/links", data={"role": "viewer"}, headers={"Origin": owner.url}
    )
    await reader.page.goto((await made.json())["url"])
    await expect(reader.page.locator("#live")).to_have_text("Live")
    await _is_harmless(reader, "main")
    await owner.button("Edit").click()
    await owner.put_caret("The end.")
    await owner.type(" <img src=x onerror=window.owned=20>")
    await expect(reader.page.locator("main")).to_contain_text("onerror=window.owned=20")
    await _is_harmless(reader, "main")


async def test_hostile_names_and_titles_are_only_words(visit: Visit) -> None:
    owner, reader = await visit(), await visit()
    document_id = await owner.import_document("text")
    name = '<img src=x onerror="window.owned=1">'
    await owner.rename(name)
    title = owner.page.get_by_label("Title", exact=True)
    await title.fill('"><script>window.owned=2</script>')
    await owner.press("Enter")
    await expect(owner.page).to_have_title('"><script>window.owned=2</script> - Coscribe')
    await owner.put_caret("text")
    await reader.open_document(document_id)
    await expect(reader.page.get_by_role("button", name=f"Go to {name}")).to_be_visible()
    await expect(reader.page.locator(".cs-caret-flag")).to_have_text(name)
    made = await owner.context.request.post(
        f"{owner.url}/api/v1/documents/{document_id}/links", data={"role": "viewer"}, headers={"Origin": owner.url}
    )
    await reader.page.goto((await made.json())["url"])
    await expect(reader.page).to_have_title('"><script>window.owned=2</script> - Coscribe')
    await expect(reader.page.get_by_role("list", name="Who is here")).to_contain_text(name)
    await owner.open("/")
    await expect(owner.page.locator(".row-title")).to_have_text('"><script>window.owned=2</script>')
    for person in (owner, reader):
        assert await person.page.evaluate("window.owned") is None


async def test_every_page_carries_the_policy(visit: Visit) -> None:
    person = await visit()
    document_id = await person.import_document("text")
    for path in ("/", "/trash", "/recover", "/new", f"/d/{document_id}", "/nothing"):
        answer = await person.context.request.get(person.url + path, headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
