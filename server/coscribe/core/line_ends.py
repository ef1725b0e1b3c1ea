"""Line ends that are none here: the splices that make LF of CR LF and CR (rule D12)."""

from __future__ import annotations

import re

from coscribe.core.splices import Splice

# So many are mended each for itself; 60,000 of them took 0.3 s.
_FEW = 100
# Beyond, stretches with a line end every 200 characters or sooner are written anew.
_STRETCH = re.compile(r"\r\n?(?:[^\r]{0,200}\r\n?){0,1000}")
# Of CR LF the CR alone goes: what people wrote stays theirs where it can.
_ONE = re.compile(r"\r")
# Characters that one call rewrites, about 10 ms.
_MOST = 256 * 1024


def line_ends(text: str) -> list[Splice]:
    """Splices for the first of a text's wrong line ends; all of them unless that is much."""
    count = text.count("\r")
    if not count:
        return []
    splices: list[Splice] = []
    rewritten = 0
    for match in (_ONE if count <= _FEW else _STRETCH).finditer(text):
        stretch = match[0]
        splices.append(Splice(match.start(), len(stretch), _mended(stretch, text[match.end() : match.end() + 1])))
        rewritten += len(stretch)
        if rewritten > _MOST or len(splices) == _FEW:
            break
    return splices


def _mended(stretch: str, following: str) -> str:
    if stretch == "\r" and following == "\n":
        return ""
    return stretch.replace("\r\n", "\n").replace("\r", "\n")
