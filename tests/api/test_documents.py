"""Documents over REST: made, listed, named, shared, trashed, restored, purged."""

from __future__ import annotations

import time

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, path_of, put_text, text_of
from tests.support.server import CoscribeServer


def test_a_token_makes_a_restricted_document(owner: httpx.Client) -> None:
    answer = owner.post("/api/v1/documents", json={"title": "Plan", "text": "one\r\ntwo\r", "language": "markdown"})
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == path_of(made)
    assert made["access"] == "restricted"
    assert made["role"] == "owner"
    assert made["owner"]["kind"] == "token"
    assert (made["title"], made["title_by_hand"]) == ("Plan", True)
    assert (made["generation"], made["seq"], made["trashed_at"]) == (1, 1, None)
    assert text_of(owner, made) == "one\ntwo\n"
    assert owner.get(path_of(made)).json() == made


def test_a_guest_makes_a_document_that_whoever_has_its_address_may_edit(
    guest: httpx.Client, server: CoscribeServer
) -> None:
    made = new_document(guest)
    assert made["access"] == "editor"
    assert made["owner"]["kind"] == "guest"
    assert made["owner"]["id"] == guest.get("/api/v1/me").json()["id"]
    with server.client() as other:
        assert other.get(path_of(made)).json()["role"] == "editor"
        assert put_text(other, made, "hello").status_code == 200


def test_access_may_be_said_when_a_document_is_made(guest: httpx.Client) -> None:
    assert new_document(guest, access="restricted")["access"] == "restricted"


def test_the_title_is_taken_from_the_text_unless_it_is_set(owner: httpx.Client) -> None:
    made = new_document(owner, text="intro\n\n# The *first* heading\n")
    assert (made["title"], made["title_by_hand"]) == ("The first heading", False)
    named = owner.patch(path_of(made), json={"title": " By\thand\u202e "}).json()
    assert (named["title"], named["title_by_hand"]) == ("By hand", True)
    returned = owner.patch(path_of(made), json={"title": ""}).json()
    assert (returned["title"], returned["title_by_hand"]) == ("The first heading", False)
    assert owner.get(path_of(made)).json() == returned


def test_a_title_of_more_than_200_characters_is_refused(owner: httpx.Client) -> None:
    made = new_document(owner, title="x" * 200)
    problem = assert_problem(owner.patch(path_of(made), json={"title": "y" * 201}), 422, "invalid-input")
    assert problem["field"] == "title"
    assert owner.get(path_of(made)).json()["title"] == "x" * 200


def test_what_cannot_be_stored_leaves_no_document(owner: httpx.Client) -> None:
    before = owner.get("/api/v1/documents", params={"q": "half a pair"}).json()["items"]
    raw = b'{"title": "half a pair", "text": "\\ud83d"}'
    answer = owner.post("/api/v1/documents", content=raw, headers={"Content-Type": "application/json"})
    assert assert_problem(answer, 422, "invalid-input")["field"] == "text"
    assert owner.get("/api/v1/documents", params={"q": "half a pair"}).json()["items"] == before == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"access": "owner"}, "access"),
        ({"title": 7}, "title"),
        ({"language": "Not a language"}, "language"),
        ({"owner_id": "me"}, "owner_id"),
        ({"role": "owner"}, "role"),
    ],
)
def test_fields_that_are_unknown_or_unfit_are_named(owner: httpx.Client, body: dict[str, object], field: str) -> None:
    assert assert_problem(owner.post("/api/v1/documents", json=body), 422, "invalid-input")["field"] == field


def test_language_and_access_change(owner: httpx.Client, guest: httpx.Client) -> None:
    made = new_document(owner)
    assert_problem(guest.get(path_of(made)), 404, "not-found")
    changed = owner.patch(path_of(made), json={"language": "python", "access": "viewer"}).json()
    assert (changed["language"], changed["access"]) == ("python", "viewer")
    assert guest.get(path_of(made)).json()["role"] == "viewer"
    owner.patch(path_of(made), json={"access": "restricted"})
    assert_problem(guest.get(path_of(made)), 404, "not-found")


def test_lists_go_page_by_page_newest_first(server: CoscribeServer) -> None:
    with server.client(server.token("lister")) as client:
        made = [new_document(client, title=f"Paper {number}")["id"] for number in range(7)]
        page = client.get("/api/v1/documents", params={"limit": 3}).json()
        pages = [page]
        while page["next"] is not None:
            page = client.get("/api/v1/documents", params={"limit": 3, "cursor": page["next"]}).json()
            pages.append(page)
    assert [len(page["items"]) for page in pages] == [3, 3, 1]
    assert [item["id"] for page in pages for item in page["items"]] == made[::-1]


def test_lists_search_titles_and_hold_what_was_opened(owner: httpx.Client, guest: httpx.Client) -> None:
    made = new_document(owner, title="Übung zwölf", access="viewer")
    assert guest.get("/api/v1/documents").json() == {"items": [], "next": None}
    guest.get("/api/v1/me")
    assert guest.get("/api/v1/documents").json()["items"] == []
    guest.get(path_of(made))
    (item,) = guest.get("/api/v1/documents", params={"q": "ÜBUNG ZW"}).json()["items"]
    assert (item["id"], item["role"], item["owner"]["name"]) == (made["id"], "viewer", "owner")
    assert guest.get("/api/v1/documents", params={"q": "%"}).json()["items"] == []


def test_lists_search_texts_too(owner: httpx.Client, guest: httpx.Client) -> None:
    made = new_document(owner, text="# Orchard\n\nPlums, *cherries* and Äpfel.\n")

    def found(client: httpx.Client, q: str) -> list[str]:
        return [item["id"] for item in client.get("/api/v1/documents", params={"q": q}).json()["items"]]

    until = time.monotonic() + 10
    while not found(owner, "cherr ÄPF"):
        assert time.monotonic() < until, "the words come a second after the text"
    assert found(owner, "cherr ÄPF") == [made["id"]]
    assert found(owner, "cherr pears") == found(guest, "cherr") == []
    owner.patch(path_of(made), json={"access": "restricted"})
    assert guest.get("/api/v1/documents").json()["items"] == []


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"cursor": "made up"}, {"trashed": "perhaps"}])
def test_bad_list_queries_are_refused(owner: httpx.Client, query: dict[str, str]) -> None:
    problem = assert_problem(owner.get("/api/v1/documents", params=query), 422, "invalid-input")
    assert problem["field"] in query


def test_the_trash_is_the_owners_alone(owner: httpx.Client, guest: httpx.Client) -> None:
    made = new_document(owner, text="kept", access="editor")
    guest.get("/api/v1/me")
    assert guest.get(path_of(made)).status_code == 200
    assert owner.delete(path_of(made)).status_code == 204
    assert owner.delete(path_of(made)).status_code == 204, "again changes nothing"
    assert_problem(guest.get(path_of(made)), 404, "not-found")
    assert guest.get("/api/v1/documents").json()["items"] == []
    assert owner.get(path_of(made)).json()["trashed_at"] is not None
    assert text_of(owner, made) == "kept"
    assert_problem(put_text(owner, made, "changed"), 409, "in-trash")
    assert_problem(owner.patch(path_of(made), json={"title": "changed"}), 409, "in-trash")
    assert_problem(owner.get(path_of(made, "/events")), 409, "in-trash")
    trash = owner.get("/api/v1/documents", params={"trashed": True, "limit": 100}).json()["items"]
    assert made["id"] in [item["id"] for item in trash]
    assert made["id"] not in [item["id"] for item in owner.get("/api/v1/documents").json()["items"]]


def test_restore_brings_it_all_back(owner: httpx.Client, guest: httpx.Client) -> None:
    made = new_document(owner, text="kept", access="viewer")
    owner.delete(path_of(made))
    restored = owner.post(path_of(made, "/restore"))
    assert restored.status_code == 200
    assert restored.json()["trashed_at"] is None
    assert owner.post(path_of(made, "/restore")).json() == restored.json(), "again changes nothing"
    assert text_of(guest, made) == "kept"
    assert put_text(owner, made, "goes on").json()["seq"] == 2


def test_only_what_is_in_the_trash_is_removed_for_good(owner: httpx.Client) -> None:
    made = new_document(owner, text="gone soon")
    problem = assert_problem(owner.delete(path_of(made), params={"permanent": True}), 422, "invalid-input")
    assert problem["field"] == "permanent"
    owner.delete(path_of(made))
    assert owner.delete(path_of(made), params={"permanent": True}).status_code == 204
    for answer in (
        owner.get(path_of(made)),
        owner.get(path_of(made, "/text")),
        owner.post(path_of(made, "/restore")),
        owner.delete(path_of(made), params={"permanent": True}),
    ):
        assert_problem(answer, 404, "not-found")
