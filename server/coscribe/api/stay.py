"""Somebody's stay in a document's room, by whatever carrier: his place, the room that he holds, his session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from coscribe.api.access_log import tell_socket
from coscribe.api.gates import Place
from coscribe.api.pace import Pace
from coscribe.core.outbox import Outbox
from coscribe.core.session import Session
from coscribe.model import new_id
from coscribe.rooms.held import Held
from coscribe.rooms.room import Room
from coscribe.services.access import Caller

if TYPE_CHECKING:  # it holds the sessions that hold a stay
    from coscribe.api.wiring import Wiring


class Stay:
    """What is held from coming in until `leave`. `pace` is how fast what the session sends is taken."""

    __slots__ = ("_began_at", "_client", "_held", "_place", "_wiring", "pace", "session")

    def __init__(self, wiring: Wiring, connection: HTTPConnection, caller: Caller) -> None:
        self._wiring = wiring
        self._place: Place = wiring.gates.socket(connection, caller)
        self._client = connection.client.host if connection.client else None
        self._began_at = time.monotonic()
        self._held: Held
        self.pace = Pace(wiring.rates, wiring.gates.messages(connection, caller), wiring.watch)
        self.session: Session

    @property
    def room(self) -> Room:
        """The room."""
        return self._held.room

    async def begin(self, document_id: str, caller: Caller, kind: type[Session]) -> None:
        """Come in. Raises NotFound, InTrash and Unavailable; then nothing is held any more."""
        wiring = self._wiring
        try:
            changes = wiring.access.changes
            # What may not be entered does not exist (docs/protocol.md: 4403 is for access that was lost).
            document, role = await wiring.access.enter(document_id, caller)
            self._held = await wiring.registry.acquire(document)
        except BaseException:  # a connection that is cut meanwhile cancels this
            self._place.leave()
            raise
        outbox = Outbox(wiring.settings.max_outbox_bytes, buffers=wiring.buffers)
        link_id = caller.link.id if caller.link is not None else None
        self.session = kind(new_id(), caller.actor, role, outbox, link_id, refused=wiring.count_refusal)
        try:
            wiring.gates.require_place(len(self.room.sessions))
            self.room.sessions.join(self.session)
            # What was taken away meanwhile met no session: ask again now that there is one.
            if wiring.access.changes != changes:
                _, role = await wiring.access.enter(document_id, caller)
                self.room.sessions.set_role(self.session, role)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give everything back."""
        self._place.leave()
        self._wiring.registry.release(self._held)
        self.session.outbox.end()
        self.room.sessions.leave(self.session)

    def tell_end(self, carrier: str, code: int) -> None:
        """Write down that it has ended, with its close code."""
        tell_socket(f"/{carrier}/{self.room.document_id}", code, self._began_at, self._client)


async def come_in(
    wiring: Wiring, connection: HTTPConnection, document_id: str, caller: Caller, kind: type[Session] = Session
) -> Stay:
    """Begin a stay, with a session of this kind. Raises NotFound, InTrash and Unavailable."""
    stay = Stay(wiring, connection, caller)
    await stay.begin(document_id, caller, kind)
    return stay
