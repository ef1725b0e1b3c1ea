"""What every Grants does."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from tests.contracts.values import NOW, a_link, after, stored

from coscribe.errors import NotFound
from coscribe.model import Access, Role
from coscribe.ports import DocumentQuery, Grants
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.grants import SqlGrants
from coscribe.storage.tables import visits


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def grants(database: Database, clock: Clock) -> Grants:
    return SqlGrants(database, now=clock)


async def test_a_link_is_found_by_its_secret_and_its_document(grants: Grants, database: Database) -> None:
    document = await stored(database)
    later = a_link(document.id, Role.EDITOR, created_at=after(2), expires_at=after(60))
    earlier = a_link(document.id, created_at=after(1), expires_at=NOW)
    for link in (later, earlier):
        await grants.add_link(link)

    assert await grants.links(document.id) == [earlier, later]
    assert await grants.link_by_secret(later.secret_sha256) == later
    assert await grants.link_by_secret(earlier.secret_sha256) == earlier
    assert await grants.link_by_secret("unknown") is None
    assert await grants.links("unknown") == []


async def test_the_highest_granted_role_counts(grants: Grants, database: Database) -> None:
    document, other = await stored(database), await stored(database)
    assert await grants.role_of(document.id, "me") is None
    for role in (Role.COMMENTER, Role.EDITOR, Role.VIEWER):
        link = a_link(document.id, role)
        await grants.add_link(link)
        await grants.grant_by_link(link, "me")

    assert await grants.role_of(document.id, "me") is Role.EDITOR
    assert await grants.role_of(document.id, "someone") is None
    assert await grants.role_of(other.id, "me") is None


async def test_a_grant_ends_with_its_link(grants: Grants, database: Database, clock: Clock) -> None:
    document = await stored(database)
    lasting, short = a_link(document.id), a_link(document.id, Role.EDITOR, expires_at=after(10))
    for link in (lasting, short):
        await grants.add_link(link)
        await grants.grant_by_link(link, "me")
        await grants.grant_by_link(link, "me")
    await grants.grant_by_link(lasting, "you")

    assert await grants.role_of(document.id, "me") is Role.EDITOR
    clock.now = after(10)
    assert await grants.role_of(document.id, "me") is Role.VIEWER
    assert await grants.revoke_link(document.id, lasting.id)
    assert await grants.role_of(document.id, "me") is None
    assert await grants.role_of(document.id, "you") is None
    assert await grants.links(document.id) == [short]


async def test_revoking_needs_the_right_document(grants: Grants, database: Database) -> None:
    document, other = await stored(database), await stored(database)
    link = a_link(document.id)
    await grants.add_link(link)

    assert not await grants.revoke_link(other.id, link.id)
    assert not await grants.revoke_link(document.id, "unknown")
    assert await grants.links(document.id) == [link]
    assert await grants.revoke_link(document.id, link.id)
    assert not await grants.revoke_link(document.id, link.id)


async def test_what_is_gone_gives_nothing(grants: Grants, database: Database) -> None:
    document = await stored(database)
    link = a_link(document.id)

    with pytest.raises(NotFound):
        await grants.grant_by_link(link, "me")
    with pytest.raises(NotFound):
        await grants.add_link(a_link("gone"))
    with pytest.raises(NotFound):
        await grants.visited("gone", "me", NOW)
    # The writer is whole after each refusal.
    await grants.add_link(link)


async def test_the_last_visit_is_remembered(grants: Grants, database: Database) -> None:
    document = await stored(database, access=Access.VIEWER)

    await grants.visited(document.id, "me", NOW)
    await grants.visited(document.id, "me", after(5))

    items, _ = await SqlDocuments(database).page(DocumentQuery("me"))
    assert items == [document]
    async with database.read() as connection:
        assert (await connection.execute(select(visits.c.at))).scalars().all() == [after(5)]
