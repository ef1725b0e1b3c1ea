"""What goes wrong in the background, told as events."""

from __future__ import annotations

import asyncio
from typing import Protocol

from coscribe.errors import CoscribeError, cause_of


class Watcher(Protocol):
    """Who hears of what went wrong in the background; the composition root logs it."""

    def __call__(self, event: str, **fields: object) -> None:
        """Tell one event."""
        ...


class Troubles:
    """Tells `watch` of the troubles of those who work for all rooms."""

    def __init__(self, watch: Watcher) -> None:
        self._watch = watch
        # Since when nothing is stored, by the loop's clock; None while all is well.
        self._failing_since: float | None = None

    def recording_failed(self, error: Exception) -> None:
        """Nothing can be committed."""
        self._failing_since = self._failing_since or asyncio.get_running_loop().time()
        self._watch("recording_failed", reason=cause_of(error), exc_info=_unforeseen(error))

    def recording_works(self) -> None:
        """Commits succeed; told where they did not before."""
        if self._failing_since is not None:
            seconds = asyncio.get_running_loop().time() - self._failing_since
            self._failing_since = None
            self._watch("recording_resumed", seconds=round(seconds, 1))

    def damaged(self, document_id: str, reason: str) -> None:
        """Something of a document cannot be read or stored."""
        self._watch("document_damaged", document_id=document_id, reason=reason)

    def snapshot_failed(self, document_id: str, error: Exception) -> None:
        """A document could not be compacted."""
        self._watch("snapshot_failed", document_id=document_id, reason=str(error), exc_info=_unforeseen(error))

    def bell_failed(self, error: Exception) -> None:
        """What other servers told, or where their documents stand, could not be taken in."""
        self._watch("bell_failed", reason=cause_of(error), exc_info=_unforeseen(error))

    def title_failed(self, document_id: str, error: Exception) -> None:
        """A title could not be stored."""
        self._watch("title_failed", document_id=document_id, reason=cause_of(error), exc_info=_unforeseen(error))

    def words_failed(self, document_id: str, error: Exception) -> None:
        """The words of a text could not be stored."""
        self._watch("words_failed", document_id=document_id, reason=cause_of(error), exc_info=_unforeseen(error))


def _unforeseen(error: Exception) -> Exception | None:
    """An error that is worth its traceback in the log; those of our own tree say what there is to say."""
    return None if isinstance(error, CoscribeError) else error
