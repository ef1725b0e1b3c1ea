"""Who is here: one state a session, by CRDT client id, with the identity that the server knows (rule D9).

y-protocols' clock rule decides which state is newer. The clocks sent on are the server's own: a state is repeated
with a higher clock so that nobody's copy of it runs out (30 s in y-protocols) while the session lives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from coscribe.core.protocol import AwarenessEntry, encode_awareness
from coscribe.core.strict_json import is_deeper, parse
from coscribe.model import Principal

MAX_STATE_BYTES = 4096
_SHORT = MAX_STATE_BYTES // 4
# The clocks sent on rise from here by one at a time and must stay below 2^53, where clients raise.
_MAX_CLOCK = 2**31 - 1
_MAX_DEPTH = 4 + 1  # a relative position is {cursor: {anchor: {item: {client, clock}}}}: four below the state
_NO_FIELDS = len(b"{}")
# An exponent of three digits, or 200 digits: what has less of both stays below 10^300.
_MAY_BE_INFINITE = re.compile(r"\d[eE]\+?\d{3}|\d{200}")
# Enough for everyone who left a large room within a reconnect's time; older ones start again at their own clock.
_MAX_DEPARTED = 4096

# How the sessions of other servers are named here; no id of ours begins like that.
ELSEWHERE = "@"

# Twelve colours, each 3:1 or more on light and dark paper, chosen for the largest least distance as colour-blind eyes
# see them; web/src/page/palette.ts and web/src/style/tokens.css have the same.
COLOURS = (
    "#1a50ff", "#d90000", "#2a7500", "#bd6bf7", "#ae8c02", "#009691",
    "#ff44a4", "#835fcc", "#d1616f", "#af2c9a", "#848dc5", "#8b555b",
)  # fmt: skip


@dataclass(slots=True)
class _State:
    session_id: str
    principal: Principal
    heard: int
    sent: int
    raw: str
    fields: dict[str, Any] | None = None
    # The fields but for the user, and the user as the server tells him, as JSON.
    own: bytes = b""
    user: bytes = b""


class Spoken(NamedTuple):
    """A session's state as its client spoke it: the JSON of its fields, and nobody's with `null` where it left."""

    client: int
    clock: int
    session_id: str
    principal: Principal | None
    state: str


class Awareness:
    """The states of one room."""

    def __init__(self) -> None:
        self._states: dict[int, _State] = {}
        self._by_session: dict[str, int] = {}
        self._departed: dict[int, int] = {}
        self._changed: dict[int, None] = {}
        # What other servers are to be told, by client: whose session has changed. None where nobody asks.
        self._news: dict[int, str] | None = None

    @property
    def is_dirty(self) -> bool:
        """Whether something is to be told."""
        return bool(self._changed)

    def receive(self, session_id: str, principal: Principal, entries: tuple[AwarenessEntry, ...]) -> None:
        """Take a session's own state from a message; what it repeats of others is passed over in silence."""
        for entry in entries:
            # Characters take up to four bytes: short states need no counting.
            if entry.clock > _MAX_CLOCK or (len(entry.state) > _SHORT and len(entry.state.encode()) > MAX_STATE_BYTES):
                continue
            mine = self._by_session.get(session_id)
            state = self._states.get(entry.client)
            if mine is None and self._may_claim(entry, state, principal):
                self._claim(session_id, principal, entry, state)
            elif mine == entry.client and state is not None:
                self._renew(state, entry)

    def _may_claim(self, entry: AwarenessEntry, state: _State | None, principal: Principal) -> bool:
        if entry.state == "null":
            return False
        if state is None:
            return True
        # The same client back on a new line before the old one was seen to be dead.
        return state.principal.id == principal.id and entry.clock > state.heard

    def _claim(self, session_id: str, principal: Principal, entry: AwarenessEntry, old: _State | None) -> None:
        if old is not None:
            del self._by_session[old.session_id]
        told = old.sent if old is not None else self._departed.pop(entry.client, -1)
        self._states[entry.client] = _State(session_id, principal, entry.clock, max(told + 1, entry.clock), entry.state)
        self._by_session[session_id] = entry.client
        self._note(entry.client, session_id)

    def _renew(self, state: _State, entry: AwarenessEntry) -> None:
        left = entry.clock == state.heard and entry.state == "null" and state.raw != "null"
        if entry.clock <= state.heard and not left:
            return
        state.heard = entry.clock
        state.sent = max(state.sent + 1, entry.clock)
        state.raw = entry.state
        state.fields = None
        state.own = b""
        self._note(entry.client, state.session_id)

    def put(self, session_id: str, client: int, principal: Principal, fields: dict[str, Any]) -> None:
        """Set a state that the server makes itself, for a writer over REST."""
        old = self._states.get(client)
        if old is not None and old.session_id != session_id:
            return
        clock = old.sent + 1 if old is not None else self._departed.pop(client, -1) + 1
        self._states[client] = _State(session_id, principal, clock, clock, "", fields)
        self._by_session[session_id] = client
        self._note(client, session_id)

    def leave(self, session_id: str) -> None:
        """Forget a session's state."""
        client = self._by_session.pop(session_id, None)
        if client is None:
            return
        self._departed[client] = self._states.pop(client).sent + 1
        self._note(client, session_id)
        while len(self._departed) > _MAX_DEPARTED:
            del self._departed[next(iter(self._departed))]

    def _note(self, client: int, session_id: str) -> None:
        self._changed[client] = None
        if self._news is not None and not session_id.startswith(ELSEWHERE):
            self._news[client] = session_id

    def tell_elsewhere(self) -> None:
        """Gather from now on what other servers are to be told."""
        self._news = {}

    def take_news(self) -> list[Spoken]:
        """What has changed of sessions here since it was asked last."""
        news, self._news = self._news, {}
        return [self._spoken(client, session_id) for client, session_id in (news or {}).items()]

    def here(self) -> list[Spoken]:
        """The states of all sessions here."""
        return [
            self._spoken(client, state.session_id)
            for client, state in self._states.items()
            if not state.session_id.startswith(ELSEWHERE)
        ]

    def _spoken(self, client: int, session_id: str) -> Spoken:
        state = self._states.get(client)
        if state is None or state.session_id != session_id:
            return Spoken(client, 0, session_id, None, "null")
        raw = state.raw or to_json(state.fields).decode()
        return Spoken(client, state.heard, session_id, state.principal, raw)

    def has(self, session_id: str) -> bool:
        """Whether a session has a state."""
        return session_id in self._by_session

    def elsewhere(self) -> list[str]:
        """The sessions of other servers that have a state."""
        return [session_id for session_id in self._by_session if session_id.startswith(ELSEWHERE)]

    def rename(self, principal: Principal) -> None:
        """Show a principal's new name and colour on all its states."""
        for client, state in self._states.items():
            if state.principal.id == principal.id:
                state.principal, state.user = principal, b""
                state.sent += 1
                self._changed[client] = None

    def refresh(self) -> None:
        """Repeat every state under a higher clock."""
        for client, state in self._states.items():
            state.sent += 1
            self._changed[client] = None

    def flush(self) -> bytes | None:
        """The message that tells what changed since the last flush, None when nothing did."""
        if not self._changed:
            return None
        entries = [entry for client in self._changed if (entry := self._entry(client)) is not None]
        self._changed.clear()
        return encode_awareness(entries) if entries else None

    def encode_all(self, *, departed: bool = False) -> bytes | None:
        """The message with everyone's state, on request with those who left too; None when there is nobody."""
        clients = [*self._states, *self._departed] if departed else self._states
        entries = [entry for client in clients if (entry := self._entry(client)) is not None]
        return encode_awareness(entries) if entries else None

    def states(self) -> dict[int, tuple[str, Principal, dict[str, Any]]]:
        """Every present state by client id: its session's id, its principal, its fields."""
        present = {}
        for client, state in self._states.items():
            fields = _fields(state)
            if fields is not None:
                present[client] = (state.session_id, state.principal, fields)
        return present

    def _entry(self, client: int) -> AwarenessEntry | None:
        state = self._states.get(client)
        if state is None:
            return AwarenessEntry(client, self._departed.get(client, 0), "null")
        fields = _fields(state)
        if fields is None:
            return AwarenessEntry(client, state.sent, "null")
        state.user = state.user or to_json(user_of(state.principal))
        state.own = state.own or to_json({name: value for name, value in fields.items() if name != "user"})
        told = state.own[:-1] + (b',"user":' if len(state.own) > _NO_FIELDS else b'"user":') + state.user + b"}"
        return AwarenessEntry(client, state.sent, told.decode())


def user_of(principal: Principal) -> dict[str, str]:
    """The `user` field, in the shape stock editor bindings show."""
    colour = COLOURS[principal.colour % len(COLOURS)]
    return {
        "id": principal.id,
        "name": principal.name,
        "color": colour,
        "colorLight": _light(colour),
        "kind": principal.kind.value,
    }


def _light(colour: str) -> str:
    """A fifth of the colour on white, for selections; six digits, since bindings take no other form."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{(part + 4 * 255) // 5:02x}" for part in parts)


def _fields(state: _State) -> dict[str, Any] | None:
    """Parse a state once, when it is told; only the newest of a turn is. None for one that left or is no state."""
    if state.fields is None and state.raw != "null":
        state.fields = _parsed(state.raw)
        if state.fields is None:
            state.raw = "null"
    return state.fields


def _parsed(raw: str) -> dict[str, Any] | None:
    try:
        parsed = from_json(raw, allow_inf_nan=False)  # six times as fast as json.loads
        if not isinstance(parsed, dict) or is_deeper(parsed, _MAX_DEPTH):
            return None
        if _MAY_BE_INFINITE.search(raw):
            parse(raw)  # refuses 1e999, which is no infinity before it is read
    except ValueError:
        return None
    return parsed
