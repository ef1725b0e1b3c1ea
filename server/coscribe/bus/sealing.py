"""Seals for messages on a bus that others may write to: who reads or writes Redis edits no document (threat 61).

A message is the HMAC-SHA256 of topic and body, and the body: a byte for the version, number and milliseconds since 1970
in eight bytes each, a byte for the length of the sender's name, the name, the payload. Numbers of one sender rise, so
that nothing counts twice, and what is old does not count at all.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from struct import Struct

from coscribe.errors import Malformed

_VERSION = 1
_SEAL_BYTES = 32
_HEAD = Struct("!BQQB")
# By how much the clocks of two servers may differ, with all that a message waits on its way.
_LATE_MS = 60_000
# Senders whose last number is remembered: a server that starts has a new name.
_REMEMBERED = 1024


class Refused(Malformed):
    """A message that no server of ours sent, or sent for this: `reason` is a word for what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"A message of the bus was refused: {reason}.")
        self.reason = reason


class Seal:
    """Seals one server's messages and opens those of the others that have the same secret."""

    def __init__(self, secret: str, sender: str, clock_ms: Callable[[], int]) -> None:
        self._key = hmac.digest(secret.encode(), b"coscribe bus", sha256)
        self.sender = sender
        self._clock_ms = clock_ms
        self._number = 0
        self._heard: dict[str, int] = {}

    def put(self, topic: str, payload: bytes) -> bytes:
        """A sealed message."""
        self._number += 1
        name = self.sender.encode()
        body = _HEAD.pack(_VERSION, self._number, self._clock_ms(), len(name)) + name + payload
        return self._mac(topic, body) + body

    def open(self, topic: str, message: bytes) -> tuple[str, bytes]:
        """Who sent a message, and its payload. Raises Refused."""
        seal, body = message[:_SEAL_BYTES], message[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._mac(topic, body)):
            raise Refused("forged")
        if len(body) < _HEAD.size:
            raise Refused("malformed")
        version, number, sent_ms, length = _HEAD.unpack_from(body)
        start = _HEAD.size + length
        sender = body[_HEAD.size : start].decode("utf-8", "replace")
        if version != _VERSION:
            raise Refused("version")
        if abs(self._clock_ms() - sent_ms) > _LATE_MS:
            raise Refused("late")
        if number <= self._heard.get(sender, 0):
            raise Refused("replayed")
        self._note(sender, number)
        return sender, body[start:]

    def _note(self, sender: str, number: int) -> None:
        self._heard.pop(sender, None)
        self._heard[sender] = number
        if len(self._heard) > _REMEMBERED:
            del self._heard[next(iter(self._heard))]

    def _mac(self, topic: str, body: bytes) -> bytes:
        return hmac.digest(self._key, topic.encode() + b"\0" + body, sha256)
