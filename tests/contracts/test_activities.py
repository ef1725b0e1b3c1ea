"""What every Activities does."""

from __future__ import annotations

import pytest
from tests.contracts.values import NOW, a_link, after, an_activity, an_entry, stored

from coscribe.model import Access, Append
from coscribe.ports import Activities, DocumentChanges
from coscribe.storage.activities import SqlActivities
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.grants import SqlGrants
from coscribe.storage.update_log import SqlUpdateLog


@pytest.fixture
def activities(database: Database) -> Activities:
    return SqlActivities(database, now=lambda: NOW)


async def edit(database: Database, document_id: str, name: str) -> int:
    """One edit with one activity; its id."""
    append = Append(document_id, 1, (an_entry(),), (), (an_activity(name=name),))
    [answer] = await SqlUpdateLog(database).append([append])
    assert answer is not None
    return answer.activities[0].id


async def test_nothing_happened_yet(activities: Activities) -> None:
    assert await activities.head() == 0
    assert await activities.head("unknown") == 0
    assert await activities.of_document("unknown", after=0, after_seq=0) == []
    assert await activities.of_principal("nobody", after=0) == []


async def test_of_one_document_after_an_id_and_a_seq(activities: Activities, database: Database) -> None:
    document, other = await stored(database), await stored(database)
    first = await edit(database, document.id, "1")
    await edit(database, other.id, "other")
    for name in ("2", "3", "4"):
        await edit(database, document.id, name)

    async def names(after: int, after_seq: int, limit: int = 256) -> list[str]:
        found = await activities.of_document(document.id, after=after, after_seq=after_seq, limit=limit)
        assert [item.id for item in found] == sorted(item.id for item in found)
        return [item.name for item in found]

    assert await names(0, -1) == ["Otter", "1", "2", "3", "4"]
    assert await names(0, 0) == ["1", "2", "3", "4"]
    assert await names(first, 0) == ["2", "3", "4"]
    assert await names(0, 3) == ["4"]
    assert await names(first, 0, limit=2) == ["2", "3"]


async def test_the_head_of_one_and_of_all(activities: Activities, database: Database) -> None:
    document, other = await stored(database), await stored(database)
    first = await edit(database, document.id, "a")
    second = await edit(database, other.id, "b")

    assert second > first
    assert await activities.head(document.id) == first
    assert await activities.head(other.id) == second
    assert await activities.head() == second


async def test_ids_rise_even_when_the_newest_were_purged(activities: Activities, database: Database) -> None:
    document, purged = await stored(database), await stored(database)
    highest = await edit(database, purged.id, "gone")
    await SqlDocuments(database).purge(purged.id)

    assert await edit(database, document.id, "later") > highest


async def test_a_principal_hears_of_what_it_may_read(activities: Activities, database: Database) -> None:
    grants = SqlGrants(database)
    own = await stored(database, owner_id="me")
    opened = await stored(database, access=Access.COMMENTER)
    granted, expired, closed, strange = [await stored(database) for _ in range(4)]
    for document, expires_at in ((granted, None), (expired, NOW)):
        link = a_link(document.id, expires_at=expires_at)
        await grants.add_link(link)
        await grants.grant_by_link(link, "me")
    for document in (own, opened, closed):
        await grants.visited(document.id, "me", NOW)
    start = await activities.head()
    named = {"own": own, "opened": opened, "granted": granted, "expired": expired, "closed": closed}
    ids = [await edit(database, document.id, name) for name, document in (named | {"x": strange}).items()]

    found = await activities.of_principal("me", after=start)

    assert [item.name for item in found] == ["own", "opened", "granted"]
    assert [item.name for item in await activities.of_principal("me", after=ids[0])] == ["opened", "granted"]
    assert [item.name for item in await activities.of_principal("me", after=start, limit=1)] == ["own"]


async def test_readers_hear_that_a_document_was_trashed(activities: Activities, database: Database) -> None:
    document = await stored(database, access=Access.VIEWER)
    await SqlGrants(database).visited(document.id, "reader", NOW)
    start = await activities.head()

    changes = DocumentChanges(trashed=True)
    await SqlDocuments(database).change(document.id, changes, an_activity(name="bin"), after(1))

    assert [item.name for item in await activities.of_principal("reader", after=start)] == ["bin"]
