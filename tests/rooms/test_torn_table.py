"""D8: a table that takes nothing is trouble of the server, a document that cannot be stored is its own."""

from __future__ import annotations

from sqlalchemy import text
from tests.contracts.values import stored
from tests.rooms.building import eventually
from tests.rooms.test_endurance import Page, recording

from coscribe.model import Appended
from coscribe.rooms.recorder import Recorder
from coscribe.storage.engine import Database
from coscribe.storage.update_log import SqlUpdateLog

# Refused by the database as damaged rows are, and nothing else is refused.
_TEAR = {
    "sqlite": "CREATE TRIGGER torn BEFORE INSERT ON updates BEGIN SELECT RAISE(ABORT, 'torn'); END",
    "postgresql": "ALTER TABLE updates ADD CONSTRAINT torn CHECK (seq < 0) NOT VALID",
}
_MEND = {"sqlite": "DROP TRIGGER torn", "postgresql": "ALTER TABLE updates DROP CONSTRAINT torn"}


async def do(database: Database, statements: dict[str, str]) -> None:
    async with database.write() as connection:
        await connection.execute(text(statements[connection.dialect.name]))


async def submitted(recorder: Recorder, database: Database) -> Page:
    """A page of a new document, as soon as it was stored or could not be."""
    page = Page((await stored(database)).id, followed)
    recorder.submit(page)
    await eventually(lambda: page.is_spoiled or page.told.is_set())
    return page


def followed(_: Appended) -> None:
    """Nothing needs to be done."""


async def test_a_log_that_stores_nothing_of_any_document_is_trouble_until_it_does(database: Database) -> None:
    async with recording(SqlUpdateLog(database)) as (recorder, failures):
        await do(database, _TEAR)
        assert (await submitted(recorder, database)).is_spoiled
        assert recorder.trouble is None  # it may be this document alone
        assert (await submitted(recorder, database)).is_spoiled
        await eventually(lambda: recorder.trouble is not None)
        assert "torn" in str(recorder.trouble)
        assert (await submitted(recorder, database)).is_spoiled
        assert [str(failure).startswith("Of 2 documents none can be stored: ") for failure in failures] == [True]

        await do(database, _MEND)
        assert (await submitted(recorder, database)).told.is_set()
        await eventually(lambda: recorder.trouble is None)


async def test_many_at_once_are_trouble_too(database: Database) -> None:
    pages = [Page((await stored(database)).id, followed) for _ in range(3)]
    await do(database, _TEAR)
    async with recording(SqlUpdateLog(database)) as (recorder, _):
        for page in pages:
            recorder.submit(page)
        await eventually(lambda: all(page.is_spoiled for page in pages))
        assert recorder.trouble is not None
