"""What every Documents does: rows, changes, purging, and pages."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace

import pytest
from sqlalchemy import func, select
from tests.contracts.values import NOW, a_document, a_link, after, an_activity, an_entry, stored

from coscribe.core.words import listed_words, words_of
from coscribe.errors import InvalidInput
from coscribe.model import Access, ActivityKind, Append, Damage, Document, Place, Role, RowKind, Snapshot
from coscribe.ports import DocumentChanges, DocumentQuery, Documents
from coscribe.storage.accepted import accept
from coscribe.storage.activities import SqlActivities
from coscribe.storage.archive import SqlArchive
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.grants import SqlGrants
from coscribe.storage.tables import metadata
from coscribe.storage.update_log import SqlUpdateLog
from coscribe.storage.verify import Finding


@pytest.fixture
def documents(database: Database) -> Documents:
    return SqlDocuments(database, now=lambda: NOW)


async def listed(documents: Documents, principal_id: str = "owner", **fields: object) -> list[str]:
    items, _ = await documents.page(DocumentQuery(principal_id, **fields))  # type: ignore[arg-type]
    return [document.title for document in items]


async def test_a_document_comes_back_as_it_went_in(documents: Documents) -> None:
    document = a_document(title="Straße 🎉", title_by_hand=True, access=Access.EDITOR, trashed_at=after(3))

    told = await documents.create(document, an_activity(ActivityKind.CREATED, data={"from": "é\0"}))

    assert await documents.get(document.id) == document
    assert (told.kind, told.seq, told.document_id) == (ActivityKind.CREATED, 0, document.id)
    assert told.data == {"from": "é\0"}
    assert await documents.get("unknown") is None


async def test_changes_and_their_activity_go_together(documents: Documents, database: Database) -> None:
    document = await stored(database)
    await SqlUpdateLog(database).append([Append(document.id, 1, (an_entry(), an_entry()))])
    changes = DocumentChanges(title="Plan", language="python", access=Access.VIEWER)

    answer = await documents.change(document.id, changes, an_activity(ActivityKind.RENAMED), after(9))

    assert answer is not None
    changed, told = answer
    assert changed == replace(
        document,
        title="Plan",
        title_by_hand=True,
        language="python",
        access=Access.VIEWER,
        seq=2,
        updated_at=after(9),
    )
    assert told is not None
    assert (told.seq, told.kind) == (2, ActivityKind.RENAMED)
    assert await documents.get(document.id) == changed
    assert await SqlActivities(database).head(document.id) == told.id


async def test_a_change_without_activity(documents: Documents, database: Database) -> None:
    document = await stored(database)
    before = await SqlActivities(database).head()

    answer = await documents.change(document.id, DocumentChanges(language="toml"), None, after(1))

    assert answer == (replace(document, language="toml", updated_at=after(1)), None)
    assert await SqlActivities(database).head() == before


async def test_a_change_of_nothing_that_is_there(documents: Documents) -> None:
    assert await documents.change("unknown", DocumentChanges(title="x"), an_activity(), NOW) is None
    derived = DocumentChanges(title="x", title_by_hand=False)
    assert await documents.change("unknown", derived, an_activity(), NOW) is None


async def test_a_derived_title_never_replaces_one_set_by_hand(documents: Documents, database: Database) -> None:
    document = await stored(database)
    derived = DocumentChanges(title="Heading", title_by_hand=False)

    first = await documents.change(document.id, derived, an_activity(ActivityKind.RENAMED), after(1))
    by_hand = await documents.change(document.id, DocumentChanges(title="Mine"), None, after(2))
    dropped = await documents.change(
        document.id, replace(derived, title="Other"), an_activity(ActivityKind.RENAMED), after(3)
    )

    assert first is not None
    assert by_hand is not None
    assert (first[0].title, first[0].title_by_hand) == ("Heading", False)
    assert first[0].updated_at == document.updated_at, "the text moves the time, not the title that follows it"
    assert dropped == (by_hand[0], None)
    assert by_hand[0].updated_at == after(2)
    head = await SqlActivities(database).head()
    assert first[1] is not None
    assert head == first[1].id


async def test_trash_and_back(documents: Documents, database: Database) -> None:
    document = await stored(database, title="Plan")

    async def trash(trashed: bool, seconds: int) -> Document:
        answer = await documents.change(document.id, DocumentChanges(trashed=trashed), None, after(seconds))
        assert answer is not None
        return answer[0]

    assert (await trash(True, 1)).trashed_at == after(1)
    assert (await trash(True, 2)).trashed_at == after(1)
    assert await listed(documents) == []
    assert await listed(documents, trashed=True) == ["Plan"]
    assert (await trash(False, 3)).trashed_at is None
    assert await listed(documents) == ["Plan"]
    assert await listed(documents, trashed=True) == []


async def test_purging_leaves_no_row_and_no_other_documents_alone(documents: Documents, database: Database) -> None:
    gone, kept = await stored(database), await stored(database)
    log, grants = SqlUpdateLog(database), SqlGrants(database)
    for document in (gone, kept):
        link = a_link(document.id)
        await log.append([Append(document.id, 1, (an_entry(), an_entry()), ((1, "owner"),), (an_activity(),))])
        await SqlArchive(database).pack(Place(document.id, 1), upto=1, least=1)
        await log.set_aside(Damage(Place(document.id, 1), RowKind.ENTRY, 2, "it is a test"))
        await log.store_snapshot(Snapshot(document.id, 1, 1, "yjs-v1", "yrs", b"state"))
        await grants.add_link(link)
        await grants.grant_by_link(link, "reader")
        await grants.visited(document.id, "reader", NOW)
        await documents.store_words(Place(document.id, 1), 2, " word ")
        await accept(database, [Finding(document.id, "it is a test")])

    await documents.purge(gone.id)
    await documents.purge(gone.id)

    of_documents = [table for table in metadata.sorted_tables if "document_id" in table.c]
    assert len(of_documents) == 11
    async with database.read() as connection:
        for table in of_documents:
            query = select(table.c.document_id, func.count()).group_by(table.c.document_id)
            rows = (await connection.execute(query)).all()
            assert [row.document_id for row in rows] == [kept.id], table.name
    assert await documents.get(gone.id) is None
    assert await SqlGrants(database).role_of(kept.id, "reader") is Role.VIEWER


async def test_a_page_lists_owned_granted_and_opened_documents(documents: Documents, database: Database) -> None:
    grants = SqlGrants(database)
    await stored(database, title="mine", owner_id="me")
    granted = await stored(database, title="granted")
    expired = await stored(database, title="expired")
    opened = await stored(database, title="opened", access=Access.VIEWER)
    closed = await stored(database, title="closed")
    await stored(database, title="strange", access=Access.EDITOR)
    trashed = await stored(database, title="trashed", access=Access.EDITOR, trashed_at=NOW)
    for document, expires_at in ((granted, after(1)), (expired, NOW)):
        link = a_link(document.id, expires_at=expires_at)
        await grants.add_link(link)
        await grants.grant_by_link(link, "me")
    for document in (granted, opened, closed, trashed):
        await grants.visited(document.id, "me", NOW)

    assert sorted(await listed(documents, "me")) == ["granted", "mine", "opened"]
    assert await listed(documents, "me", trashed=True) == []
    assert await listed(documents, trashed=True) == ["trashed"]
    assert await listed(documents, "nobody") == []


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("straße", ["Straße der Ähren"]),
        ("STRASSE", ["Straße der Ähren"]),
        ("ÄHREN", ["Straße der Ähren"]),
        ("A\u0308hren", ["Straße der Ähren"]),
        ("ΣΊΣΥΦΟΣ", ["Σίσυφος"]),
        ("100%", ["100% sure"]),
        ("0% s", ["100% sure"]),
        ("a_b", ["a_b"]),
        ("\\", ["back\\slash"]),
        ("/", ["and/or"]),
        ("'", ["it's"]),
        ("%", ["100% sure"]),
        ("none of them", []),
    ],
)
async def test_q_matches_titles_case_folded_and_literally(
    documents: Documents, database: Database, q: str, titles: list[str]
) -> None:
    for title in ("Straße der Ähren", "Σίσυφος", "100% sure", "a_b", "axb", "back\\slash", "and/or", "it's"):
        await stored(database, title=title)

    assert await listed(documents, q=q) == titles


async def test_q_follows_a_new_title(documents: Documents, database: Database) -> None:
    document = await stored(database, title="Old")

    await documents.change(document.id, DocumentChanges(title="NEW"), None, NOW)

    assert await listed(documents, q="old") == []
    assert await listed(documents, q="new") == ["NEW"]


TEXTS = {
    "song": "Straße der Ähren, and back\\slash",
    "greek": "Σίσυφος a_b",
    "hindi": "हिन्दी में खोज",
    "chinese": "今天天氣很好。明天下雨。",
    "prices": "it's 100% sure: o'clock",
    "long": "y" * 100,
}


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("STRASSE", ["song"]),
        ("a\u0308hr der", ["song"]),
        ("hren", []),
        ("slash 'back\\", ["song"]),
        ("ΣΊΣΥΦΟΣ", ["greek"]),
        ("a_", ["greek"]),
        ("axb", []),
        ("हिन्", ["hindi"]),
        ("हा", []),
        ("今天天", ["chinese"]),
        ("明天下雨", ["chinese"]),
        ("天氣", []),
        ("o'clock 100%", ["prices"]),
        ("it & | ! :* ( clo", ["prices"]),
        ("it sure none", []),
        ("y" * 99, ["long"]),
        ("y" * 65 + "z", []),
        ("on", ["song", "long"]),
        ("%", []),
        ("' OR ''='", []),
    ],
)
async def test_q_finds_texts_by_the_beginnings_of_their_words(
    documents: Documents, database: Database, q: str, titles: list[str]
) -> None:
    for title, text in TEXTS.items():
        document = await stored(database, title=title)
        await documents.store_words(Place(document.id, 1), 1, listed_words(text))

    assert sorted(await listed(documents, q=q, words=words_of(q))) == sorted(titles)


async def test_q_finds_texts_only_among_ones_own(documents: Documents, database: Database) -> None:
    strange, trashed = await stored(database, owner_id="other"), await stored(database, title="gone", trashed_at=NOW)
    for document in (strange, trashed):
        await documents.store_words(Place(document.id, 1), 1, " plum ")

    assert await listed(documents, q="plum", words=["plum"]) == []
    assert await listed(documents, q="plum", words=["plum"], trashed=True) == ["gone"]


async def test_the_newest_words_stay(documents: Documents, database: Database) -> None:
    document = await stored(database)
    assert await documents.worded(document.id) == 0

    for seq, words in ((2, " second "), (1, " first "), (2, " again ")):
        await documents.store_words(Place(document.id, 1), seq, words)

    assert await documents.worded(document.id) == 2
    assert await listed(documents, q="sec", words=["sec"]) == ["Untitled"]
    assert await listed(documents, q="first", words=["first"]) == []
    await documents.store_words(Place(document.id, 1), 3, "  ")
    assert await listed(documents, q="sec", words=["sec"]) == []


async def test_no_words_of_what_is_gone_or_replaced(documents: Documents, database: Database) -> None:
    gone, replaced = await stored(database), await stored(database, generation=2)
    await documents.purge(gone.id)

    for document in (gone, replaced):
        await documents.store_words(Place(document.id, 1), 1, " plum ")
        assert await documents.worded(document.id) == 0


async def test_as_many_words_as_a_question_can_have(documents: Documents, database: Database) -> None:
    document = await stored(database)
    words = words_of(" ".join(chr(0x4E00 + number) for number in range(250)))
    await documents.store_words(Place(document.id, 1), 1, listed_words(" ".join(words)))

    assert await listed(documents, q="x", words=words) == ["Untitled"]
    assert await listed(documents, q="x", words=[*words, "none"]) == []


async def test_pages_follow_each_other_without_gap_or_repeat(documents: Documents, database: Database) -> None:
    chance = random.Random(2)
    # Many share a time, so that the id has to decide.
    all_of_them = [await stored(database, updated_at=after(chance.randrange(5))) for _ in range(23)]
    expected = sorted(all_of_them, key=lambda item: item.id)
    expected.sort(key=lambda item: item.updated_at, reverse=True)

    seen: list[Document] = []
    cursor: str | None = None
    while True:
        items, cursor = await documents.page(DocumentQuery("owner", limit=4, cursor=cursor))
        seen += items
        if cursor is None:
            break

    assert seen == expected


async def test_a_last_page_that_is_full_has_no_cursor(documents: Documents, database: Database) -> None:
    for _ in range(3):
        await stored(database)

    items, cursor = await documents.page(DocumentQuery("owner", limit=3))

    assert (len(items), cursor) == (3, None)


def coded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "?",
        "é",
        "bm8",
        "=" * 8,
        "AAAA\n",
        coded(None),
        coded([]),
        coded([1]),
        coded([True, "id"]),
        coded([1.5, "id"]),
        coded(["1", "id"]),
        coded([-1, "id"]),
        coded([2**63, "id"]),
        coded([10**18, "id"]),
        coded([1, 2]),
        coded([1, "i\0d"]),
        coded([1, ""]),
        coded([1, "id\n"]),
        coded([1, "i" * 65]),
        coded([1, "id", 3]),
        coded({"0": 1}),
        coded([[[[[]]]]] * 50),
        base64.urlsafe_b64encode(b"[NaN, \xff]").decode(),
    ],
)
async def test_a_cursor_that_is_none_is_refused(documents: Documents, cursor: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await documents.page(DocumentQuery("owner", cursor=cursor))

    assert refusal.value.field == "cursor"


async def test_the_last_moment_there_is_makes_a_good_cursor(documents: Documents) -> None:
    assert await documents.page(DocumentQuery("owner", cursor=coded([253402300799999999, "z"]))) == ([], None)


@pytest.mark.parametrize(("fields", "field"), [({"limit": 0}, "limit"), ({"q": "a" * 501}, "q")])
async def test_queries_out_of_bounds_are_refused(documents: Documents, fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await listed(documents, **fields)

    assert refusal.value.field == field


@pytest.mark.parametrize("title", ["a\0b", "half \ud83d pair"])
async def test_what_postgresql_cannot_hold_is_refused_everywhere(
    documents: Documents, database: Database, title: str
) -> None:
    document = await stored(database)

    with pytest.raises(InvalidInput):
        await documents.create(a_document(title=title), an_activity())
    with pytest.raises(InvalidInput):
        await documents.change(document.id, DocumentChanges(title=title), None, NOW)
    with pytest.raises(InvalidInput):
        await documents.get(title)

    assert await documents.get(document.id) == document
