"""Formatting in an update: a key and a small JSON value."""

from __future__ import annotations

from coscribe.core.lib0 import read_string
from coscribe.core.strict_json import is_deeper, parse
from coscribe.errors import Malformed, UpdateRefused

MAX_JSON_BYTES = 4096
MAX_JSON_DEPTH = 32


def skip_key(data: bytes, pos: int) -> int:
    """The place behind a key."""
    key, pos = read_string(data, pos)
    if len(key) > MAX_JSON_BYTES:
        raise UpdateRefused("A formatting key is too long.", limit="content")
    return pos


def check_json(raw: bytes) -> None:
    """Refuse JSON that is too large, too deep or none."""
    if len(raw) > MAX_JSON_BYTES:
        raise UpdateRefused(f"A formatting value is larger than {MAX_JSON_BYTES} bytes.", limit="content")
    try:
        value = parse(raw.decode())
    except ValueError:
        raise Malformed("a formatting value is no JSON") from None
    if is_deeper(value, MAX_JSON_DEPTH):
        raise UpdateRefused(f"A formatting value is nested more than {MAX_JSON_DEPTH} deep.", limit="content")
