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


def depth(value: Any) -> int:
    """How deep a parsed value nests: 0 for a number or a string, 1 for a list of them."""
    level = [value] if isinstance(value, dict | list) else []
    deep = 0
    while level:
        deep += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return deep
