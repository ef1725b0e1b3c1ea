"""Cookies, bearer tokens, and requests that foreign pages make a browser send."""

from __future__ import annotations

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, path_of
from tests.support.server import CoscribeServer

from coscribe.api.callers import allowed_origin
from coscribe.config import Settings

HOST = "docs.example.org:8443"
SETTINGS = Settings(origins=("https://pad.example.net",), secure_cookies=False)
SECURE = Settings(secure_cookies=True)


@pytest.mark.parametrize(
    "origin", ["http://docs.example.org:8443", "https://docs.example.org:8443", "https://pad.example.net"]
)
def test_our_own_and_configured_origins_are_allowed(origin: str) -> None:
    assert allowed_origin({"origin": origin}, HOST, SETTINGS)


@pytest.mark.parametrize(
    "origin",
    [
        "null", "", "*", "docs.example.org:8443", "//docs.example.org:8443", "file://", "ftp://docs.example.org:8443",
        "http://docs.example.org", "http://docs.example.org:8444", "http://docs.example.org:84430",
        "http://evil.docs.example.org:8443", "http://docs.example.org.evil.test:8443", "http://evil.test",
        "http://evil.test/http://docs.example.org:8443", "http://docs.example.org:8443/", "http://docs.example.org.:8443",
        "http://docs.example.org:8443@evil.test", "http://user@docs.example.org:8443", "http://docs.example.org:port",
        "http://döcs.example.org:8443", "http://xn--dcs-sna.example.org:8443", "http://pad.example.net",
        "https://pad.example.net:8443", "http://docs.example.org:8443 http://evil.test", "HTTP://docs.example.org:8443",
    ],
)  # fmt: skip
def test_any_other_origin_is_foreign(origin: str) -> None:
    assert not allowed_origin({"origin": origin}, HOST, SETTINGS)


def test_behind_https_a_page_without_tls_is_foreign() -> None:
    assert allowed_origin({"origin": "https://docs.example.org"}, "docs.example.org", SECURE)
    assert allowed_origin({"origin": "https://docs.example.org"}, "docs.example.org:443", SECURE)
    assert not allowed_origin({"origin": "http://docs.example.org"}, "docs.example.org", SECURE)


def test_without_an_origin_there_is_no_page() -> None:
    assert allowed_origin({}, HOST, SETTINGS)


def test_a_visitor_gets_a_cookie_that_scripts_cannot_read(server: CoscribeServer) -> None:
    with server.client() as client:
        answer = client.get("/api/v1/me")
        cookie = answer.headers["set-cookie"]
        name, *attributes = cookie.split("; ")
        assert name.startswith("coscribe_session=")
        assert sorted(attributes) == ["HttpOnly", "Max-Age=34560000", "Path=/", "SameSite=lax"]
        again = client.get("/api/v1/me")
        assert again.json() == answer.json()
        assert "set-cookie" not in again.headers


@pytest.mark.parametrize(
    "change",
    [
        # Not the last character: two of its bits mean nothing in base64.
        lambda value: value[:-2] + ("x" if value[-2] != "x" else "y") + value[-1],
        lambda value: "x" + value, lambda _: "made.up", lambda _: "é",
    ],
)  # fmt: skip
def test_a_forged_cookie_is_nobodys(server: CoscribeServer, change: object) -> None:
    assert callable(change)
    with server.client() as client:
        me = client.get("/api/v1/me").json()["id"]
        forged = change(client.cookies["coscribe_session"]).encode()
    with server.client() as client:
        answer = client.get("/api/v1/me", headers={"Cookie": b"coscribe_session=" + forged})
        assert answer.status_code == 200
        assert answer.json()["id"] != me


def test_secure_cookies_are_a_setting(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("secure")
    with CoscribeServer(folder, secure_cookies="true", session_days=2) as server, server.client() as client:
        attributes = client.get("/api/v1/me", headers={"Origin": "https://" + server.url[7:]}).headers["set-cookie"]
    assert "; Secure" in attributes
    assert "; Max-Age=172800;" in attributes


@pytest.mark.parametrize("route", [("GET", ""), ("GET", "/text"), ("GET", "/state")])
def test_reading_makes_nobody(server: CoscribeServer, owner: httpx.Client, route: tuple[str, str]) -> None:
    made = new_document(owner, access="viewer")
    with server.client() as client:
        assert "set-cookie" not in client.request(route[0], path_of(made, route[1])).headers


def test_a_request_that_is_refused_makes_nobody(server: CoscribeServer) -> None:
    with server.client() as client:
        assert "set-cookie" not in client.post("/api/v1/documents", json={"access": "none"}).headers
        assert "set-cookie" not in client.patch("/api/v1/me", json={"name": 5}).headers


FOREIGN = [
    {"Origin": "http://evil.test"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.test", "Sec-Fetch-Site": "same-origin"},
]
UNSAFE = [
    ("POST", "/api/v1/documents", {"json": {}}),
    ("PATCH", "/api/v1/me", {"json": {"colour": 1}}),
    ("PATCH", "{document}", {"json": {"title": "x"}}),
    ("DELETE", "{document}", {}),
    ("POST", "{document}/restore", {}),
    ("PUT", "{document}/text", {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
    ("PATCH", "{document}/text", {"json": {"edits": [{"op": "append", "text": "x"}]}}),
    ("POST", "{document}/updates", {"content": b"\0\0", "headers": {"Content-Type": "application/octet-stream"}}),
    ("POST", "{document}/links", {"json": {"role": "viewer"}}),
    ("DELETE", "{document}/links/x", {}),
]


@pytest.mark.parametrize(
    ("method", "path", "request_"), UNSAFE, ids=lambda value: value if isinstance(value, str) else ""
)
def test_foreign_pages_change_nothing(
    server: CoscribeServer, method: str, path: str, request_: dict[str, object]
) -> None:
    with httpx.Client(base_url=server.url) as client:
        document = new_document(client)  # no cookie yet and no page: what a script does
        address = path.format(document=path_of(document))
        own = dict(request_.get("headers", {}))  # type: ignore[call-overload]
        for headers in [*FOREIGN, {}]:
            answer = client.request(method, address, **{**request_, "headers": own | headers})
            assert_problem(answer, 403, "forbidden")
        for headers in ({"Origin": server.url}, {"Sec-Fetch-Site": "same-origin"}):
            answer = client.request(method, address, **{**request_, "headers": own | headers})
            assert answer.status_code != 403, answer.text


@pytest.mark.parametrize("headers", FOREIGN)
def test_foreign_pages_make_no_guests_and_follow_nothing(
    server: CoscribeServer, owner: httpx.Client, headers: dict[str, str]
) -> None:
    made = new_document(owner, access="viewer")
    with httpx.Client(base_url=server.url, headers=headers) as client:
        for answer in (
            client.get("/api/v1/me"),
            client.post("/api/v1/documents", json={}),
            client.get(path_of(made, "/events")),
            client.get("/api/v1/events"),
        ):
            assert_problem(answer, 403, "forbidden")
            assert "set-cookie" not in answer.headers
            assert "access-control-allow-origin" not in answer.headers


def test_a_bearer_token_needs_no_origin(server: CoscribeServer, token: str) -> None:
    headers = {"Authorization": f"bearer {token}", "Origin": "http://evil.test"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        assert client.post("/api/v1/documents", json={}).status_code == 201


def test_a_token_in_an_address_opens_nothing(server: CoscribeServer, owner: httpx.Client, token: str) -> None:
    made = new_document(owner)
    with server.client() as client:
        assert_problem(client.get(path_of(made), params={"token": token}), 404, "not-found")


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwYXNz", "Token x", ""])
def test_other_schemes_are_refused(server: CoscribeServer, scheme: str) -> None:
    with server.client() as client:
        assert_problem(client.get("/api/v1/me", headers={"Authorization": scheme}), 401, "unauthenticated")
