"""The words of texts: stored beside their documents, and asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, cast, exists, func, literal, select
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import column

from coscribe.model import Place
from coscribe.storage.engine import insert_into
from coscribe.storage.reading import fetch
from coscribe.storage.tables import CleanText, documents, texts

# PostgreSQL's own column, made of `words` by the migration: nothing writes it, and copies of rows go without it.
_SEARCHED: ColumnElement[Any] = column("searched", _selectable=texts)


async def worded(connection: AsyncConnection, document_id: str) -> int:
    """The seq of the text whose words are stored, 0 where none are."""
    rows = await fetch(connection, _one(), document_id=document_id)
    return int(rows[0].seq) if rows else 0


@cache
def _one() -> Select[Any]:
    return select(texts.c.seq).where(texts.c.document_id == bindparam("document_id"))


async def store_words(connection: AsyncConnection, place: Place, seq: int, words: str) -> None:
    """Put words in place of older ones, where the document is there, in this generation.

    The document's row is held, or it could be purged in between.
    """
    found = select(documents.c.id, literal(seq, BigInteger), literal(words, CleanText)).where(
        documents.c.id == place.document_id, documents.c.generation == place.generation
    )
    stored = insert_into(connection, texts).from_select(
        ["document_id", "seq", "words"], found.with_for_update(read=True, key_share=True)
    )
    newer = {"seq": stored.excluded.seq, "words": stored.excluded.words}
    await connection.execute(
        stored.on_conflict_do_update(
            index_elements=[texts.c.document_id], set_=newer, where=texts.c.seq < stored.excluded.seq
        )
    )


def text_holds(words: Sequence[str], dialect: str) -> ColumnElement[bool]:
    """Whether each of the words, folded, at least one, is the beginning of a word of the document's text."""
    begun: tuple[ColumnElement[bool], ...]
    if dialect == "postgresql":
        begun = (_SEARCHED.op("@@")(cast(literal(_asked(words)), TSQUERY)),)
    else:
        begun = tuple(func.instr(texts.c.words, f" {word}") > 0 for word in words)
    return exists().where(and_(texts.c.document_id == documents.c.id, *begun))


def _asked(words: Sequence[str]) -> str:
    """PostgreSQL's question for beginnings of words, each word quoted."""
    quoted = (word.replace("\\", "\\\\").replace("'", "''") for word in words)
    return " & ".join(f"'{word}':*" for word in quoted)
