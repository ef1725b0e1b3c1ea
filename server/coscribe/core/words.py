"""The words of a text, as documents are searched by them."""

from __future__ import annotations

import re
import unicodedata

# So much of a text is searched. 50,000 code points take 2 ms, and 6 where each second one is a word of its own.
WORDED = 50_000
# What is stored of one text, encoded.
MOST_BYTES = 64 * 1024

# To `re` a combining mark is no part of a word, and words of India's scripts would fall apart at every vowel sign.
# Those of the scripts that have them; the selectors of emoji lie behind, and are none.
_MARKS = "".join(mark for mark in map(chr, range(0x300, 0x2000)) if unicodedata.category(mark)[0] == "M")
# A longer word is several, in the text and in the question alike.
_WORD = re.compile(rf"\w[\w{_MARKS}]{{0,63}}")


def words_of(text: str) -> list[str]:
    """The distinct words, folded, in order of first use; each has at most 64 code points.

    Folded as titles are for their search. A word is letters, digits, underscores and their marks. Scripts that put no
    spaces between words have one word from one punctuation mark to the next.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return list(dict.fromkeys(_WORD.findall(folded)))


def listed_words(head: str) -> str:
    """The words of a text whose first WORDED code points are `head`, for storing: a space in front of and behind each.

    The last ones are left out where all of them would take more than MOST_BYTES in UTF-8.
    """
    listed = f" {' '.join(words_of(head))} ".encode()[:MOST_BYTES]
    return listed[: listed.rindex(b" ") + 1].decode()
