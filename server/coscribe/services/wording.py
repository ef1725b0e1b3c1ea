"""What people type into one-line fields (names, titles), made safe to show beside other people's words.

Control, bidirectional and zero-width characters go: a name that turns its neighbours around or looks empty is an attack
(Unicode TR36, "Unicode Security Considerations").
"""

from __future__ import annotations

import unicodedata

from coscribe.errors import InvalidInput

# Cc control, Cf format (bidi overrides, zero-width, tags), Cs surrogates, Co private use, Cn unassigned.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Letters and marks that show nothing: combining grapheme joiner, Hangul fillers, Khmer inherent vowels, Braille blank.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


def one_line(text: str) -> str:
    """`text` in NFC without invisible characters, every run of white space made one space, none at the ends."""
    spaced = "".join(" " if _is_space(character) else character for character in text)
    shown = "".join(character for character in spaced if not _is_invisible(character))
    return " ".join(unicodedata.normalize("NFC", shown).split())


def require_line(text: str, *, field: str, most: int) -> str:
    """`one_line` of 1 to `most` characters; raises InvalidInput naming `field`."""
    line = one_line(text)
    if not line:
        raise InvalidInput(f"The {field} may not be empty.", field=field)
    if len(line) > most:
        raise InvalidInput(f"The {field} may have at most {most} characters.", field=field)
    return line


def _is_space(character: str) -> bool:
    return character.isspace()  # includes TAB, LF, CR, NEL, U+2028 and the no-break spaces


def _is_invisible(character: str) -> bool:
    return character in _BLANK or unicodedata.category(character) in _REFUSED_CATEGORIES
