"""What one event stream or one long poll reads: the frames of one session, or of several of the same browser.

Over HTTP/1.1 a browser opens six connections to a server, and each window's stream would take one.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from coscribe.api.http_session import HttpSession
from coscribe.api.writing import WRITE_BYTES
from coscribe.core.lib0 import write_bytes, write_uint
from coscribe.core.protocol import encode_closing
from coscribe.model import Carrier
from coscribe.rooms.feed_reader import FeedEvent

# A session that is asked for and is there no more is told so among the others.
_UNKNOWN = encode_closing(1001, "The session has ended.")


@dataclass(frozen=True, slots=True)
class Part:
    """One session of a reader's, None where there is none; the frames up to the number `after` were heard."""

    session: HttpSession | None
    after: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One frame: of which part, with which number."""

    part: int
    number: int
    frame: bytes

    @property
    def event(self) -> FeedEvent:
        """As an event of a stream."""
        return FeedEvent("frame", f"{self.part}.{self.number}", b64encode(self.frame).decode())

    @property
    def encoded(self) -> bytes:
        """As a piece of a poll's answer."""
        return write_uint(self.part) + write_bytes(self.frame)


def _nobody() -> None:
    """Nobody takes the frames yet."""


class FrameReader:
    """Reads several sessions at once: first what was sent before and not heard, then what comes.

    `wake` is called when there is something to take, or nothing more will come. `carrier` is what it is itself.
    """

    def __init__(self, parts: Sequence[Part], carrier: Carrier) -> None:
        self.carrier = carrier
        self.wake: Callable[[], None] = _nobody
        self._again = [sent for number, part in enumerate(parts) for sent in _unheard(number, part)]
        self._parts = {number: part.session for number, part in enumerate(parts) if part.session is not None}
        for session in self._parts.values():
            session.attach(self)

    def woken(self) -> None:
        """A session has something."""
        self.wake()

    def displaced(self, session: HttpSession) -> None:
        """A session has another reader."""
        self._parts = {number: each for number, each in self._parts.items() if each is not session}
        self.wake()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return not (self._parts or self._again)

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._again) or any(session.is_waiting for session in self._parts.values())

    def next(self, most_bytes: int = WRITE_BYTES) -> list[Sent]:
        """The next frames: about so many bytes of each session."""
        sent, self._again = self._again, []
        for number, session in tuple(self._parts.items()):
            sent += [Sent(number, at, frame) for at, frame in session.take(most_bytes)]
            if session.is_over:
                del self._parts[number]
                session.detach(self)
        if self.is_closed:
            self.wake()
        return sent

    def take(self, most_bytes: int) -> list[FeedEvent]:
        """The same as events."""
        return [sent.event for sent in self.next(most_bytes)]

    def leave(self) -> None:
        """Stop reading."""
        self.wake = _nobody
        for session in self._parts.values():
            session.detach(self)

    async def wait(self, within_s: float) -> None:
        """Wait for something to take, or for the end of all."""
        if self.is_waiting or self.is_closed:
            return
        woken = asyncio.Event()
        self.wake = woken.set
        try:
            async with asyncio.timeout(within_s):
                await woken.wait()
        except TimeoutError:
            pass
        finally:
            self.wake = _nobody


def _unheard(number: int, part: Part) -> Iterator[Sent]:
    if part.session is None:
        yield Sent(number, part.after + 1, _UNKNOWN)
    else:
        for at, frame in part.session.again():
            yield Sent(number, at, frame)
