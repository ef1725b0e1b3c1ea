"""What a document bears: how much text, how many writers, how much that waits for the disk."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from coscribe.core.ownership import Ownership
from coscribe.core.replica import Replica
from coscribe.core.reserve import Reserve
from coscribe.core.tally import Tally
from coscribe.errors import UpdateRefused
from coscribe.model import Principal

# The limit of an update that is turned away for now, and asked for again once there is room.
TURNED_AWAY = "max_unsaved_bytes"
# Every transaction of the engine copies the clocks of all clients: 5 ms for so many.
_MOST_CLIENTS = 50_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a room bears, in bytes; config.Settings has the words. `unsaved` is what all rooms together hold unsaved."""

    document_bytes: int
    unsaved_bytes: int
    update_bytes: int | None = None
    unsaved: Tally | None = None


class Bounds:
    """The limits of one live document, and what they are compared with."""

    __slots__ = ("_limits", "_ownership", "_replica", "_reserve")

    def __init__(self, limits: Limits, replica: Replica, reserve: Reserve, ownership: Ownership) -> None:
        self._limits = limits
        self._replica = replica
        self._reserve = reserve
        self._ownership = ownership

    def check_clients(self, author: Principal, clients: Collection[int], *, is_live: bool) -> None:
        """Whether the author may bring structs of these clients. Raises UpdateRefused."""
        clocks = self._replica.clocks
        if len(clocks) + sum(client not in clocks for client in clients) > _MOST_CLIENTS:
            raise UpdateRefused("Too many different copies have written in this document.", limit="clients")
        if is_live:
            self._ownership.check(author, clients)

    def check_size(self, update: bytes) -> None:
        """Whether an update may be as large as it is. Raises UpdateRefused."""
        most = self._limits.update_bytes
        if most is not None and len(update) > most:
            raise UpdateRefused(f"A single change may have at most {most} bytes.", limit="max_update_bytes")

    def check_room(self, more_bytes: int) -> None:
        """Whether there is room for more text, and for more that is not saved yet. Raises UpdateRefused."""
        if self._reserve.is_full:
            raise UpdateRefused("The server cannot save at the moment.", limit=TURNED_AWAY)
        if more_bytes and not self.has_room(more_bytes):
            raise UpdateRefused("The document is as large as it may get.", limit="max_document_bytes")

    def has_room(self, more_bytes: int) -> bool:
        """Whether `check_room` lets so many bytes pass; every keystroke asks."""
        return not self._reserve.is_full and self._replica.fits(self._limits.document_bytes - more_bytes)
