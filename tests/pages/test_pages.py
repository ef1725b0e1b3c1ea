"""The pages on a real server: what they show, to whom, with which headers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import httpx
import pytest
from tests.api.calls import new_document, new_link, patch_text, path_of
from tests.support.server import CoscribeServer
from tests.support.waiting import until

HTML = {"Accept": "text/html,application/xhtml+xml"}
NONCE = re.compile(r"'nonce-([\w-]+)'")
MISSING = "This document doesn’t exist or you don’t have access"


@pytest.fixture
def stranger(server: CoscribeServer) -> Iterator[httpx.Client]:
    """Somebody else's browser, as it asks for pages."""
    with httpx.Client(base_url=server.url, headers=HTML) as client:
        yield client


def read_link(client: httpx.Client, document: dict[str, object]) -> str:
    return "/r/" + new_link(client, document, "viewer")[1]


# The web client's pages


@pytest.mark.parametrize("path", ["/", "/trash"])
def test_the_home_page_needs_no_storage_and_makes_nobody(stranger: httpx.Client, path: str) -> None:
    page = stranger.get(path)
    assert page.status_code == 200
    assert "set-cookie" not in page.headers
    assert stranger.get("/api/v1/me").json()["kind"] == "guest"


@pytest.mark.parametrize("path", ["/new", "/d/unknown"])
def test_a_page_makes_a_stranger_a_guest_once(stranger: httpx.Client, path: str) -> None:
    first = stranger.get(path)
    assert first.status_code == (200 if path == "/new" else 404)
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    cookie = first.headers["set-cookie"]
    assert cookie.startswith("coscribe_session=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "set-cookie" not in stranger.get(path).headers
    assert stranger.get("/api/v1/me").json()["kind"] == "guest"


def test_the_page_of_what_is_not_saved_knows_nobody(stranger: httpx.Client) -> None:
    page = stranger.get("/recover")
    assert page.status_code == 200
    assert "set-cookie" not in page.headers
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert set(re.findall(r'nonce="([^"]*)"', page.text)) == set(NONCE.findall(page.headers["content-security-policy"]))


def test_every_response_has_a_nonce_of_its_own(stranger: httpx.Client) -> None:
    nonces = []
    for _ in range(2):
        page = stranger.get("/")
        found = NONCE.findall(page.headers["content-security-policy"])
        assert len(set(found)) == 1
        assert "__CSP_NONCE__" not in page.text
        assert set(re.findall(r'nonce="([^"]*)"', page.text)) == set(found)
        assert all("nonce=" in script for script in re.findall(r"<script[^>]*>", page.text))
        nonces.append(found[0])
    assert nonces[0] != nonces[1]


@pytest.mark.parametrize("path", ["/", "/api/v1/me", "/health/live", "/nothing", "/favicon.svg", "/openapi.json"])
def test_every_response_has_the_security_headers(stranger: httpx.Client, path: str) -> None:
    headers = stranger.get(path).headers
    policy = headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {"base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert not any("unsafe" in part for part in policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/favicon.svg"])
def test_what_a_browser_may_show_has_those_of_pages_too(stranger: httpx.Client, path: str) -> None:
    headers = stranger.get(path).headers
    assert "form-action 'self'" in headers["content-security-policy"]
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]


def test_pages_are_asked_for_again_and_hashed_files_never(stranger: httpx.Client) -> None:
    page = stranger.get("/")
    assert page.headers["cache-control"] == "no-cache"
    script = re.findall(r'src="(/assets/[^"]+\.js)"', page.text)[0]
    found = stranger.get(script)
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["content-type"].startswith("text/javascript")
    assert found.headers["content-encoding"] == "gzip"
    with stranger.stream("GET", script, headers={"Accept-Encoding": "gzip, br"}) as smaller:
        assert smaller.headers["content-encoding"] == "br"
        assert len(b"".join(smaller.iter_raw())) < int(found.headers["content-length"])
    plain = stranger.get(script, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == found.content
    assert stranger.get("/sw.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/assets/none.js", "/assets/..%2findex.html", "/assets/", "/index.html", "/.vite"])
def test_only_files_of_the_build_are_served(stranger: httpx.Client, path: str) -> None:
    assert stranger.get(path).status_code == 404


def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(stranger: httpx.Client) -> None:
    page = stranger.get("/nothing/here")
    assert page.status_code == 404
    assert MISSING.replace("'", "&#x27;") in page.text or MISSING in page.text
    problem = stranger.get("/nothing/here", headers={"Accept": "*/*"})
    assert problem.status_code == 404
    assert problem.headers["content-type"] == "application/problem+json"
    nothing = stranger.get("/api/v1/nothing")
    assert nothing.status_code == 404
    assert nothing.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_stays_a_wrong_method(stranger: httpx.Client) -> None:
    assert stranger.get("/api/v1/documents/x/restore").status_code == 405
    assert stranger.post("/").status_code == 405


def test_head_is_answered_like_get(stranger: httpx.Client) -> None:
    answer = stranger.head("/")
    assert answer.status_code == 200
    assert answer.content == b""


# Documents


def test_the_document_page_is_the_same_where_there_is_nothing_to_see(
    owner: httpx.Client, stranger: httpx.Client
) -> None:
    open_to_all = new_document(owner, text="secret words", access="viewer")
    restricted = new_document(owner, text="secret words", access="restricted")
    seen = stranger.get(f"/d/{open_to_all['id']}")
    hidden = stranger.get(f"/d/{restricted['id']}")
    unknown = stranger.get("/d/0000000000000000000000")
    assert [seen.status_code, hidden.status_code, unknown.status_code] == [200, 404, 404]
    pages = {re.sub(r'nonce="[^"]*"', "", page.text) for page in (seen, hidden, unknown)}
    assert len(pages) == 1
    assert "secret words" not in pages.pop()
    for page in (seen, hidden, unknown):
        assert page.headers["x-robots-tag"] == "noindex, nofollow"


def test_an_owner_sees_the_page_of_a_document_in_the_trash(guest: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(guest, text="x")
    assert guest.delete(path_of(document)).status_code == 204
    assert guest.get(f"/d/{document['id']}").status_code == 200
    assert stranger.get(f"/d/{document['id']}").status_code == 404


# Links


def test_an_edit_link_becomes_the_visitors_own_role(owner: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(owner, text="x", access="restricted")
    secret = new_link(owner, document, "editor")[1]
    assert stranger.get(path_of(document)).status_code == 404
    answer = stranger.get(f"/s/{secret}")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/d/{document['id']}"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert stranger.get(f"/d/{document['id']}").status_code == 200
    assert stranger.get(path_of(document)).json()["role"] == "editor"


def test_a_view_link_cannot_be_exchanged(owner: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(owner, text="x", access="restricted")
    secret = new_link(owner, document, "viewer")[1]
    answer = stranger.get(f"/s/{secret}")
    assert answer.status_code == 404
    assert document["id"] not in answer.text
    assert stranger.get(path_of(document)).status_code == 404


def test_an_edit_link_is_no_view_link(owner: httpx.Client, stranger: httpx.Client) -> None:
    secret = new_link(owner, new_document(owner, text="x"), "editor")[1]
    assert stranger.get(f"/r/{secret}").status_code == 404


@pytest.mark.parametrize("path", ["/s/csl_unknown", "/r/csl_unknown"])
def test_an_unknown_link_is_a_page_that_says_what_to_do(stranger: httpx.Client, path: str) -> None:
    page = stranger.get(path)
    assert page.status_code == 404
    assert "<h1>This document doesn’t exist or you don’t have access</h1>" in page.text
    assert 'href="/new"' in page.text
    assert page.headers["cache-control"] == "no-store"


# The read page


def test_the_read_page_is_complete_without_a_script(owner: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(
        owner, title="Mi<nu>tes & more", text="# Agenda\n\n- [x] *tea*\n\n<script>alert(1)</script>"
    )
    page = stranger.get(read_link(owner, document))
    assert page.status_code == 200
    assert '<h1 id="title">Mi&lt;nu&gt;tes &amp; more</h1>' in page.text
    assert "<h1>Agenda</h1>" in page.text
    assert "<em>tea</em>" in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert '<meta property="og:title" content="Mi&lt;nu&gt;tes &amp; more">' in page.text
    assert '<meta name="description" content="Agenda tea &lt;script&gt;alert(1)&lt;/script&gt;">' in page.text
    assert "made the document" in page.text
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in page.headers


def test_the_read_page_tells_its_script_where_to_go_on(owner: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(owner, text="one")
    link = read_link(owner, document)
    page = stranger.get(link).text
    assert f'data-events="{link}/events"' in page
    assert f'data-body="{link}/body"' in page
    position = re.findall(r'<main id="text"[^>]*data-position="([^"]*)"', page)[0]
    assert patch_text(owner, document, {"op": "append", "text": " two"}).status_code == 200
    answer = stranger.get(
        f"{link}/events", params={"after": position, "wait": 20}, headers={"Accept": "application/json"}
    )
    events = answer.json()["events"]
    assert events[0]["event"] == "text"
    assert events[0]["data"]["ops"] == [{"retain": 3}, {"insert": " two"}]


def test_scripts_and_styles_of_the_read_page_exist(owner: httpx.Client, stranger: httpx.Client) -> None:
    page = stranger.get(read_link(owner, new_document(owner, text="x"))).text
    files = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert any(name.endswith(".js") for name in files)
    assert any(name.endswith(".css") for name in files)
    assert {stranger.get(name).status_code for name in files} == {200}


def test_a_view_link_never_tells_the_documents_id(owner: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(owner, title="Plan", text="x")
    link = read_link(owner, document)
    owner.patch(path_of(document), json={"title": "Plan B"})
    told = [stranger.get(link), stranger.get(f"{link}/body")]
    told.append(stranger.get(f"{link}/events", params={"wait": 0}, headers={"Accept": "application/json"}))
    for answer in told:
        assert answer.status_code == 200
        assert document["id"] not in answer.text
        assert document["id"] not in str(answer.headers)


def test_the_body_is_sent_again_only_when_it_changed(owner: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(owner, text="one")
    link = read_link(owner, document)
    first = stranger.get(f"{link}/body")
    assert first.text == "<p>one</p>\n"
    assert first.headers["content-encoding"] == "gzip"
    tag = first.headers["etag"]
    again = stranger.get(f"{link}/body", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == tag
    patch_text(owner, document, {"op": "append", "text": " two"})
    changed = stranger.get(f"{link}/body", headers={"If-None-Match": tag, "Accept-Encoding": "identity"})
    assert changed.text == "<p>one two</p>\n"
    assert changed.headers["etag"] != tag


def test_a_revoked_link_shows_nothing_any_more(owner: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(owner, text="one")
    identity, secret = new_link(owner, document, "viewer")
    assert stranger.get(f"/r/{secret}").status_code == 200
    assert owner.delete(path_of(document, f"/links/{identity}")).status_code == 204
    for part in ("", "/body", "/events"):
        assert stranger.get(f"/r/{secret}{part}").status_code == 404


def test_a_text_of_five_megabytes_can_be_read(owner: httpx.Client, stranger: httpx.Client) -> None:
    document = new_document(owner, text="# Long\n\n" + ("word " * 20 + "\n") * 50_000)
    page = stranger.get(read_link(owner, document), timeout=60)
    assert page.status_code == 200
    assert page.text.count("word ") >= 1_000_000


def test_no_link_secret_and_no_query_is_in_the_log(
    server: CoscribeServer, owner: httpx.Client, stranger: httpx.Client
) -> None:
    secret = new_link(owner, new_document(owner, text="x"), "viewer")[1]
    stranger.get(f"/r/{secret}")
    stranger.get(f"/r/{secret}/body?marker=in-a-query")
    stranger.get("/s/" + secret)
    paths = ("/r/***", "/r/***/body", "/s/***")
    asyncio.run(until(lambda: all(f"path={path} " in server.log for path in paths)))
    assert secret not in server.log
    assert secret.removeprefix("csl_") not in server.log
    assert "in-a-query" not in server.log
