"""The simulator's ledger: words that were typed and words that were shown as saved; nothing cuts into a word."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from coscribe.core.update import Span, scan
from coscribe.model import Principal

WORD = re.compile(r"<\d+>")


@dataclass
class Words:
    """Every word is typed once, by one author, and never deleted; what stands between words is noise."""

    authors: dict[str, Principal] = field(default_factory=dict)
    # Whose each CRDT client id is.
    hands: dict[int, str] = field(default_factory=dict)
    acked: set[str] = field(default_factory=set)
    # The clocks of each that a person has typed.
    places: dict[str, Span] = field(default_factory=dict)
    # Refused, and with their author's own copy: they need not be in the text.
    shelved: set[str] = field(default_factory=set)

    def next(self, author: Principal) -> str:
        """A word that nobody has typed yet."""
        word = f"<{len(self.authors)}>"
        self.authors[word] = author
        return word

    def check(self, text: str) -> None:
        """I1 acked words are there, I3 none is there twice, I4 all are somebody's; what nobody refused is there too."""
        found = Counter(WORD.findall(text))
        lost = self.acked - found.keys()
        twice = [word for word, count in found.items() if count > 1]
        missing = self.authors.keys() - found.keys() - self.shelved
        assert not lost, f"I1: acked and lost: {sorted(lost)}"
        assert not twice, f"I3: applied twice: {twice}"
        assert found.keys() <= self.authors.keys(), "I4: foreign words"
        assert not missing, f"typed, not refused, and lost: {sorted(missing)}"

    def check_stored(self, payloads: Sequence[bytes]) -> None:
        """I1 for the log alone: who was told one of two histories may type into what is a word in the other.

        Or delete in it, as long as its author has not been acked: that he then stores himself.
        """
        stored = b"".join(payloads)
        deleted = [span for payload in payloads for span in scan(payload).deletes]
        lost = [word for word in self.acked if word.encode() not in stored and not self._is_hit(word, deleted)]
        assert not lost, f"I1: acked and lost: {sorted(lost)}"

    def _is_hit(self, word: str, deleted: Sequence[Span]) -> bool:
        place = self.places.get(word)
        return place is not None and any(
            span.client == place.client and span.start < place.end and place.start < span.end for span in deleted
        )


def a_place(rng: random.Random, text: str) -> int:
    """A place between words."""
    at = rng.randrange(len(text) + 1)
    for word in WORD.finditer(text):
        if word.start() < at < word.end():
            return rng.choice((word.start(), word.end()))
    return at


def some_noise(rng: random.Random, text: str) -> tuple[int, int]:
    """A short range that touches no word; it may be empty."""
    start = a_place(rng, text)
    word = WORD.search(text, start)
    stop = min(start + rng.randrange(6), word.start() if word else len(text))
    return start, stop


def utf8(text: str, at: int) -> int:
    """The place in UTF-8 bytes, as the engine counts."""
    return len(text[:at].encode())
