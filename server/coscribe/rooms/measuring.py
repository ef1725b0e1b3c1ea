"""What rooms tell of their work to whoever measures it: counts, times, and a span around what takes long.

Nothing here is called for a frame. Spans are of no library: where nobody traces, nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from coscribe.rooms.saving import Saved


class Span(Protocol):
    """A piece of work from its beginning to its end. `is_recorded` says whether anything that is noted is kept."""

    @property
    def is_recorded(self) -> bool:
        """Whether what costs something to find out is worth it."""
        ...

    def note(self, **facts: int | str) -> None:
        """Say something of the work: sizes in bytes, counts, ids that the log has too."""
        ...

    def fail(self, reason: str) -> None:
        """The work has failed; an exception that leaves the span says so by itself."""
        ...


class Spans(Protocol):
    """Begins a span of this name, which lasts as long as its `with`."""

    def __call__(self, name: str) -> AbstractContextManager[Span]:
        """Begin."""
        ...


class _Unrecorded:
    """A span where nobody traces."""

    is_recorded = False

    def note(self, **facts: int | str) -> None:
        """Nothing is kept."""

    def fail(self, reason: str) -> None:
        """Nothing is kept."""


_UNRECORDED = nullcontext(_Unrecorded())


def unrecorded(name: str) -> AbstractContextManager[Span]:
    """Spans that nobody records."""
    del name
    return _UNRECORDED


@dataclass(frozen=True, slots=True)
class Measures:
    """Who hears what: `saved` each document's part of a commit, `committed` a commit's documents and its seconds."""

    saved: Callable[[Saved], None] = lambda _: None
    committed: Callable[[int, float], None] = lambda _documents, _seconds: None
    span: Spans = unrecorded
