"""What Markdown may turn into, and what it must never turn into."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from coscribe.services.highlighting import MOST_CHARACTERS
from coscribe.services.rendering import MARKDOWN_MOST, rendered

BS = "\\"
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)></style></mglyph></table></mtext></math>",
    '<iframe src="javascript:alert(1)"></iframe>',
    "<iframe srcdoc='<script>alert(1)</script>'>",
    '<object data="javascript:alert(1)">',
    '<embed src="data:text/html,<script>alert(1)</script>">',
    "<style>@import 'https://evil.example/x.css';</style>",
    '<link rel=stylesheet href="https://evil.example/x.css">',
    '<base href="https://evil.example/">',
    '<meta http-equiv=refresh content="0;url=javascript:alert(1)">',
    '<form action="https://evil.example"><button>go</button></form>',
    "<details open ontoggle=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<body onload=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?php echo '<script>alert(1)</script>' ?>",
    "<p style='background:url(javascript:alert(1))'>x</p>",
    "<template><script>alert(1)</script></template>",
    "<input autofocus onfocus=alert(1)>",
    "<x onclick=alert(1) tabindex=1>x</x>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](java&NewLine;script:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](<java\tscript:alert(1)>)",
    "[x](vbscript:msgbox(1))",
    "[x](livescript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](data:image/svg+xml,<svg onload=alert(1)>)",
    "[x](data:image/png;base64,AAAA)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://evil.example/1)",
    "[x](view-source:https://evil.example)",
    "[x](intent://evil#Intent;scheme=http;end)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](/api/v1/me)",
    '![x" onerror="alert(1)](https://evil.example/x.png)',
    '![x](https://evil.example/x.png "t" onerror="alert(1)")',
    "![x](https://evil.example/\"onerror=\"alert(1))",
    "[x](https://evil.example \"t' onmouseover='alert(1)\")",
    '[x](https://evil.example/"onmouseover="alert(1))',
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x]: <java\tscript:alert(1)>\n\n[x]",
    "javascript:alert(1) //www.example.com",
    "http://www.example.com/\"><script>alert(1)</script>",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "``` javascript onload=alert(1)\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "    <script>alert(1)</script>",
    "[^\"><script>alert(1)</script>]\n\n[^\"><script>alert(1)</script>]: x",
    "^[<script>alert(1)</script>]",
    "[^x]\n\n[^x]: [y](javascript:alert(1))",
    "| <script>alert(1)</script> |\n|---|\n| <img src=x onerror=alert(1)> |",
    "- [ ] <img src=x onerror=alert(1)>",
    "- [x](javascript:alert(1))",
    "# <script>alert(1)</script> {#title onclick=alert(1)}",
    f"{BS}<script>alert(1){BS}</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;",
    "\u0000<script>alert(1)</script>",
    "<scr\u0000ipt>alert(1)</scr\u0000ipt>",
    "＜script＞alert(1)＜/script＞",
    "<a id=title name=text href=x>clobber</a>",
]  # fmt: skip

MAY_STAND = {
    "a": {"href", "title", "id", "class", "rel"},
    "img": {"src", "alt", "title", "loading", "decoding"},
    "input": {"checked", "disabled", "type", "class"},
    "li": {"id", "class"},
    "ol": {"start", "class"},
    "pre": {"tabindex"},
    "td": {"align"},
    "th": {"align"},
}
TAGS = set(
    """
    a blockquote br code em h1 h2 h3 h4 h5 h6 hr img input label li ol p pre s section span strong sup table
    tbody td th thead tr ul
    """.split()  # noqa: SIM905 - easier to read than a list of 33 strings
)


class Elements(HTMLParser):
    """Every element of a fragment with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.append(("!--", {}))

    def handle_decl(self, decl: str) -> None:
        self.found.append(("!", {}))


def assert_harmless(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert tag in TAGS, html
        assert set(attributes) <= MAY_STAND.get(tag, {"class"}), html
        assert "id" not in attributes or str(attributes["id"]).startswith("fn"), html
        href = str(attributes.get("href") or "https:").lower()
        assert ":" not in href.split("/")[0].split("#")[0] or href.startswith(("http:", "https:", "mailto:")), html
        source = str(attributes.get("src") or "https:")
        assert source.startswith(("http:", "https:", "data:image/png", "data:image/gif")), html


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_is_harmless(text: str) -> None:
    assert_harmless(rendered(text))


@seed(20261123)
@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*HOSTILE, "\n", "\n\n", "> ", "- ", "*", "`", "```", "[", "](", ")", "|", "<", ">"])))
def test_hostile_pieces_in_any_order_are_harmless(pieces: list[str]) -> None:
    assert_harmless(rendered("".join(pieces)))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless_in_a_text_that_is_too_large_for_markdown(text: str) -> None:
    html = rendered(text + "\n\n" + "x" * MARKDOWN_MOST)
    assert {tag for tag, _ in Elements(html).found} <= {"p", "br"}


def test_tables_keep_their_alignment_without_inline_styles() -> None:
    html = rendered("| a | b | c |\n|:--|:-:|--:|\n| 1 | 2 | 3 |")
    assert '<th align="left">a</th>' in html
    assert '<td align="center">2</td>' in html
    assert '<td align="right">3</td>' in html
    assert "style" not in html


def test_task_lists_become_labelled_boxes_that_cannot_be_changed() -> None:
    boxes = [attributes for tag, attributes in Elements(rendered("- [ ] one\n- [x] two")).found if tag == "input"]
    assert [("checked" in box, "disabled" in box, box["type"]) for box in boxes] == [
        (False, True, "checkbox"),
        (True, True, "checkbox"),
    ]
    assert "<label>" in rendered("- [ ] one")


def test_footnotes_point_there_and_back() -> None:
    html = rendered("Text[^1].\n\n[^1]: The note.")
    assert '<a href="#fn1" id="fnref1"' in html
    assert '<li id="fn1" class="footnote-item">' in html
    assert '<a href="#fnref1" class="footnote-backref"' in html


def test_strikethrough_and_bare_links() -> None:
    assert "<s>gone</s>" in rendered("~~gone~~")
    assert '<a href="http://www.example.org" ' in rendered("see www.example.org")
    assert '<a href="https://example.org/a?b=1&amp;c=2" ' in rendered("https://example.org/a?b=1&c=2")


def test_every_link_is_cut_off_from_the_page_it_was_opened_from() -> None:
    assert 'rel="noopener noreferrer nofollow ugc"' in rendered("[x](https://example.org)")


def test_code_is_coloured_by_class_names() -> None:
    html = rendered('```python\ndef f():\n    return "<b>"\n```')
    assert '<span class="hljs-keyword">def</span>' in html
    assert '<span class="hljs-title">f</span>' in html
    assert "&lt;b&gt;" in html


def test_code_of_an_unknown_language_stays_as_it_is() -> None:
    assert rendered("```nonsense\na < b\n```") == '<pre tabindex="0"><code>a &lt; b\n</code></pre>\n'


def test_code_is_coloured_only_while_the_budget_lasts() -> None:
    block = "```python\n" + "x = 1\n" * 2500 + "```\n"
    html = rendered(block * 8)
    coloured = sum("hljs-number" in part for part in html.split("<pre")[1:])
    assert coloured == MOST_CHARACTERS // (6 * 2500)


def test_blocks_stand_side_by_side() -> None:
    assert rendered("# a\n\nb\n\n- c").splitlines() == [
        "<h1>a</h1>",
        "<p>b</p>",
        "<ul>",
        "<li>c</li>",
        "</ul>",
    ]


def test_a_text_that_is_too_large_becomes_plain_paragraphs() -> None:
    html = rendered("# a\nb & c\n\n\n" + "x" * MARKDOWN_MOST)
    assert html.startswith("<p># a<br>\nb &amp; c</p>\n<p>xxx")


@pytest.mark.parametrize(
    "text",
    [part * 15_000 for part in ("[", "*a ", ">", "[a](", "`", "![[", "http://")],
    ids=["brackets", "emphasis", "quotes", "links", "ticks", "images", "addresses"],
)
def test_no_text_takes_quadratic_time(text: str) -> None:
    started = time.process_time()
    assert_harmless(rendered(text))
    # Measured 0.0 to 0.7 s on one slow core; the quadratic form of any of these takes minutes.
    assert time.process_time() - started < 10


def test_deep_nesting_ends() -> None:
    assert_harmless(rendered("".join("  " * depth + "- a\n" for depth in range(400))))
