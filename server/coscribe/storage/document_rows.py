"""Rows of documents, read without trusting any column of them: one rotten row must not take a whole list away.

See rows.py, which does the same for the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Row, Select, cast, select

from coscribe.model import Access, Document
from coscribe.storage.rows import moment_of, text_of
from coscribe.storage.tables import documents

_FLAGS = {b"0": False, b"1": True, 0: False, 1: True}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document's row that cannot be read; `id` is as the database gives it."""

    id: str | bytes
    reason: str

    @property
    def document_id(self) -> str:
        """The id in characters, for people."""
        return self.id if isinstance(self.id, str) else self.id.decode(errors="backslashreplace")


@cache
def document_rows(dialect: str) -> Select[Any]:
    """A query of all columns of documents, on SQLite as bytes. Made once: it took 0.2 ms of everybody's coming."""
    return select(*(_stored(dialect, column).label(column.key) for column in documents.c))


def stored_id(dialect: str) -> ColumnElement[Any]:
    """The id as `document_rows` gives it, for conditions."""
    return _stored(dialect, documents.c.id)


def _stored(dialect: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(column, LargeBinary) if dialect == "sqlite" else column


_READERS: dict[str, Callable[[Any], object]] = {
    "title_by_hand": lambda value: _FLAGS[value],
    "generation": int,
    "seq": int,
    "access": lambda value: Access(text_of(value)),
    "created_at": moment_of,
    "updated_at": moment_of,
    "trashed_at": lambda value: None if value is None else moment_of(value),
}
_NAMES = (*_READERS, "id", "title", "language", "owner_id")


def document_of(row: Row[Any]) -> Document | Unreadable:
    """The document of a row, or what is wrong with it."""
    values: dict[str, Any] = {}
    for name in _NAMES:
        try:
            values[name] = _READERS.get(name, text_of)(row._mapping[name])
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            return Unreadable(row.id, f"its {name} cannot be read: {error}")
    return Document(**values)
