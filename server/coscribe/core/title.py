"""The title that a text gives itself: its first heading, else its first line with words in it."""

from __future__ import annotations

import re
import unicodedata

MAX_TITLE = 200
# A title stands at the top; a heading a page further down names a chapter.
SEARCHED = 4000

# No two neighbours here can match the same characters: such a pattern takes cubic time (minutes for 4,000 spaces).
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_CLOSING = re.compile(r"(?:^|[ \t])#+$")
_MARKS = re.compile(r"[*_`~]+|!?\[([^\[\]]*)\]\([^()]*\)")


def title_of(head: str) -> str:
    """The title of a text whose first SEARCHED code points are `head`; empty when it has none."""
    heading = _HEADING.search(head)
    if heading is not None and (title := _plain(_CLOSING.sub("", heading.group(1).rstrip()))):
        return title
    for line in head.splitlines():
        if title := _plain(line.lstrip(" \t#>-+*")):
            return title
    return ""


def _plain(line: str) -> str:
    """Words without Markdown's marks, control and format characters."""
    shown = _MARKS.sub(lambda mark: mark.group(1) or "", line)
    # Nearly every line is printable as it is; a long one took 0.8 ms, each second of typing in each document.
    kept = shown if shown.isprintable() else _printable(shown)
    return " ".join(kept.split())[:MAX_TITLE]


def _printable(text: str) -> str:
    return "".join(" " if char.isspace() else char for char in text if unicodedata.category(char) not in _UNSEEN)


# Control, format (bidi, zero width), surrogate and private use: nothing of it may reach a page's title.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
