"""Rows that cannot be read: copied aside as they are, and told. The row itself stays where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from coscribe.errors import Unavailable
from coscribe.model import Damage
from coscribe.storage.engine import Database, insert_into
from coscribe.storage.readable import Clock, utc_now
from coscribe.storage.rows import at_place, position, stored_rows
from coscribe.storage.tables import quarantine

# Of so many rows it is remembered that they were told; a disk that rots faster is told twice.
_REMEMBERED = 4096
_REASON_CHARACTERS = 500
_BYTES = ("payload", "state")


class Quarantine:
    """Sets rows aside, each once; `told` hears of each once per process. Whoever may only read does not copy."""

    def __init__(
        self, database: Database, told: Callable[[Damage], None], *, copies: bool = True, now: Clock = utc_now
    ) -> None:
        self._copies = copies
        self._database = database
        self._told = told
        self._now = now
        self._known: dict[Damage, None] = {}

    async def take(self, damages: Iterable[Damage]) -> None:
        """Copy damaged rows into the quarantine. A database that cannot be written to is no reason not to read."""
        for damage in damages:
            if damage not in self._known:
                self._remember(damage)
                self._told(damage)
                if self._copies:
                    await self._copy_or_forget(damage)

    def _remember(self, damage: Damage) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[damage] = None

    async def _copy_or_forget(self, damage: Damage) -> None:
        try:
            async with self._database.write() as connection:
                await self._copy(connection, damage)
        except Unavailable:
            self._known.pop(damage, None)

    async def _copy(self, connection: AsyncConnection, damage: Damage) -> None:
        query = stored_rows(connection.dialect.name, damage.what)
        query = query.where(at_place(damage.what, damage.place), position(damage.what) == damage.seq)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return  # it went meanwhile, with its document or into a segment
        copied = {
            "document_id": damage.place.document_id,
            "generation": damage.place.generation,
            "what": damage.what.value,
            "seq": damage.seq,
            "reason": clean_reason(damage.reason),
            "found_at": self._now(),
            "payload": next((value for name, value in row._mapping.items() if name in _BYTES), None),
            "columns": _columns(row),
        }
        await connection.execute(insert_into(connection, quarantine).values(copied).on_conflict_do_nothing())


def _columns(row: Row[Any]) -> dict[str, object]:
    """All columns but the bytes, as JSON can hold them."""
    return {name: _plain(name, value) for name, value in row._mapping.items() if name not in _BYTES}


def _plain(name: str, value: object) -> object:
    if isinstance(value, bytes):
        return value.hex() if name == "checksum" else value.decode(errors="backslashreplace")
    return value if isinstance(value, int | str | None) else str(value)


def clean_reason(reason: str) -> str:
    """A reason as any database can hold it, cut to 500 characters."""
    return reason.encode(errors="backslashreplace").decode().replace("\0", "")[:_REASON_CHARACTERS]
