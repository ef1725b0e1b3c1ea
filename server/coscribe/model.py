"""The words of Coscribe as frozen values. Times are UTC datetimes, ids are strings, `seq` counts from 1."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

_ALPHABET = (string.ascii_letters + string.digits).encode()
_ID_LENGTH = 22
# A byte is a letter or digit, or one of the few that are too many for each to come equally often.
_LETTERS = (_ALPHABET * 5)[:256]
_UNFAIR = bytes(range(4 * len(_ALPHABET), 256))
# Fewer than 22 of these are left over for one in 300 million ids.
_DRAWN_BYTES = 32


def new_id() -> str:
    """A random id of 22 letters and digits: 62**22 is a little more than 2**130."""
    while True:
        # One question to the system in place of 22.
        chosen = secrets.token_bytes(_DRAWN_BYTES).translate(_LETTERS, _UNFAIR)
        if len(chosen) >= _ID_LENGTH:
            return chosen[:_ID_LENGTH].decode()


class Role(StrEnum):
    """What a principal may do with a document; each role includes those below it."""

    VIEWER = "viewer"
    COMMENTER = "commenter"
    EDITOR = "editor"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """0 for a viewer up to 3 for the owner."""
        return _RANKS[self]

    def includes(self, other: Role) -> bool:
        """Whether this role may do what `other` may."""
        return self.rank >= other.rank


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Carrier(StrEnum):
    """What moves a session's frames, or a feed's events (the last two)."""

    WEBSOCKET = "websocket"
    HOCUSPOCUS = "hocuspocus"
    STREAM = "stream"
    POLL = "poll"


class Access(StrEnum):
    """General access: what anyone who knows a document's address may do."""

    RESTRICTED = "restricted"
    VIEWER = "viewer"
    COMMENTER = "commenter"
    EDITOR = "editor"

    @property
    def role(self) -> Role | None:
        """The role it gives, None when restricted."""
        return None if self is Access.RESTRICTED else Role(self.value)


class PrincipalKind(StrEnum):
    """Who a principal is. `anyone` is the one principal of a document's visitors without a credential."""

    ACCOUNT = "account"
    GUEST = "guest"
    TOKEN = "token"  # noqa: S105 - a kind of principal, no password
    ANYONE = "anyone"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. `colour` is an index into the twelve presence colours."""

    id: str
    kind: PrincipalKind
    name: str
    colour: int


ANYONE = Principal("anyone", PrincipalKind.ANYONE, "Someone with the link", 11)
SERVER = Principal("server", PrincipalKind.SERVER, "Coscribe", 0)


@dataclass(frozen=True, slots=True)
class Document:
    """The lasting thing. `seq` is its head: the position of the last committed entry, 0 when there is none."""

    id: str
    title: str
    title_by_hand: bool
    language: str
    owner_id: str
    generation: int
    seq: int
    access: Access
    created_at: datetime
    updated_at: datetime
    trashed_at: datetime | None


# These two are made by the ten thousand a second; a frozen dataclass takes twice as long.
class NewEntry(NamedTuple):
    """An accepted update on its way to the log: the client's raw bytes (rule D2)."""

    principal_id: str
    session_id: str
    at: datetime
    payload: bytes


class Entry(NamedTuple):
    """One committed row of the update log."""

    seq: int
    principal_id: str
    session_id: str
    at: datetime
    payload: bytes


class Head(NamedTuple):
    """Where a document stands: its generation, and the seq of its last entry."""

    generation: int
    seq: int


@dataclass(frozen=True, slots=True)
class Place:
    """One lineage of a document: where entries, segments and snapshots belong."""

    document_id: str
    generation: int


@dataclass(frozen=True, slots=True)
class Append:
    """What one document adds to the log in one commit. `client_ids` are bindings first seen in it (rule D10).

    `activities` are committed with it; their seq is that of the append's last entry. `after` is the seq behind which it
    is to stand: of what the log has its author knows all, or nothing is stored. None takes whatever comes. `is_late`
    tells that it came too late before.
    """

    document_id: str
    generation: int
    entries: tuple[NewEntry, ...]
    client_ids: tuple[tuple[int, str], ...] = ()
    activities: tuple[NewActivity, ...] = ()
    after: int | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an append came to stand: its first entry's seq, and its activities as stored."""

    first_seq: int
    activities: tuple[Activity, ...] = ()


@dataclass(frozen=True, slots=True)
class Replaced:
    """The document has this generation now: nothing of the append was stored."""

    generation: int


@dataclass(frozen=True, slots=True)
class Behind:
    """The log has come to this seq: nothing of the append was stored, which was made for an earlier one."""

    seq: int


@dataclass(frozen=True, slots=True)
class Unstored:
    """This document's part could not be stored, while those of all others could."""

    reason: str


class RowKind(StrEnum):
    """Which kind of stored row."""

    ENTRY = "entry"
    SEGMENT = "segment"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Damage:
    """A stored row that cannot be read; `seq` is its entry's, its snapshot's, or the last of its segment."""

    place: Place
    what: RowKind
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far upkeep has come with a document: `packed` is the last seq in a segment, 0 for none."""

    place: Place
    seq: int
    packed: int
    snapshot_seq: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state of a document at a seq. A cache of the log, never its replacement (rule D2)."""

    document_id: str
    generation: int
    seq: int
    codec: str
    engine: str
    state: bytes


class ActivityKind(StrEnum):
    """What happened to a document, for people."""

    CREATED = "created"
    RENAMED = "renamed"
    EDITED = "edited"
    SHARED = "shared"
    TRASHED = "trashed"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class NewActivity:
    """An activity on its way to storage."""

    kind: ActivityKind
    principal_id: str
    name: str
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Activity:
    """A stored activity. `id` rises in commit order over all documents; `name` is the author's at that time."""

    id: int
    document_id: str
    seq: int
    kind: ActivityKind
    principal_id: str
    name: str
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A link with a secret; only the SHA-256 of the secret is stored."""

    id: str
    document_id: str
    role: Role
    secret_sha256: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token's record; only the SHA-256 of the secret is stored."""

    id: str
    principal_id: str
    name: str
    secret_sha256: str
    created_at: datetime
