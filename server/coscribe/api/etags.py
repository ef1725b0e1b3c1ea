"""Entity tags of texts: `"<generation>.<seq>"`, strong, as a position's text never changes (RFC 9110, 8.8.3)."""

from __future__ import annotations

import re

from coscribe.errors import InvalidInput

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_POSITION = re.compile(r'"(\d{1,15})\.(\d{1,15})"')


def entity_tag(generation: int, seq: int) -> str:
    """The entity tag of the text at a position."""
    return f'"{generation}.{seq}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Whether `If-None-Match` names the tag; compared weakly, as RFC 9110 asks for this header."""
    if if_none_match.strip() == "*":
        return True
    return tag in (found.removeprefix("W/") for found in _TAG.findall(if_none_match))


def positions(if_match: str | None) -> frozenset[tuple[int, int]] | None:
    """The positions, (generation, seq), that `If-Match` allows; None when it allows any.

    Tags that are weak or not ours match nothing (strong comparison). Raises InvalidInput for what is no list of tags.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    tags = [tag.strip() for tag in if_match.split(",")]
    if not all(_TAG.fullmatch(tag) for tag in tags):
        raise InvalidInput('If-Match must be a list of entity tags such as "1.42".', field="If-Match")
    found = (_POSITION.fullmatch(tag) for tag in tags)
    return frozenset((int(match[1]), int(match[2])) for match in found if match)
