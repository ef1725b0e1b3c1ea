"""What the inside asks of the outside: Protocols that storage implements. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from coscribe.model import (
    Access,
    Activity,
    Append,
    Appended,
    Backlog,
    Behind,
    Damage,
    Document,
    Entry,
    Head,
    Link,
    NewActivity,
    Place,
    Principal,
    Replaced,
    Role,
    Snapshot,
    Token,
    Unstored,
)

# Takes in what others have stored up to a seq, behind what an append was made for; gives one to stand behind that.
Meet = Callable[[Append, int, Sequence[Entry]], Awaitable[Append | None]]


class UpdateLog(Protocol):
    """The truth of every document: its committed updates by seq (rules D1 to D3)."""

    async def append(
        self, batch: Sequence[Append], meet: Meet | None = None
    ) -> list[Appended | Replaced | Behind | Unstored | None]:
        """Commit all of `batch` in one durable transaction and allot seqs under each document's row.

        At most one Append a document. The answer is in the order of `batch`: Replaced and None where the document is of
        another generation or gone, Behind where it has come further than the Append's `after`, Unstored where its rows
        alone cannot be stored; nothing of that Append is. Where one that `is_late` comes too late again, `meet` is
        asked while nobody else can store anything, so that whoever is slower than others has his turn.
        Raises Unavailable when nothing was committed.
        """
        ...

    async def read(
        self, document_id: str, generation: int, *, after: int, upto: int | None = None, limit: int = 1000
    ) -> list[Entry]:
        """The next entries with after < seq <= upto that can be read, at most `limit` and about 32 MB of them.

        Damaged ones are left out and set aside: a gap in the seqs tells of them. Raises PositionGone where retention
        let entries go.
        """
        ...

    async def heads(self, document_ids: Sequence[str]) -> dict[str, Head]:
        """Where those of the documents stand that exist."""
        ...

    async def client_ids(self, document_id: str, generation: int) -> dict[int, str]:
        """The principal that owns each CRDT client id of the document."""
        ...

    async def snapshot(self, document_id: str, generation: int, *, upto: int | None = None) -> Snapshot | None:
        """The newest snapshot with seq <= upto that can be read; damaged ones are passed over and set aside."""
        ...

    async def store_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; storing the same seq again changes nothing."""
        ...

    async def set_aside(self, damage: Damage) -> None:
        """Put a row that only its reader could find damaged into the quarantine."""
        ...


class Archive(Protocol):
    """The upkeep of the log: what makes it shorter, and what mends it."""

    async def mend_head(self, document_id: str) -> str | None:
        """Bring the document's seq up to its log's head (rule D1); gives what was wrong, None when nothing was.

        A seq somewhat above the log's head stays: its numbers were told and must not be given out again.
        """
        ...

    async def backlog(self, *, after_id: str, limit: int) -> list[Backlog]:
        """How far upkeep has come with the next `limit` documents in order of id."""
        ...

    async def pack(self, place: Place, *, upto: int, least: int) -> int:
        """Move the oldest run of entries with seq <= upto into one segment, if it has `least` entries.

        Gives how many were packed, 0 when there is nothing to do. Seqs, bytes, authors and times stay readable.
        """
        ...

    async def thin(self, place: Place, *, apart: int) -> int:
        """Remove old snapshots that stand closer than `apart` entries, keeping the newest two good ones."""
        ...

    async def let_go(self, place: Place) -> int:
        """Remove segments older than history is to be kept, behind the older of the newest two good snapshots."""
        ...


@dataclass(frozen=True, slots=True)
class DocumentChanges:
    """What to change of a document; None leaves a field as it is.

    `title_by_hand` goes with `title`: False marks a title that was derived from the text; a derived title never
    replaces one that was set by hand. An empty title set by hand hands the naming back to the text.
    """

    title: str | None = None
    title_by_hand: bool = True
    language: str | None = None
    access: Access | None = None
    trashed: bool | None = None


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """A page of a principal's documents: owned or opened, newest change first.

    With `q` those whose title holds it, case folded, and those whose text has, for each of `words`, a word that begins
    with it. `words` are those of `q`, as core/words.py finds them.
    """

    principal_id: str
    q: str = ""
    words: Sequence[str] = ()
    trashed: bool = False
    limit: int = 50
    cursor: str | None = None


class Documents(Protocol):
    """Documents and the activity around them."""

    async def create(self, document: Document, created: NewActivity) -> Activity:
        """Store a new document, seq 0, with its activity."""
        ...

    async def get(self, document_id: str) -> Document | None:
        """The document, trashed ones too."""
        ...

    async def owned(self, principal_id: str) -> int:
        """How many documents the principal owns, trashed ones too."""
        ...

    async def change(
        self, document_id: str, changes: DocumentChanges, activity: NewActivity | None, at: datetime
    ) -> tuple[Document, Activity | None] | None:
        """Apply changes and store their activity together; None when there is no such document.

        A derived title is dropped, activity and all, where the title was set by hand.
        """
        ...

    async def purge(self, document_id: str) -> None:
        """Remove the document and everything that hangs on it, for good."""
        ...

    async def worded(self, document_id: str) -> int:
        """The seq of the text whose words are stored, 0 where none are."""
        ...

    async def store_words(self, place: Place, seq: int, words: str) -> None:
        """Keep the words of the text at `seq`, as core/words.py lists them, for searching.

        Nothing happens where newer ones are kept, and where the document is gone or of another generation.
        """
        ...

    async def page(self, query: DocumentQuery) -> tuple[list[Document], str | None]:
        """One page and the cursor of the next, None at the end. A cursor that is no cursor raises InvalidInput.

        Trashed documents are listed only to their owner and only when asked for.
        """
        ...


class Activities(Protocol):
    """What happened, in commit order."""

    async def of_document(self, document_id: str, *, after: int, after_seq: int, limit: int = 256) -> list[Activity]:
        """Activities of one document with id > after and seq > after_seq, in order of id."""
        ...

    async def since(self, after: int, *, limit: int) -> list[Activity]:
        """Activities of all documents with id > after, in order of id."""
        ...

    async def of_principal(self, principal_id: str, *, after: int, limit: int = 256) -> list[Activity]:
        """Activities with id > after of the documents this principal owns, was granted or has opened, in order of id.

        Only documents that it may still read: its own, granted ones, and opened ones that general access allows.
        """
        ...

    async def head(self, document_id: str | None = None) -> int:
        """The highest activity id, of one document or of all; 0 when there is none."""
        ...


class Grants(Protocol):
    """Who may do what: grants of principals, links and visits."""

    async def role_of(self, document_id: str, principal_id: str) -> Role | None:
        """The highest role granted to the principal (not counting ownership and general access)."""
        ...

    async def grant_by_link(self, link: Link, principal_id: str) -> None:
        """Give the principal the link's role for as long as the link stands."""
        ...

    async def add_link(self, link: Link) -> None:
        """Store a link."""
        ...

    async def links(self, document_id: str) -> list[Link]:
        """The document's links, oldest first, expired ones too."""
        ...

    async def revoke_link(self, document_id: str, link_id: str) -> bool:
        """Remove a link and every grant it gave; False when there is no such link."""
        ...

    async def link_by_secret(self, secret_sha256: str) -> Link | None:
        """The link of a secret, expired ones too."""
        ...

    async def visited(self, document_id: str, principal_id: str, at: datetime) -> None:
        """Remember that the principal opened the document."""
        ...


class Principals(Protocol):
    """Who there is: guests, their browser sessions, and tokens."""

    async def add(self, principal: Principal) -> None:
        """Store a new principal."""
        ...

    async def get(self, principal_id: str) -> Principal | None:
        """The principal."""
        ...

    async def many(self, principal_ids: Sequence[str]) -> dict[str, Principal]:
        """Those of the ids that exist."""
        ...

    async def change(self, principal_id: str, *, name: str | None, colour: int | None) -> Principal | None:
        """Change name or colour; None when there is no such principal."""
        ...

    async def add_session(self, secret_sha256: str, principal_id: str, expires_at: datetime) -> None:
        """Store a browser session."""
        ...

    async def by_session(self, secret_sha256: str, now: datetime) -> Principal | None:
        """Whose browser session it is; None when unknown or expired."""
        ...

    async def add_token(self, token: Token, principal: Principal) -> None:
        """Store a token together with the principal it acts as."""
        ...

    async def by_token(self, secret_sha256: str) -> Principal | None:
        """Whose bearer token it is."""
        ...


class Health(Protocol):
    """Whether storage can be written to."""

    async def check(self) -> None:
        """Write and roll back; raises Unavailable with the reason."""
        ...


# Hears a topic, who tells it, and what.
Hear = Callable[[str, str, bytes], None]


class Bus(Protocol):
    """Bells between servers. What is told may be lost, doubled or late: whatever must not be is in the database."""

    # The name of this server, as others hear it.
    sender: str

    def start(self, hear: Hear, restored: Callable[[], None]) -> None:
        """Begin to hear what others tell; `restored` is called whenever something may have been missed before."""
        ...

    async def close(self) -> None:
        """Stop."""
        ...

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell all others that follow a topic. Neither waits nor fails."""
        ...

    def follow(self, topic: str) -> None:
        """Hear what others tell on a topic, soon."""
        ...

    def leave(self, topic: str) -> None:
        """Hear no more of it."""
        ...
