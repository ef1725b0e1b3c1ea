"""The HTML of the pages that the server writes itself: the read page and error pages. Every value is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from coscribe.api.assets import WebBuild
from coscribe.api.problems import kind_of
from coscribe.errors import CoscribeError, NotFound
from coscribe.model import Activity, ActivityKind, Document
from coscribe.services.reading import Rendering

UNTITLED = "Untitled"

# Runs before the first paint, so that a theme set by hand never flashes the other one.
_THEME = (
    "try{var t=localStorage.getItem('coscribe.theme');"
    "if(t==='light'||t==='dark')document.documentElement.dataset.theme=t}"
    "catch(refused){console.warn('This browser keeps no settings for this page.',refused)}"
)
_DID = {
    ActivityKind.CREATED: "made the document",
    ActivityKind.RENAMED: "changed the title",
    ActivityKind.EDITED: "edited",
    ActivityKind.SHARED: "changed who may see it",
    ActivityKind.TRASHED: "moved it to the trash",
    ActivityKind.RESTORED: "took it out of the trash",
}


@dataclass(frozen=True, slots=True)
class ReadPage:
    """What the read page shows. `address` is the page's own path; the document's id appears nowhere."""

    address: str
    document: Document
    rendering: Rendering
    position: str
    people: Sequence[dict[str, Any]]
    activities: Sequence[Activity]


def read_page(page: ReadPage, web: WebBuild, nonce: str) -> str:
    """The read page: complete without JavaScript, kept up to date by its script."""
    document = page.document
    # A title that the text gave is its first line, which stands below in full.
    title_class = "" if document.title_by_hand else ' class="unseen"'
    return _template("read.html").substitute(
        head=_head(web, nonce, web.read_scripts),
        title=escape(document.title or UNTITLED),
        title_class=title_class,
        summary=escape(page.rendering.summary),
        address=escape(page.address),
        people="".join(f"<li>{escape(str(person['name']))}</li>" for person in page.people),
        changed=_iso(document.updated_at),
        changed_words=_words(document.updated_at),
        position=escape(page.position),
        text=page.rendering.html,
        activity="".join(_activity(activity) for activity in page.activities),
    )


def error_page(error: CoscribeError, web: WebBuild, nonce: str) -> str:
    """An error as a page; what does not exist and what is not for this visitor read the same."""
    kind = kind_of(error)
    title, detail = kind.title, str(error)
    if isinstance(error, NotFound):
        # The words of the document page's own ending (web/src/page/document/ended.tsx).
        title = "This document doesn’t exist or you don’t have access"
        detail = "Check the address, or ask whoever sent it to share the document with you."
    return _template("error.html").substitute(
        head=_head(web, nonce, ()), title=escape(title, quote=False), detail=escape(detail, quote=False)
    )


@cache
def _template(name: str) -> Template:
    return Template(files("coscribe.api.templates").joinpath(name).read_text("utf-8"))


def _head(web: WebBuild, nonce: str, scripts: Sequence[str]) -> str:
    """Theme, styles and scripts. The first script is the entry, the others are what it imports."""
    lines = [f'<script nonce="{nonce}">{_THEME}</script>']
    lines += [f'<link rel="stylesheet" href="{escape(style)}">' for style in web.read_styles]
    lines += [f'<link rel="modulepreload" href="{escape(script)}">' for script in scripts[1:]]
    lines += [f'<script type="module" nonce="{nonce}" src="{escape(script)}"></script>' for script in scripts[:1]]
    return "\n    ".join(lines)


def _activity(activity: Activity) -> str:
    at = f'<time datetime="{_iso(activity.at)}">{_words(activity.at)}</time>'
    return f'<li data-id="{activity.id}"><b>{escape(activity.name)}</b> {_DID[activity.kind]} {at}</li>'


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _words(at: datetime) -> str:
    """`23 Nov 2026, 19:05 UTC`; the month's name does not follow the server's locale."""
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - a calendar reads better
    at = at.astimezone(UTC)
    return f"{at.day} {months[at.month - 1]} {at.year}, {at:%H:%M} UTC"
