"""Whether storage can be written to."""

from __future__ import annotations

import asyncio

from sqlalchemy import insert

from coscribe.errors import Unavailable, cause_of
from coscribe.model import PrincipalKind, new_id
from coscribe.storage.engine import Database
from coscribe.storage.tables import principals

# A probe asks every few seconds and gives up soon; a writer that is busy for longer than this is not ready.
CHECK_TIMEOUT_S = 5.0


class SqlHealth:
    """The port Health."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self) -> None:
        """Write and roll back; raises Unavailable with the reason, after 5 s at the latest."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._write_and_roll_back()
        except Unavailable as error:
            raise Unavailable(f"Storage cannot be written to: {cause_of(error)}.") from error
        except TimeoutError as error:
            raise Unavailable(f"Storage cannot be written to: no answer in {CHECK_TIMEOUT_S:g} s.") from error

    async def _write_and_roll_back(self) -> None:
        row = {"id": new_id(), "kind": PrincipalKind.SERVER.value, "name": "", "colour": 0}
        async with self._database.write() as connection:
            await connection.execute(insert(principals).values(row))
            await connection.rollback()
