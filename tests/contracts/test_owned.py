"""How many documents somebody owns, which every Documents knows."""

from __future__ import annotations

from tests.contracts.values import NOW, after, an_activity, stored

from coscribe.ports import DocumentChanges
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database


async def test_documents_are_counted_for_their_owner_until_they_are_gone_for_good(database: Database) -> None:
    documents = SqlDocuments(database, now=lambda: NOW)
    mine = [await stored(database, owner_id="me") for _ in range(3)]
    await stored(database, owner_id="you")
    assert (await documents.owned("me"), await documents.owned("you"), await documents.owned("nobody")) == (3, 1, 0)

    await documents.change(mine[0].id, DocumentChanges(trashed=True), an_activity(), after(1))
    assert await documents.owned("me") == 3

    await documents.purge(mine[0].id)
    assert await documents.owned("me") == 2
