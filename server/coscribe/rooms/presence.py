"""Who is in a room, for its feed; and the upkeep of awareness while somebody is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from coscribe.core.awareness import user_of
from coscribe.core.exchange import Exchange
from coscribe.core.update import Scan
from coscribe.model import Principal, Role
from coscribe.rooms.elsewhere import PeopleElsewhere
from coscribe.rooms.feed import Feed
from coscribe.rooms.history import new_client_id
from coscribe.rooms.turns import Turns

# Feed readers hear of moves at most four times a second.
_TELL_AFTER_S = 0.25
# And sockets twenty times: a caret that moves more often looks no smoother.
_GATHER_S = 0.05
# Less often where the server has no time: a caret takes 15 us to tell, as much as two keystrokes.
_TICKS = 2.5
# y-protocols forgets a state after 30 s without news: repeat all of them twice as often.
_REFRESH_S = 15.0
# Every so many refreshes everyone is asked for what the server does not have (a minute).
_ASK_EVERY = 4
# How long a writer over REST is shown after a write.
_WRITER_SHOWN_S = 10.0
_MAX_LINE = 2**31


class Presence:
    """Turns awareness states into people."""

    def __init__(
        self,
        exchange: Exchange,
        feed: Callable[[], Feed],
        changed: Callable[[], None],
        turns: Turns,
        elsewhere: PeopleElsewhere,
    ) -> None:
        self._turns = turns
        self._elsewhere = elsewhere
        self._exchange = exchange
        self._feed = feed
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._told: dict[int, dict[str, Any]] = {}
        self._telling: asyncio.TimerHandle | None = None
        self._refreshing: asyncio.TimerHandle | None = None
        self._refreshes = 0
        self._writers: dict[str, tuple[int, asyncio.TimerHandle]] = {}
        self._waiting: asyncio.TimerHandle | None = None
        exchange.presence_told = self._wait

    def _wait(self) -> None:
        """Let states gather for a moment; only the newest of each is told."""
        self._elsewhere.go_out()
        self._exchange.presence_waits = True
        self._waiting = self._loop.call_later(max(_GATHER_S, _TICKS * self._turns.tick_s), self._go_on)

    def _go_on(self) -> None:
        self._exchange.presence_waits = False
        if self._exchange.has_moves:
            self._changed()

    def people(self) -> list[dict[str, Any]]:
        """Everyone with an awareness state."""
        return [self._person(client, *state) for client, state in self._exchange.awareness.states().items()]

    def _person(self, client: int, session_id: str, principal: Principal, fields: dict[str, Any]) -> dict[str, Any]:
        session = self._exchange.sessions.get(session_id)
        line = fields.get("line")
        known = isinstance(line, int) and not isinstance(line, bool) and 0 < line < _MAX_LINE
        return {
            "client": str(client),
            "id": principal.id,
            "name": principal.name,
            "kind": principal.kind.value,
            "colour": principal.colour,
            "color": user_of(principal)["color"],
            "role": (session.role if session is not None else self._elsewhere.roles.get(session_id, Role.EDITOR)).value,
            "line": line if known else None,
            "state": "idle" if fields.get("state") == "idle" else "active",
        }

    def touch(self) -> None:
        """Note that somebody joined, left or moved."""
        if self._telling is None and self._feed().readers:
            self._telling = self._loop.call_later(_TELL_AFTER_S, self._tell)

    def _tell(self) -> None:
        self._telling = None
        now = {int(person["client"]): person for person in self.people()}
        before, self._told = self._told, now
        for client, person in now.items():
            if client not in before:
                self._feed().publish_presence({"joined": person})
            elif person != before[client]:
                self._feed().publish_presence({"moved": person})
        for client, person in before.items():
            if client not in now:
                self._feed().publish_presence({"left": person})

    def remember(self) -> None:
        """Take what a new reader is told as told; where others read, they are told of it first."""
        now = {int(person["client"]): person for person in self.people()}
        if self._telling is None and len(self._feed().readers) <= 1:
            self._told = now
        elif now != self._told:
            self.touch()

    def start(self) -> None:
        """Begin the upkeep; it ends by itself when nobody is left."""
        if self._refreshing is None:
            self._refreshing = self._loop.call_later(_REFRESH_S, self._refresh)

    def _refresh(self) -> None:
        self._refreshing = None
        if not self._exchange.sessions:
            return
        self._refreshes += 1
        if len(self._exchange.sessions) > 1 or self._elsewhere.roles:  # who is alone knows his own
            self._exchange.awareness.refresh()
        self._elsewhere.go_out(all_of_them=True)
        if self._refreshes % _ASK_EVERY == 0:
            self._exchange.ask_all()
        self._changed()
        self.start()

    def show_writer(self, author: Principal, found: Scan) -> None:
        """Show who wrote over REST, with a caret behind what was inserted, for a few seconds."""
        session_id = f"rest:{author.id}"
        client, timer = self._writers.get(author.id, (0, None))
        if timer is not None:
            timer.cancel()
        client = client or new_client_id()
        cursor = None
        if found.structs:
            last = found.structs[-1]
            # Sticks to the last inserted character from its right (Yjs RelativePosition, assoc -1).
            place = {"item": {"client": last.client, "clock": last.end - 1}, "assoc": -1}
            cursor = {"anchor": place, "head": place}
        self._exchange.awareness.put(session_id, client, author, {"cursor": cursor, "line": None, "state": "active"})
        gone = self._loop.call_later(_WRITER_SHOWN_S, self._hide_writer, author.id, session_id)
        self._writers[author.id] = (client, gone)

    def _hide_writer(self, author_id: str, session_id: str) -> None:
        self._writers.pop(author_id, None)
        self._exchange.awareness.leave(session_id)
        self._changed()

    def stop(self) -> None:
        """End every timer."""
        for timer in (self._telling, self._refreshing, self._waiting, *(timer for _, timer in self._writers.values())):
            if timer is not None:
                timer.cancel()
