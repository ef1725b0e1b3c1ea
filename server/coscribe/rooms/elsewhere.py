"""Who is in a document at other servers: their awareness states in this room, and this room's in theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from coscribe.core.awareness import ELSEWHERE, Spoken
from coscribe.core.bells import Elsewhere, Present
from coscribe.core.exchange import Exchange
from coscribe.core.protocol import AwarenessEntry
from coscribe.model import ANYONE, Role

# Whoever has people in a document tells of them every 15 seconds.
_OLD_S = 40.0


class PeopleElsewhere:
    """One room's side; `changed` hears that there is something to be told here."""

    def __init__(self, document_id: str, exchange: Exchange, changed: Callable[[], None]) -> None:
        self._document_id = document_id
        self._exchange = exchange
        self._changed = changed
        # Of sessions at other servers; who is here has a session that knows it.
        self.roles: dict[str, Role] = {}
        # Hears what other servers are to be told; None where there are none.
        self._tell: Callable[[Present], None] | None = None
        # When each of them has told of this document last.
        self._heard_at: dict[str, float] = {}

    def end(self) -> None:
        """Tell them nothing more."""
        self._tell = None

    def tell(self, told: Callable[[Present], None]) -> None:
        """Tell other servers from now on who is here."""
        self._tell = told
        self._exchange.awareness.tell_elsewhere()

    def hear(self, sender: str, present: Present) -> None:
        """Take in who is at another server."""
        awareness = self._exchange.awareness
        named = {f"{ELSEWHERE}{sender}:{one.session_id}": one for one in present.states}
        if present.is_all:
            self._forget(sender, but=named.keys())
        for session_id, one in named.items():
            if one.state == "null":
                self._leave(session_id)
                continue
            entry = AwarenessEntry(one.client, one.clock, one.state)
            awareness.receive(session_id, one.principal, (entry,))
            if awareness.has(session_id):
                self.roles[session_id] = one.role
        self._heard_at[sender] = time.monotonic()
        self._changed()

    def forget_old(self) -> None:
        """Forget those of servers that have not told of this document for long: the word that they left was lost."""
        for sender, heard_at in tuple(self._heard_at.items()):
            if time.monotonic() - heard_at > _OLD_S:
                self.forget(sender)

    def forget(self, sender: str) -> None:
        """A server has gone, with all who were there."""
        self._heard_at.pop(sender, None)
        if self._forget(sender):
            self._changed()

    def _forget(self, sender: str, but: Collection[str] = ()) -> bool:
        start = f"{ELSEWHERE}{sender}:"
        there = [one for one in self._exchange.awareness.elsewhere() if one.startswith(start)]
        gone = [session_id for session_id in there if session_id not in but]
        for session_id in gone:
            self._leave(session_id)
        for session_id in [one for one in self.roles if one.startswith(start) and one not in but]:
            del self.roles[session_id]  # of one whose state was told here by another session
        return bool(gone)

    def _leave(self, session_id: str) -> None:
        self.roles.pop(session_id, None)
        self._exchange.awareness.leave(session_id)

    def go_out(self, *, all_of_them: bool = False) -> None:
        """Tell other servers what has changed since the last time, or all that is."""
        if self._tell is None:
            return
        states = self._exchange.awareness.take_news()
        if all_of_them:
            self._tell(self.all())
        elif states:
            self._tell(self._present(states, is_all=False))

    def all(self) -> Present:
        """Everybody here."""
        return self._present(self._exchange.awareness.here(), is_all=True)

    def _present(self, states: Sequence[Spoken], *, is_all: bool) -> Present:
        told = []
        for client, clock, session_id, principal, state in states:
            session = self._exchange.sessions.get(session_id)
            role = session.role if session is not None else Role.EDITOR
            told.append(Elsewhere(client, clock, session_id, principal or ANYONE, role, state))
        return Present(self._document_id, tuple(told), is_all)
