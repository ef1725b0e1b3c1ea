"""Every route that names a document, asked by everybody: what a caller may not see does not exist for him."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, new_link, path_of
from tests.support.server import CoscribeServer

RANKS = {None: -1, "viewer": 0, "commenter": 1, "editor": 2, "owner": 3}
APPEND = {"edits": [{"op": "append", "text": "!"}]}
MARKDOWN = {"Content-Type": "text/markdown"}
BYTES = {"Content-Type": "application/octet-stream"}
# A Yjs v1 update that inserts "x" at the start of the text `content`, by client 1.
UPDATE = bytes.fromhex("0101010004010763 6f6e74656e74 0178 00".replace(" ", ""))


@dataclass(frozen=True)
class Route:
    """One route below a document: the lowest role that may use it and the answer it gets."""

    method: str
    path: str
    role: str
    status: int
    request: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method}{self.path or '/'}"


ROUTES = [
    Route("GET", "", "viewer", 200, {}),
    Route("PATCH", "", "editor", 200, {"json": {"title": "New"}}),
    Route("PATCH", "", "owner", 200, {"json": {"access": "restricted"}}),
    Route("DELETE", "", "owner", 204, {}),
    Route("DELETE", "", "owner", 422, {"params": {"permanent": True}}),
    Route("POST", "/restore", "owner", 200, {}),
    Route("GET", "/text", "viewer", 200, {}),
    Route("PUT", "/text", "editor", 200, {"content": b"new", "headers": MARKDOWN}),
    Route("PATCH", "/text", "editor", 200, {"json": APPEND}),
    Route("GET", "/state", "viewer", 200, {}),
    Route("POST", "/updates", "editor", 200, {"content": UPDATE, "headers": BYTES}),
    Route("GET", "/events", "viewer", 200, {"headers": {"Accept": "application/json"}, "params": {"wait": 0}}),
    Route("GET", "/links", "owner", 200, {}),
    Route("POST", "/links", "owner", 201, {"json": {"role": "viewer"}}),
    Route("DELETE", "/links/{link_id}", "owner", 204, {}),
]
CALLERS = [
    "owner", "editor link", "commenter link", "viewer link", "editor grant", "commenter grant", "other token",
    "other guest", "nobody",
]  # fmt: skip


@dataclass(frozen=True)
class House:
    """One document and a way to ask as anybody."""

    document: dict[str, Any]
    link_id: str
    ask: Callable[..., httpx.Response]

    def call(self, route: Route) -> httpx.Response:
        """Use a route."""
        path = path_of(self.document, route.path.format(link_id=self.link_id))
        return self.ask(route.method, path, **route.request)


@pytest.fixture(scope="module")
def other_token(server: CoscribeServer) -> str:
    return server.token("other")


@pytest.fixture
def house(
    request: pytest.FixtureRequest, server: CoscribeServer, owner: httpx.Client, token: str, other_token: str
) -> Iterator[House]:
    """A new document of the owner with a general access, and a client of the caller."""
    caller, access = request.param
    document = new_document(owner, text="text", access=access)
    role, _, way = caller.partition(" ")
    link_id, secret = new_link(owner, document, role if way in ("link", "grant") else "viewer")
    tokens = {"owner": token, "other token": other_token}
    with server.client(secret if way == "link" else tokens.get(caller)) as client:
        if way == "grant":  # what the page of the link does for a visitor
            assert client.get(f"/s/{secret}").headers["location"] == f"/d/{document['id']}"
        elif way == "guest":
            assert client.get("/api/v1/me").status_code == 200
        yield House(document, link_id, client.request)


def role_of(caller: str, access: str) -> str | None:
    """The role that the caller has by who he is or by general access, whichever is higher."""
    own = caller.partition(" ")[0]
    general = None if access == "restricted" else access
    return max(own if own in RANKS else None, general, key=lambda role: RANKS[role])


OPEN = product(["other token", "nobody"], ["viewer", "commenter", "editor"])
CASES = [
    pytest.param((caller, access), caller, access, route, id=f"{caller}-{access}-{route}-{number}")
    for caller, access in [*product(CALLERS, ["restricted"]), *OPEN]
    for number, route in enumerate(ROUTES)
]  # fmt: skip


@pytest.mark.parametrize(("house", "caller", "access", "route"), CASES, indirect=["house"])
def test_a_route_does_what_the_callers_role_allows(house: House, caller: str, access: str, route: Route) -> None:
    role = role_of(caller, access)
    answer = house.call(route)
    if role is None:
        assert_problem(answer, 404, "not-found")
    elif RANKS[role] < RANKS[route.role]:
        assert_problem(answer, 403, "forbidden")
    else:
        assert answer.status_code == route.status, answer.text


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_an_unknown_document_looks_like_a_forbidden_one(
    owner: httpx.Client, server: CoscribeServer, other_token: str, route: Route
) -> None:
    forbidden = House(new_document(owner), "l" * 22, owner.request)
    with server.client(other_token) as client:
        answers = [
            House(document, forbidden.link_id, client.request).call(route)
            for document in (forbidden.document, {"id": "u" * 22})
        ]
    assert answers[0].status_code == answers[1].status_code == 404
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    "secret", ["cst_unknown", "csl_unknown", "none of ours", "x" * 5000, "cst_" + "\u00e9".encode().decode("latin-1")]
)
def test_a_bad_secret_is_refused_everywhere(server: CoscribeServer, owner: httpx.Client, secret: str) -> None:
    document = new_document(owner, access="editor")
    with server.client() as client:
        for route in ROUTES:
            path = path_of(document, route.path.format(link_id="l" * 22))
            headers = {**route.request.get("headers", {}), "Authorization": f"Bearer {secret}".encode("latin-1")}
            answer = client.request(route.method, path, **{**route.request, "headers": headers})
            assert_problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_link_opens_its_own_document_only(server: CoscribeServer, owner: httpx.Client) -> None:
    mine, other = new_document(owner), new_document(owner)
    _, secret = new_link(owner, mine, "editor")
    with server.client(secret) as client:
        assert client.get(path_of(mine)).json()["role"] == "editor"
        assert_problem(client.get(path_of(other)), 404, "not-found")
        assert_problem(client.post("/api/v1/documents", json={}), 403, "forbidden")
        assert_problem(client.get("/api/v1/me"), 403, "forbidden")
        assert client.get("/api/v1/documents").json()["items"] == []
        assert_problem(client.get("/api/v1/events"), 401, "unauthenticated")


def test_a_links_id_belongs_to_its_document(owner: httpx.Client) -> None:
    mine, other = new_document(owner), new_document(owner)
    link_id, _ = new_link(owner, mine, "viewer")
    assert_problem(owner.delete(path_of(other, f"/links/{link_id}")), 404, "not-found")
    assert owner.delete(path_of(mine, f"/links/{link_id}")).status_code == 204


def test_every_route_below_a_document_stands_in_this_matrix(owner: httpx.Client) -> None:
    prefix = "/api/v1/documents/{document_id}"
    served = {
        f"{method.upper()}{path.removeprefix(prefix) or '/'}"
        for path, methods in owner.get("/openapi.json").json()["paths"].items()
        if path.startswith(prefix)
        for method in methods
    }
    assert served == {str(route) for route in ROUTES}
