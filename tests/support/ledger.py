"""The edit ledger: what people typed and what was shown to them as saved, kept in a file outside the server."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

_WORD = re.compile(r"<[^<>]*>")


class Ledger:
    """A line is in the file, flushed and synced, before the call that writes it returns.

    Words look like `<a17>`, each is typed once and by one author, and the test never deletes one. Lines are
    `typed author word` and `acked author count`, so a ledger can be opened again and goes on where it was.
    """

    def __init__(self, path: Path) -> None:
        self._words: dict[str, list[str]] = {}
        self._acked: dict[str, int] = {}
        self._authors: dict[str, str] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        for line in path.read_text("utf-8").splitlines():
            self._note(*line.split(" "))

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    @property
    def authors(self) -> dict[str, str]:
        """Who typed each word."""
        return self._authors

    @property
    def words(self) -> list[str]:
        """Every word, in the order in which they were typed."""
        return list(self._authors)

    @property
    def saved(self) -> list[str]:
        """Every word that was shown as saved."""
        return [word for author, count in self._acked.items() for word in self._words[author][:count]]

    def count(self, author: str) -> int:
        """How many words an author has typed."""
        return len(self._words.get(author, ()))

    def next_word(self, author: str) -> str:
        """A word that this author has not typed yet."""
        return f"<{author}-{self.count(author)}>"

    def typed(self, author: str, word: str) -> None:
        """Write down a word before it is sent."""
        assert _WORD.fullmatch(word), f"not a word: {word!r}"
        assert " " not in author + word, "blanks separate the ledger's columns"
        assert word not in self._authors, f"typed twice: {word}"
        self._write("typed", author, word)

    def acked(self, author: str, count: int) -> None:
        """Write down that the first `count` words of this author were acked; what was told once stays true."""
        if count > self._acked.get(author, 0):
            assert count <= self.count(author), f"{author} was acked more than was typed"
            self._write("acked", author, str(count))

    def check(self, text: str, saved: Sequence[str] | None = None) -> None:
        """Compare with a text: every acked word is there (I1), none twice (I3), nothing that nobody typed (I4).

        `saved` is what was acked before the text was asked for, where people type meanwhile. Space between words is
        nobody's. Raises AssertionError, which names the words.
        """
        found = set(_WORD.findall(text))
        lost = [word for word in (self.saved if saved is None else saved) if word not in found]
        assert not lost, f"I1: acked and lost: {lost[:20]} ({len(lost)} in all)"
        self.check_words(text)

    def check_words(self, text: str) -> None:
        """I3 and I4 alone, for a text that may be old. Raises AssertionError, which names the words."""
        found = Counter(_WORD.findall(text))
        twice = [word for word, times in found.items() if times > 1]
        foreign = [word for word in found if word not in self._authors] + _WORD.sub(" ", text).split()
        assert not twice, f"I3: applied more than once: {twice[:20]} ({len(twice)} in all)"
        assert not foreign, f"I4: nobody typed: {foreign[:20]} ({len(foreign)} in all)"

    def check_all(self, text: str) -> None:
        """As `check`, and what was not acked is there too: after everybody came back with what they hold."""
        self.check(text)
        found = set(_WORD.findall(text))
        missing = [word for word in self._authors if word not in found]
        assert not missing, f"typed and never sent again: {missing[:20]} ({len(missing)} in all)"

    def _write(self, *columns: str) -> None:
        os.write(self._file, (" ".join(columns) + "\n").encode())
        os.fsync(self._file)
        self._note(*columns)

    def _note(self, kind: str, author: str, what: str) -> None:
        if kind == "typed":
            self._words.setdefault(author, []).append(what)
            self._authors[what] = author
        else:
            self._acked[author] = int(what)
