"""Documents: their rows, and the lists of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, insert, or_, select, update

from coscribe.errors import InvalidInput, Unavailable
from coscribe.model import Activity, Document, NewActivity, Place
from coscribe.ports import DocumentChanges, DocumentQuery
from coscribe.storage.activities import insert_activities
from coscribe.storage.document_rows import Unreadable, document_of, document_rows, stored_id
from coscribe.storage.engine import Database
from coscribe.storage.gathering import Gathering
from coscribe.storage.page_cursor import decode_cursor, encode_cursor
from coscribe.storage.readable import Clock, readable_by, utc_now
from coscribe.storage.reading import fetch
from coscribe.storage.tables import documents
from coscribe.storage.words import store_words, text_holds, worded

# SQLite compares LIKE patterns of up to 50,000 bytes; no title is anywhere near as long as this.
MAX_QUERY_CHARACTERS = 500
# Of so many unreadable rows each is told; behind them is a disk that has been told of.
_REMEMBERED = 4096


class SqlDocuments:
    """The port Documents. `now` decides which links have expired.

    `damaged` hears of each document whose row cannot be read, with the reason, once per process.
    """

    def __init__(
        self, database: Database, *, now: Clock = utc_now, damaged: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self._database = database
        self._now = now
        self._damaged = damaged
        self._told: set[Unreadable] = set()
        self._gathering = Gathering(self._load)

    async def create(self, document: Document, created: NewActivity) -> Activity:
        """Store a new document, seq 0, with its activity."""
        row = {
            "id": document.id,
            "title": document.title,
            "title_folded": _fold(document.title),
            "title_by_hand": document.title_by_hand,
            "language": document.language,
            "owner_id": document.owner_id,
            "generation": document.generation,
            "seq": 0,
            "access": document.access.value,
            "created_at": document.created_at,
            "updated_at": document.updated_at,
            "trashed_at": document.trashed_at,
        }
        async with self._database.write() as connection:
            await connection.execute(insert(documents).values(row))
            return (await insert_activities(connection, [(document.id, 0, created)]))[0]

    async def get(self, document_id: str) -> Document | None:
        """The document, trashed ones too. Raises Unavailable where its row cannot be read."""
        found = await self._gathering.one(document_id)
        return None if found is None else self._readable(found)

    async def _load(self, document_ids: set[str]) -> dict[str, Document | Unreadable]:
        async with self._database.read() as connection:
            if len(document_ids) == 1:
                rows = await fetch(connection, _one(connection.dialect.name), document_id=next(iter(document_ids)))
            else:
                query = document_rows(connection.dialect.name).where(documents.c.id.in_(document_ids))
                rows = (await connection.execute(query)).all()
        return {
            row.id if isinstance(row.id, str) else row.id.decode(errors="replace"): document_of(row) for row in rows
        }

    def _readable(self, found: Document | Unreadable) -> Document:
        if isinstance(found, Document):
            return found
        self._tell(found)
        raise Unavailable(f"This document cannot be opened: {found.reason}.")

    def _tell(self, unreadable: Unreadable) -> None:
        if unreadable not in self._told and len(self._told) < _REMEMBERED:
            self._told.add(unreadable)
            self._damaged(unreadable.document_id, unreadable.reason)

    async def owned(self, principal_id: str) -> int:
        """How many documents the principal owns, trashed ones too."""
        query = select(func.count()).select_from(documents).where(documents.c.owner_id == principal_id)
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def change(
        self, document_id: str, changes: DocumentChanges, activity: NewActivity | None, at: datetime
    ) -> tuple[Document, Activity | None] | None:
        """Apply changes and store their activity together; None when there is no such document.

        Any change moves `updated_at` to `at`, but for a derived title: the text that it follows has moved it.
        A document that is trashed again keeps its first time in the trash. A derived title is dropped, activity
        and all, where the title was set by hand: the document comes back as it was.
        """
        one = documents.c.id == document_id
        replaceable = documents.c.title_by_hand.is_(False) if _is_derived(changes) else one
        async with self._database.write() as connection:
            changed = update(documents).where(one, replaceable).values(_values(changes, at))
            is_changed = (await connection.execute(changed)).rowcount > 0
            row = (await connection.execute(document_rows(connection.dialect.name).where(one))).one_or_none()
            if row is None:
                return None
            document = self._readable(document_of(row))
            told = [(document.id, document.seq, activity)] if activity and is_changed else []
            stored = await insert_activities(connection, told)
        return document, stored[0] if stored else None

    async def purge(self, document_id: str) -> None:
        """Remove the document; every other table's rows of it fall with it by foreign key."""
        async with self._database.write() as connection:
            await connection.execute(delete(documents).where(documents.c.id == document_id))

    async def worded(self, document_id: str) -> int:
        """The seq of the text whose words are stored, 0 where none are."""
        async with self._database.read() as connection:
            return await worded(connection, document_id)

    async def store_words(self, place: Place, seq: int, words: str) -> None:
        """Keep the words of the text at `seq`, as core/words.py lists them; newer ones stay."""
        async with self._database.write() as connection:
            await store_words(connection, place, seq, words)

    async def page(self, query: DocumentQuery) -> tuple[list[Document], str | None]:
        """One page, newest change first, and the cursor of the next, None at the end. Unreadable rows are left out.

        Raises InvalidInput for a cursor that is no cursor, a limit below 1 and a `q` of more than 500
        characters.
        """
        if query.limit < 1:
            raise InvalidInput("A page holds at least one document.", field="limit")
        found = await self._found(query)
        items = found[: query.limit]
        if len(found) == len(items):
            return items, None
        return items, encode_cursor(items[-1].updated_at, items[-1].id)

    async def _found(self, query: DocumentQuery) -> list[Document]:
        """A page and the one behind it."""
        left_out: set[str | bytes] = set()
        async with self._database.read() as connection:
            dialect = connection.dialect.name
            statement = _listed(query, dialect, self._now()).limit(query.limit + 1)
            while True:
                rows = await connection.execute(statement.where(stored_id(dialect).not_in(left_out)))
                found = [document_of(row) for row in rows]
                unreadable = [item for item in found if isinstance(item, Unreadable)]
                if not unreadable:
                    return [item for item in found if isinstance(item, Document)]
                for item in unreadable:
                    self._tell(item)
                    left_out.add(item.id)


@cache
def _one(dialect: str) -> Select[Any]:
    return document_rows(dialect).where(documents.c.id == bindparam("document_id"))


def _listed(query: DocumentQuery, dialect: str, now: datetime) -> Select[Any]:
    if query.trashed:
        wanted = and_(documents.c.trashed_at.is_not(None), documents.c.owner_id == query.principal_id)
    else:
        wanted = and_(documents.c.trashed_at.is_(None), readable_by(query.principal_id, now))
    statement = document_rows(dialect).where(wanted).order_by(documents.c.updated_at.desc(), documents.c.id)
    if query.q:
        in_text = [text_holds(query.words, dialect)] if query.words else []
        statement = statement.where(or_(_title_holds(query.q), *in_text))
    if query.cursor is not None:
        updated_at, document_id = decode_cursor(query.cursor)
        same_time = and_(documents.c.updated_at == updated_at, documents.c.id > document_id)
        statement = statement.where(or_(documents.c.updated_at < updated_at, same_time))
    return statement


def _title_holds(q: str) -> ColumnElement[bool]:
    if len(q) > MAX_QUERY_CHARACTERS:
        raise InvalidInput(f"Search for at most {MAX_QUERY_CHARACTERS} characters.", field="q")
    return documents.c.title_folded.contains(_fold(q), autoescape=True)


def _fold(words: str) -> str:
    """For comparing without case (Unicode's full folding; SQLite's own LIKE folds ASCII only)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", words).casefold())


def _is_derived(changes: DocumentChanges) -> bool:
    return changes.title is not None and not changes.title_by_hand


def _values(changes: DocumentChanges, at: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {} if _is_derived(changes) else {"updated_at": at}
    if changes.title is not None:
        values |= {
            "title": changes.title,
            "title_folded": _fold(changes.title),
            "title_by_hand": changes.title_by_hand and changes.title != "",
        }
    if changes.language is not None:
        values["language"] = changes.language
    if changes.access is not None:
        values["access"] = changes.access.value
    if changes.trashed is not None:
        values["trashed_at"] = func.coalesce(documents.c.trashed_at, at) if changes.trashed else None
    return values
