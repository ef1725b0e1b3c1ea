"""Counting text: code points (Python, the log's texts), UTF-16 units (JavaScript, Yjs), UTF-8 bytes (pycrdt).

Well-formed Unicode only (rule D12). ASCII text counts alike in all three and takes the short way.
"""

from __future__ import annotations

from enum import StrEnum


class Units(StrEnum):
    """What the positions in a request or a feed count."""

    CODE_POINTS = "code-points"
    UTF16 = "utf-16"


def utf16_length(text: str) -> int:
    """The length of `text` in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def utf8_length(text: str) -> int:
    """The length of `text` in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode())


def utf16_to_code_points(text: str, index: int) -> int:
    """The position in code points of the position `index` in UTF-16 units.

    ValueError with a sentence when it lies outside `text` or inside a surrogate pair.
    """
    if index < 0:
        raise ValueError(f"Position {index} is before the start of the text.")
    # No code point takes less than one unit: the first `index` of them hold the position.
    head = text[:index]
    if len(head) == index and head.isascii():
        return index
    units = head.encode("utf-16-le")[: 2 * index]
    if len(units) < 2 * index:
        raise ValueError(f"Position {index} is past the end of the text, which has {utf16_length(text)} units.")
    try:
        return len(units.decode("utf-16-le"))
    except UnicodeDecodeError:
        raise ValueError(f"Position {index} is inside a character that takes two UTF-16 units.") from None
