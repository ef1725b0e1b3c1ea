"""A visit is a line in a list: it must not stand in the way of reading."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.contracts.values import stored

from coscribe.errors import Unavailable
from coscribe.services.visits import Visits
from coscribe.storage.engine import Database
from coscribe.storage.grants import SqlGrants


class GrantsOfALockedFile(SqlGrants):
    """Real grants whose first writes fail, as while another process holds the file."""

    failures = 1
    visits = 0

    async def visited(self, document_id: str, principal_id: str, at: datetime) -> None:
        self.visits += 1
        if self.visits <= self.failures:
            raise Unavailable("The database is locked.")
        await super().visited(document_id, principal_id, at)


async def test_a_visit_that_cannot_be_stored_is_stored_the_next_time(sqlite: Database) -> None:
    document = await stored(sqlite)
    grants = GrantsOfALockedFile(sqlite, now=lambda: datetime.now(UTC))
    visits = Visits(grants)
    for _ in range(3):
        await visits.note(document.id, document.owner_id)
    assert grants.visits == 2
