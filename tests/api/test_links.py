"""Links with a secret: what they give, for how long, and what they never give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, new_link, path_of, put_text, text_of
from tests.support.server import CoscribeServer


def test_a_links_secret_is_shown_once(owner: httpx.Client, server: CoscribeServer) -> None:
    made = new_document(owner)
    answer = owner.post(path_of(made, "/links"), json={"role": "viewer"})
    link = answer.json()
    assert link["url"].startswith(f"{server.url}/r/csl_")
    assert len(link["url"].rpartition("csl_")[2]) == 43, "256 bits"
    assert made["id"] not in link["url"]
    listed = owner.get(path_of(made, "/links"))
    assert listed.json()["items"] == [{name: value for name, value in link.items() if name != "url"}]
    assert link["url"].rpartition("/")[2] not in listed.text


@pytest.mark.parametrize(("role", "page"), [("viewer", "r"), ("commenter", "s"), ("editor", "s")])
def test_each_role_has_its_page(owner: httpx.Client, role: str, page: str) -> None:
    answer = owner.post(path_of(new_document(owner), "/links"), json={"role": role})
    assert f"/{page}/csl_" in answer.json()["url"]
    assert answer.json()["role"] == role


def test_a_revoked_link_gives_nothing(owner: httpx.Client, server: CoscribeServer) -> None:
    made = new_document(owner, text="text")
    link_id, secret = new_link(owner, made, "editor")
    with server.client(secret) as bearer:
        assert put_text(bearer, made, "by link").status_code == 200
        assert owner.delete(path_of(made, f"/links/{link_id}")).status_code == 204
        assert_problem(bearer.get(path_of(made, "/text")), 401, "unauthenticated")
    assert_problem(owner.delete(path_of(made, f"/links/{link_id}")), 404, "not-found")
    assert owner.get(path_of(made, "/links")).json() == {"items": []}
    assert text_of(owner, made) == "by link"


def test_an_expired_link_gives_nothing(owner: httpx.Client, server: CoscribeServer) -> None:
    made = new_document(owner, text="text")
    expires = datetime.now(UTC) + timedelta(seconds=1)
    _, secret = new_link(owner, made, "viewer", expires_at=expires.isoformat())
    _, invitation = new_link(owner, made, "editor", expires_at=expires.isoformat())
    with server.client(secret) as bearer:
        assert text_of(bearer, made) == "text"
        while datetime.now(UTC) < expires:
            assert bearer.get(path_of(made)).status_code in (200, 401, 404)
        assert_problem(bearer.get(path_of(made, "/text")), 401, "unauthenticated")
    assert [item["expired"] for item in owner.get(path_of(made, "/links")).json()["items"]] == [True, True]
    with server.client() as stranger:
        assert stranger.get(f"/r/{secret}").status_code == 404
        assert stranger.get(f"/s/{invitation}").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"role": "owner"}, "role"), ({}, "role"), ({"role": "viewer", "password": "x"}, "password"),
        ({"role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"role": "viewer", "expires_at": "2120-01-01T00:00:00"}, "expires_at"),
        ({"role": "viewer", "document_id": "x"}, "document_id"),
    ],
)  # fmt: skip
def test_bad_links_are_refused(owner: httpx.Client, body: dict[str, object], field: str) -> None:
    made = new_document(owner)
    assert assert_problem(owner.post(path_of(made, "/links"), json=body), 422, "invalid-input")["field"] == field
    assert owner.get(path_of(made, "/links")).json() == {"items": []}


def test_a_link_dies_with_its_document_and_rests_in_the_trash(owner: httpx.Client, server: CoscribeServer) -> None:
    made = new_document(owner, text="text")
    _, secret = new_link(owner, made, "viewer")
    with server.client(secret) as bearer:
        owner.delete(path_of(made))
        assert_problem(bearer.get(path_of(made)), 404, "not-found")
        owner.post(path_of(made, "/restore"))
        assert bearer.get(path_of(made)).json()["role"] == "viewer"
        owner.delete(path_of(made))
        owner.delete(path_of(made), params={"permanent": True})
        assert_problem(bearer.get(path_of(made)), 401, "unauthenticated")


def test_an_end_that_no_calendar_reaches_is_refused(owner: httpx.Client) -> None:
    ends = "9999-12-31T23:59:59-14:00"  # in UTC that is a day of the year 10000
    answer = owner.post(path_of(new_document(owner), "/links"), json={"role": "viewer", "expires_at": ends})
    assert_problem(answer, 422, "invalid-input")
    assert answer.json()["field"] == "expires_at"
