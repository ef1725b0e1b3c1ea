"""The tables. `document_id` leads every key (rule D11) and everything of a document falls with its row.

`migrations/` makes the same tables; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator

from coscribe.errors import InvalidInput


class TextRefused(InvalidInput, DontWrapMixin):
    """A string that PostgreSQL cannot hold; SQLAlchemy lets it pass as it is."""


class CleanText(TypeDecorator[str]):
    """Text without NUL and without lone surrogates, on every database alike.

    PostgreSQL refuses both and SQLite cuts at NUL in places, so neither reaches a driver: TextRefused.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Check what goes in."""
        del dialect
        if value is None:
            return None
        if "\0" in value:
            raise TextRefused("A NUL character cannot be stored.")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise TextRefused("Half a surrogate pair cannot be stored.")
        return value


class _Moment(sqlite.DATETIME):
    """The text that SQLAlchemy keeps of a moment in SQLite, made in a third of the time: every entry has one."""

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        """From year to microsecond, all digits, without the offset."""
        del dialect
        return lambda value: None if value is None else value.isoformat(" ", "microseconds")[:26]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC with microseconds. SQLite keeps it without an offset: text order is time order."""

    impl = DateTime(timezone=True).with_variant(_Moment(), "sqlite")  # type: ignore[no-untyped-call]
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware datetime into UTC; a naive one raises ValueError."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware datetime in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _document_key() -> Column[str]:
    return Column("document_id", CleanText, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True)


documents = Table(
    "documents",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("title", CleanText, nullable=False),
    Column("title_folded", CleanText, nullable=False),
    Column("title_by_hand", Boolean, nullable=False),
    Column("language", CleanText, nullable=False),
    Column("owner_id", CleanText, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("access", CleanText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("trashed_at", UtcDateTime),
    Index(None, "owner_id", "updated_at"),
)

updates = Table(
    "updates",
    metadata,
    _document_key(),
    Column("generation", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("principal_id", CleanText, nullable=False),
    Column("session_id", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("checksum", LargeBinary, nullable=False),
    # A document's entries lie side by side in the order in which they are read.
    sqlite_with_rowid=False,
)

client_ids = Table(
    "client_ids",
    metadata,
    _document_key(),
    Column("generation", BigInteger, primary_key=True),
    Column("client_id", BigInteger, primary_key=True),
    Column("principal_id", CleanText, nullable=False),
    sqlite_with_rowid=False,
)

snapshots = Table(
    "snapshots",
    metadata,
    _document_key(),
    Column("generation", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("codec", CleanText, nullable=False),
    Column("engine", CleanText, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("checksum", LargeBinary, nullable=False),
)

# Runs of old entries, packed. Keyed by their ends, so that what lies behind a position is one range of the key.
segments = Table(
    "segments",
    metadata,
    _document_key(),
    Column("generation", BigInteger, primary_key=True),
    Column("last_seq", BigInteger, primary_key=True),
    Column("first_seq", BigInteger, nullable=False),
    # When its last entry was written, for retention.
    Column("at", UtcDateTime, nullable=False),
    Column("codec", CleanText, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("checksum", LargeBinary, nullable=False),
)

# Copies of rows that could not be read, as they were: `payload` its bytes, `columns` all others.
quarantine = Table(
    "quarantine",
    metadata,
    _document_key(),
    Column("generation", BigInteger, primary_key=True),
    Column("what", CleanText, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("reason", CleanText, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    Column("payload", LargeBinary),
    Column("columns", JSON, nullable=False),
)

# The words of a text as it stood at `seq`, for searching: a cache. PostgreSQL has a column more, made of them.
texts = Table(
    "texts",
    metadata,
    _document_key(),
    Column("seq", BigInteger, nullable=False),
    Column("words", CleanText, nullable=False),
)

# What is wrong with a document and known to be, in the words of `coscribe verify`.
accepted = Table(
    "accepted",
    metadata,
    _document_key(),
    Column("reason", CleanText, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

activity = Table(
    "activity",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("document_id", CleanText, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("principal_id", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("data", JSON, nullable=False),
    Index(None, "document_id", "id"),
    # Without it SQLite gives the id of a purged activity to the next one, and ids would no longer rise.
    sqlite_autoincrement=True,
)

links = Table(
    "links",
    metadata,
    _document_key(),
    Column("id", CleanText, primary_key=True),
    Column("role", CleanText, nullable=False),
    Column("secret_sha256", CleanText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Index(None, "secret_sha256", unique=True),
)

grants = Table(
    "grants",
    metadata,
    Column("document_id", CleanText, primary_key=True),
    Column("principal_id", CleanText, primary_key=True),
    Column("link_id", CleanText, primary_key=True),
    ForeignKeyConstraint(["document_id", "link_id"], ["links.document_id", "links.id"], ondelete="CASCADE"),
    Index(None, "principal_id"),
    Index(None, "document_id", "link_id"),
    sqlite_with_rowid=False,
)

visits = Table(
    "visits",
    metadata,
    _document_key(),
    Column("principal_id", CleanText, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "principal_id"),
    sqlite_with_rowid=False,
)

principals = Table(
    "principals",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("kind", CleanText, nullable=False),
    Column("name", CleanText, nullable=False),
    Column("colour", Integer, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret_sha256", CleanText, primary_key=True),
    Column("principal_id", CleanText, ForeignKey("principals.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "principal_id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("principal_id", CleanText, ForeignKey("principals.id", ondelete="CASCADE"), nullable=False),
    Column("name", CleanText, nullable=False),
    Column("secret_sha256", CleanText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index(None, "secret_sha256", unique=True),
    Index(None, "principal_id"),
)

# Of which database this one is a copy that nobody has served yet: one row at most, which says nothing about the others.
copies = Table(
    "copies",
    metadata,
    Column("source", CleanText, primary_key=True),
    Column("begun_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
)
