"""JSON from the wire, read as strictly as the strictest peer does.

Python's parser also takes NaN, infinities, lone surrogates and byte order marks; a browser or the CRDT engine that
meets one of them raises, and with it everything that stands in the same message is lost.
"""

from __future__ import annotations

import json
from typing import Any


def parse(raw: str) -> Any:
    """Parse one JSON value. Raises ValueError for what is none, or what JSON in UTF-8 could not say again."""
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
        # 1e999 reads as infinity and an escape can hold half a surrogate pair: neither can be written.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("the value is nested too deep to be read") from None
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def is_deeper(value: Any, most: int) -> bool:
    """Whether a parsed value nests deeper than `most`: 0 for a number or a string, 1 for a list of them."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return False
    if most == 0:
        return True
    # No generator: each caret that is told passes here.
    for inner in value.values() if kind is dict else value:
        kind = type(inner)
        if (kind is dict or kind is list) and is_deeper(inner, most - 1):
            return True
    return False
