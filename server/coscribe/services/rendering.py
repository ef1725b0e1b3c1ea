"""Markdown -> HTML that may stand in our pages: no raw HTML in, an allow-list out.

Two walls stand behind each other: the parser treats HTML as text, and nh3 keeps only what the lists below
name. The CSP of the page is the third. The classes are those of highlight.js, so that one style sheet serves
the browser's reading view and this one.
"""

from __future__ import annotations

import re
import threading
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

from coscribe.services.highlighting import CLASSES, MOST_CHARACTERS, highlighted, names

# Parsing a million characters takes about a second of CPU that people who type would wait for.
MARKDOWN_MOST = 1_000_000

_TAGS = set(
    names(
        """
        a blockquote br code em h1 h2 h3 h4 h5 h6 hr img input label li ol p pre s section span strong sup
        table tbody td th thead tr ul
        """
    )
)
_ATTRIBUTES: dict[str, set[str]] = {
    "a": {"href", "title", "id"},
    "img": {"src", "alt", "title"},
    "input": {"checked", "disabled"},
    "li": {"id"},
    "ol": {"start"},
}
_SIDES = {"left", "center", "right"}
_VALUES = {"input": {"type": {"checkbox"}}, "td": {"align": _SIDES}, "th": {"align": _SIDES}}
# A code block that scrolls must be reachable by keyboard.
_SET = {"pre": {"tabindex": "0"}, "img": {"loading": "lazy", "decoding": "async"}}
_CLASSES = {
    "a": {"footnote-backref"},
    "hr": {"footnotes-sep"},
    "input": {"task-list-item-checkbox"},
    "li": {"footnote-item", "task-list-item"},
    "ol": {"contains-task-list", "footnotes-list"},
    "section": {"footnotes"},
    "span": CLASSES,
    "sup": {"footnote-ref"},
    "ul": {"contains-task-list"},
}
_FOOTNOTE_ID = re.compile(r"fn(ref)?[0-9]+(:[0-9]+)?")
_PICTURE = re.compile(r"https?://|data:image/(gif|png|jpeg|webp);base64,", re.IGNORECASE)
# A known scheme or none: what stands before the first of / ? # holds no colon.
_LINK = re.compile(r"https?:|mailto:|[^:/?#]*([/?#]|$)", re.IGNORECASE)
_PARAGRAPHS = re.compile(r"\n{2,}")


def rendered(text: str) -> str:
    """The HTML of a Markdown text (CommonMark with tables, strikethrough, task lists, footnotes, bare links).

    Blocks stand side by side without a wrapper. More than `MARKDOWN_MOST` characters become plain paragraphs.
    """
    if len(text) > MARKDOWN_MOST:
        return _plain(text)
    html: str = _parser().render(text, {"colours_left": MOST_CHARACTERS})
    return _cleaner().clean(html)


def _plain(text: str) -> str:
    """Escaped paragraphs, parted by empty lines."""
    parts = (part.strip("\n") for part in _PARAGRAPHS.split(escape(text, quote=False)))
    return "\n".join("<p>" + part.replace("\n", "<br>\n") + "</p>" for part in parts if part.strip())


def _parser() -> MarkdownIt:
    """This thread's parser: linkify keeps state between two calls, so that threads must not share one."""
    parser: MarkdownIt | None = getattr(_of_thread, "parser", None)
    if parser is None:
        parser = _of_thread.parser = _new_parser()
    return parser


_of_thread = threading.local()


def _new_parser() -> MarkdownIt:
    # The preset's nesting limit of 20 bounds the recursion.
    parser = MarkdownIt("gfm-like", {"html": False})
    parser.use(footnote_plugin).use(tasklists_plugin, label=True)
    parser.core.ruler.push("align", _align)
    parser.add_render_rule("fence", _fence)
    return parser


def _align(state: StateCore) -> None:
    """Columns are aligned by attribute: the CSP refuses the parser's inline styles."""
    for token in state.tokens:
        if token.type in ("th_open", "td_open") and "style" in token.attrs:
            token.attrs["align"] = str(token.attrs.pop("style")).removeprefix("text-align:")


def _fence(
    _renderer: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    _options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """A fenced block, coloured while the document's budget lasts."""
    code = tokens[index].content
    language = tokens[index].info.strip().split(maxsplit=1)[:1]
    html = None
    if language and len(code) <= env["colours_left"]:
        html = highlighted(code, language[0])
    if html is None:
        html = escape(code, quote=False)
    else:
        env["colours_left"] -= len(code)
    return f"<pre><code>{html}</code></pre>\n"


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Ids only as footnotes use them (others could shadow the page's), pictures from the web or inline."""
    if name == "id":
        return value if _FOOTNOTE_ID.fullmatch(value) else None
    if (tag, name) == ("img", "src"):
        return value if _PICTURE.match(value) else None
    if (tag, name) == ("a", "href"):
        return value if _LINK.match(value) else None
    return value


@lru_cache(maxsize=1)
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        tag_attribute_values=_VALUES,
        set_tag_attribute_values=_SET,
        allowed_classes=_CLASSES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow ugc",
    )
