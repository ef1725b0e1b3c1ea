"""The caller himself: a friendly name at first, then his own."""

from __future__ import annotations

import re

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, path_of
from tests.support.server import CoscribeServer


def test_a_guest_has_a_friendly_name_and_one_of_twelve_colours(guest: httpx.Client) -> None:
    me = guest.get("/api/v1/me").json()
    assert me.keys() == {"id", "kind", "name", "colour"}
    assert me["kind"] == "guest"
    assert re.fullmatch(r"Anonymous [A-Z][a-z]+", me["name"])
    assert 0 <= me["colour"] < 12


def test_name_and_colour_change_and_stay(guest: httpx.Client) -> None:
    me = guest.get("/api/v1/me").json()
    changed = guest.patch("/api/v1/me", json={"name": "  Ada \u202eLove\u200blace\n"})
    assert changed.json() == {**me, "name": "Ada Lovelace"}
    assert guest.patch("/api/v1/me", json={"colour": 11}).json() == {**me, "name": "Ada Lovelace", "colour": 11}
    assert guest.get("/api/v1/me").json() == {**me, "name": "Ada Lovelace", "colour": 11}
    assert new_document(guest)["owner"]["name"] == "Ada Lovelace"


def test_who_writes_his_name_first_becomes_a_guest(server: CoscribeServer) -> None:
    with server.client() as client:
        answer = client.patch("/api/v1/me", json={"name": "x" * 40})
        assert "set-cookie" in answer.headers
        assert client.get("/api/v1/me").json()["name"] == "x" * 40


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"), ({"name": " \u200b\u2800 "}, "name"), ({"name": "x" * 41}, "name"),
        ({"name": 5}, "name"), ({"name": "x" * 5000}, "name"), ({"colour": 12}, "colour"), ({"colour": -1}, "colour"),
        ({"colour": "3"}, "colour"), ({"kind": "account"}, "kind"), ({"id": "x"}, "id"),
    ],
)  # fmt: skip
def test_bad_names_and_colours_are_refused(guest: httpx.Client, body: dict[str, object], field: str) -> None:
    me = guest.get("/api/v1/me").json()
    assert assert_problem(guest.patch("/api/v1/me", json=body), 422, "invalid-input")["field"] == field
    assert guest.get("/api/v1/me").json() == me


def test_a_token_is_somebody_too(server: CoscribeServer) -> None:
    with server.client(server.token("night build")) as client:
        me = client.get("/api/v1/me").json()
        assert (me["kind"], me["name"]) == ("token", "night build")
        made = new_document(client)
        assert client.get(path_of(made)).json()["owner"]["id"] == me["id"]
