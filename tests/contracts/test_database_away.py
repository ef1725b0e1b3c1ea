"""An UpdateLog whose database goes away in the middle of what it does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.contracts.test_update_log import append_of
from tests.contracts.values import an_entry, stored

from coscribe.errors import Unavailable
from coscribe.model import Append, Appended, Behind, Replaced
from coscribe.storage.engine import Database
from coscribe.storage.update_log import SqlUpdateLog


class _GoesAway(SqlUpdateLog):
    """Its database goes away after the first document that is stored by itself."""

    commits = 0

    async def _commit(self, batch: Sequence[Append]) -> list[Appended | Replaced | Behind | None]:
        self.commits += 1
        if self.commits == 3:
            raise Unavailable("Storage cannot be written to at the moment.") from OSError("no space left")
        return await super()._commit(batch)


async def test_d8_a_database_that_goes_away_meanwhile_makes_no_document_a_damaged_one(database: Database) -> None:
    one, two, three = [await stored(database) for _ in range(3)]
    log = _GoesAway(database)
    batch = [append_of(one.id, b"a"), append_of(two.id, b"b"), Append(three.id, 1, (an_entry(session_id="\0"),))]

    with pytest.raises(Unavailable):
        await log.append(batch)

    assert (await log.append(batch))[:2] == [Appended(2), Appended(1)]
    assert [entry.payload for entry in await log.read(one.id, 1, after=0)] == [b"a", b"a"]
