"""Everybody in a room: what all of them are told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from coscribe.core.intake import Accepted
from coscribe.core.joining import joined
from coscribe.core.protocol import encode_update
from coscribe.core.replica import merged
from coscribe.core.session import Session
from coscribe.core.update import Span
from coscribe.errors import Malformed, UpdateRefused

# Joining takes 4 us a struct, of which this holds some hundreds; what is larger is told as it came.
_MOST_JOINED = 8192


class Deliveries:
    """How many frames with updates sessions were given, one for each recipient; all documents of a process share it."""

    __slots__ = ("frames",)

    def __init__(self) -> None:
        self.frames = 0


class Audience:
    """The sessions of one document, by id."""

    def __init__(self, deliveries: Deliveries | None = None) -> None:
        self.sessions: dict[str, Session] = {}
        self._deliveries = deliveries or Deliveries()
        # Sessions that are sent their own updates back once they are saved: nobody asks for each letter otherwise.
        self.echoing = 0

    def deliver(self, item: Accepted) -> None:
        """Give what was applied to everybody but its author."""
        self._deliver(encode_update(item.update), item.scan.structs, item.session_id)

    def deliver_together(self, accepted: Sequence[Accepted]) -> None:
        """Give what one transaction took in to everybody, as one update (rule P17). Raises EngineFailed.

        Its authors get it too where they are several: leaving his part out for each would be as many frames as people.
        """
        if len(accepted) == 1 or self._are_echoed(accepted):
            for item in accepted:
                self.deliver(item)
            return
        first: dict[int, Span] = {}
        count = 0
        for item in accepted:
            for span in item.scan.structs:
                count += 1
                if span.client not in first or span.start < first[span.client].start:
                    first[span.client] = span
        author = accepted[0].session_id
        if any(item.session_id != author for item in accepted):
            author = ""
        together = merged([item.update for item in accepted])
        if count > len(first) and len(together) <= _MOST_JOINED:  # some may go on where others end
            # The engine spells values of formatting anew, and longer than the gate lets them be.
            with suppress(Malformed, UpdateRefused):
                together = joined(together, even_small=True)
        self._deliver(encode_update(together), tuple(first.values()), author)

    def _deliver(self, frame: bytes, spans: Sequence[Span], author: str) -> None:
        """Give everybody but its author an update; they are counted together, and not each on its way."""
        sessions = self.sessions
        self._deliveries.frames += len(sessions) - (author in sessions)
        for session in sessions.values():
            if session.id != author:
                session.outbox.share(frame, spans)

    def _are_echoed(self, accepted: Sequence[Accepted]) -> bool:
        """Whether an author takes what comes back to him for saved: it must not come before it is."""
        if not self.echoing:
            return False
        authors = [self.sessions.get(item.session_id) for item in accepted]
        return any(author is not None and author.echoes is not None for author in authors)

    def keep_echoes(self, accepted: Sequence[Accepted], last: int) -> None:
        """Keep updates, the last of which has the ticket `last`, for those of their authors who want them back."""
        for ticket, item in enumerate(accepted, start=last - len(accepted) + 1):
            author = self.sessions.get(item.session_id)
            if author is not None and author.echoes is not None:
                author.echoes.append((ticket, encode_update(item.update)))

    def share(self, frame: bytes) -> None:
        """Tell everybody something that may be dropped on a slow line."""
        for session in self.sessions.values():
            session.outbox.share(frame)

    def push(self, frame: bytes, *, ours_only: bool = False) -> None:
        """Tell everybody, or our own clients, something that is not dropped."""
        for session in self.sessions.values():
            if session.is_ours or not ours_only:
                session.outbox.push(frame)

    def notify(self, kind: str, reason: str, **more: object) -> None:
        """Tell all our own clients something beside the document."""
        for session in self.sessions.values():
            session.notify(kind, reason, **more)
