"""Limits of REST and of pages: each is told in a sentence, is counted, and is over after a while."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send
from tests.api.calls import assert_problem, new_document, path_of, put_text
from tests.support.figures import refused
from tests.support.server import CoscribeServer
from tests.support.sse import event_stream

from coscribe.api import bodies
from coscribe.api.gates import Addresses
from coscribe.config import Settings

PROXY = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


@contextlib.contextmanager
def a_server(folder: Path, **settings: object) -> Iterator[CoscribeServer]:
    """A server that counts this machine's own address as anybody's."""
    with CoscribeServer(folder, trusted_proxies="[]", **settings) as server:
        yield server


# Whose address counts


@pytest.mark.parametrize(
    ("host", "key"),
    [
        (None, None), ("127.0.0.1", None), ("10.1.2.3", None), ("fd12::1", None), ("::ffff:10.1.2.3", None),
        ("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"), ("unknown", "unknown"),
        ("203.0.113.7:4711", "203.0.113.7"), ("[2001:db8:1:2::9]:4711", "2001:db8:1:2::"), ("10.1.2.3:80", None),
    ],
)  # fmt: skip
def test_addresses_that_stand_for_many_are_not_counted(host: str | None, key: str | None) -> None:
    assert Addresses(PROXY).key(host) == key


@pytest.mark.parametrize("wrong", ["example.org", "1.2.3.4/40", "*", ""])
def test_a_proxy_is_an_address_or_a_network(wrong: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings(trusted_proxies=(wrong,))


# Rates


def test_who_changes_too_much_is_told_when_to_come_back(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_writes_per_s=1) as server, server.client() as guest, server.client() as other:
        made = new_document(guest)
        answers = [put_text(guest, made, str(number)) for number in range(15)]
        turned_away = [answer for answer in answers if answer.status_code == 429]
        assert turned_away
        problem = assert_problem(turned_away[0], 429, "too-many-requests")
        assert problem["limit"] == "max_writes_per_s"
        assert f"in {turned_away[0].headers['retry-after']} s" in problem["detail"]
        assert refused(server.url, "max_writes_per_s") == len(turned_away)
        # Reading is free, and others have their own rate.
        assert guest.get(path_of(made, "/text")).status_code == 200
        assert put_text(other, made, "other").status_code == 200
        again = put_text(guest, made, "again")
        while again.status_code == 429:
            again = put_text(guest, made, "again")
        assert again.status_code == 200


SPOOFED = ("X-Forwarded-For", "CF-Connecting-IP", "Forwarded", "X-Real-IP", "True-Client-IP")


def test_row_5_a_made_up_address_makes_nobody_new(tmp_path: Path) -> None:
    with a_server(tmp_path, max_guests_per_minute=1) as server:
        statuses = [
            httpx.get(f"{server.url}/api/v1/me", headers={spoofed: f"198.51.100.{number}"}).status_code
            for number in range(4)
            for spoofed in SPOOFED
        ]
        assert statuses == [200] * 5 + [429] * 15
        assert refused(server.url, "max_guests_per_minute") == 15


def test_row_5_behind_a_trusted_proxy_the_visitors_address_counts(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_guests_per_minute=1) as server:

        def visit(address: str) -> int:
            return httpx.get(f"{server.url}/api/v1/me", headers={"X-Forwarded-For": address}).status_code

        assert [visit("198.51.100.1, 203.0.113.7") for _ in range(7)] == [200] * 5 + [429] * 2
        # What a visitor puts in front of his own address changes nothing.
        assert visit("198.51.100.2, 203.0.113.7") == 429
        assert visit("203.0.113.8") == 200
        assert [httpx.get(f"{server.url}/api/v1/me").status_code for _ in range(10)] == [200] * 10


def test_a_page_says_so_too_and_who_is_known_already_comes_in(tmp_path: Path) -> None:
    with a_server(tmp_path, max_guests_per_minute=1) as server, server.client() as known:
        assert known.get("/new").status_code == 200
        pages = [httpx.get(f"{server.url}/new") for _ in range(8)]
        assert [page.status_code for page in pages] == [200] * 4 + [429] * 4
        assert "Too many new visitors come from your network" in pages[-1].text
        assert int(pages[-1].headers["retry-after"]) > 0
        assert known.get("/new").status_code == 200
        assert httpx.get(f"{server.url}/").status_code == 200


# Numbers


def test_a_guest_owns_so_many_documents_and_makes_room_by_deleting_for_good(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_documents_per_guest=3) as server, server.client() as guest:
        made = [new_document(guest) for _ in range(3)]
        problem = assert_problem(guest.post("/api/v1/documents", json={}), 403, "forbidden")
        assert problem["limit"] == "max_documents_per_guest"
        assert "3 documents" in problem["detail"]
        assert guest.delete(path_of(made[0])).status_code == 204
        assert guest.post("/api/v1/documents", json={}).status_code == 403
        assert guest.delete(path_of(made[0]), params={"permanent": True}).status_code == 204
        new_document(guest)
        with server.client(server.token("script")) as script:
            for _ in range(5):
                new_document(script)


def test_row_29_streams_have_an_end_for_each_person_and_address(tmp_path: Path) -> None:
    with a_server(tmp_path, max_feed_readers_per_principal=2) as server, server.client() as guest:
        made = new_document(guest)
        with event_stream(guest, path_of(made, "/events")) as one, event_stream(guest, "/api/v1/events"):
            one.until("presence")
            problem = assert_problem(guest.get(path_of(made, "/events")), 503, "unavailable")
            assert problem["limit"] == "max_feed_readers_per_principal"
            with server.client() as other, event_stream(other, path_of(made, "/events")) as theirs:
                theirs.until("presence")
            assert guest.get(path_of(made, "/text")).status_code == 200
        assert refused(server.url, "max_feed_readers_per_principal") == 1


def test_row_29_readers_without_a_name_are_counted_by_their_address(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_connections_per_address=2) as server, server.client() as guest:
        address = path_of(new_document(guest), "/events")
        guest.headers["X-Forwarded-For"] = "203.0.113.7"
        with event_stream(guest, address) as one, event_stream(guest, address) as two:
            one.until("presence")
            two.until("presence")
            problem = assert_problem(guest.get(address), 503, "unavailable")
            assert problem["limit"] == "max_connections_per_address"
            guest.headers["X-Forwarded-For"] = "203.0.113.8"
            assert guest.get(address, headers={"Accept": "application/json"}).status_code == 200


async def test_a_request_whose_body_stops_coming_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "NEXT_WITHIN_S", 0.02)
    pieces: asyncio.Queue[Message] = asyncio.Queue()
    pieces.put_nowait({"type": "http.request", "body": b"{", "more_body": True})

    async def reading(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        with pytest.raises(HTTPException, match="408"):
            await receive()

    wiring = SimpleNamespace(settings=Settings())
    scope = {"type": "http", "headers": [], "state": {"wiring": wiring}}
    await bodies.BodyLimit(reading)(scope, pieces.get, pieces.put)


# Pages that make something


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "none"}, 200), ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 200), ({}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Purpose": "prefetch"}, 503),
        ({"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"}, 503), ({"Purpose": "prefetch"}, 503),
    ],
)  # fmt: skip
def test_no_other_site_and_no_prefetch_makes_a_document(
    server: CoscribeServer, headers: dict[str, str], status: int
) -> None:
    answer = httpx.get(f"{server.url}/new", headers=headers)
    assert answer.status_code == status
    if status != 200:
        assert "set-cookie" not in answer.headers
        assert "no-store" in answer.headers["cache-control"]
    if status == 303:
        assert answer.headers["location"] == "/"
