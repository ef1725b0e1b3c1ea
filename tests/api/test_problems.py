"""Errors are RFC 9457 problems, also those that no route of ours makes; the OpenAPI document says which to expect."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, path_of, put_text, text_of
from tests.support.server import CoscribeServer

from coscribe import errors
from coscribe.api.problems import KINDS, close_code_of, kind_of


@contextmanager
def sqlite_locked(file: Path) -> Iterator[None]:
    """Somebody else holds the database's only write lock."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
@pytest.mark.parametrize("path", ["/api/nope", "/api/v1", "/api/v1/", "/api/v2/documents", "/api/v1/documents/x/nope"])
def test_what_is_not_there_is_a_problem_for_browsers_too(owner: httpx.Client, path: str, accept: str) -> None:
    assert_problem(owner.get(path, headers={"Accept": accept}), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/me", {"GET", "PATCH"}), ("PUT", "/api/v1/documents", {"GET", "POST"}),
        ("GET", "/api/v1/documents/x/restore", {"POST"}),
        ("POST", "/api/v1/documents/x/text", {"GET", "HEAD", "PATCH", "PUT"}),
        ("POST", "/health/live", {"GET"}),
    ],
)  # fmt: skip
def test_a_wrong_method_is_a_problem_that_names_the_right_ones(
    owner: httpx.Client, method: str, path: str, allowed: set[str]
) -> None:
    answer = owner.request(method, path)
    assert_problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/documents/%00", 404), ("/api/v1/documents/" + "x" * 5000, 404), ("/api/v1/documents/%ff%fe", 404),
        ("/api/v1/documents/..%2f..%2fetc", 404), ("/api/v1/documents?q=%00", 422),
        ("/api/v1/documents?cursor=%00", 422), ("/api/v1/documents?limit=" + "9" * 5000, 422),
        ("{document}/text?at=" + "9" * 30, 422), ("{document}/text?at=" + "9" * 5000, 422),
        ("{document}/text?at=%00", 422), ("{document}/events?units=%00", 422),
        ("{document}/events?wait=nan", 422), ("{document}/events?wait=inf", 422),
    ],
)  # fmt: skip
def test_strange_addresses_are_problems_of_the_caller(owner: httpx.Client, path: str, status: int) -> None:
    made = new_document(owner, text="text")
    name = {404: "not-found", 422: "invalid-input"}[status]
    assert_problem(owner.get(path.format(document=path_of(made))), status, name)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[1]", 422), (b"null", 422), (b'"text"', 422), (b'{"title": 1e400}', 422), (b'{"title": NaN}', 422),
        (b'{"title": "\\ud800"}', 422), (b"\xff\xfe", 400), (b'{"title": "a"} x', 400), (b"[" * 50_000, 400),
        (b'{"title": ' + b"9" * 5000 + b"}", 400),
    ],
    ids=lambda value: repr(value[:16]) if isinstance(value, bytes) else "",
)  # fmt: skip
def test_strange_bodies_are_problems_of_the_caller(owner: httpx.Client, body: bytes, status: int) -> None:
    answer = owner.post("/api/v1/documents", content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, status, {400: "malformed", 422: "invalid-input"}[status])


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoscribeServer]:
    settings = {"max_frame_bytes": 2**17, "max_document_bytes": 2**16}
    with CoscribeServer(tmp_path_factory.mktemp("small"), **settings) as running:
        yield running


def test_a_body_that_is_too_large_is_refused_before_it_is_read(small_server: CoscribeServer) -> None:
    with small_server.client() as client:
        made = new_document(client, text="kept")
        problem = assert_problem(put_text(client, made, "x" * (2**17 + 1)), 413, "too-large")
        assert problem["limit"] == "max_frame_bytes"
        body = json.dumps({"edits": [{"op": "append", "text": "x" * 2**17}]})
        answer = client.patch(path_of(made, "/text"), content=body, headers={"Content-Type": "application/json"})
        assert_problem(answer, 413, "too-large")
        assert text_of(client, made) == "kept"


def test_a_body_without_an_announced_length_is_counted(small_server: CoscribeServer) -> None:
    with small_server.client() as client:
        made = new_document(client, text="kept")
        for path, kind in (("/text", "text/plain"), ("/updates", "application/octet-stream"), ("", "application/json")):
            method = {"/text": "PUT", "/updates": "POST", "": "PATCH"}[path]
            chunks = (b"x" * 2**14 for _ in range(9))
            answer = client.request(method, path_of(made, path), content=chunks, headers={"Content-Type": kind})
            assert_problem(answer, 413, "too-large")
        assert text_of(client, made) == "kept"


def test_a_text_that_is_too_large_is_refused_whole(small_server: CoscribeServer) -> None:
    with small_server.client() as client:
        made = new_document(client, text="é" * 2**15)
        for answer in (
            put_text(client, made, "é" * 2**15 + "!"),
            client.patch(path_of(made, "/text"), json={"edits": [{"op": "append", "text": "!"}]}),
            client.post("/api/v1/documents", json={"text": "é" * 2**15 + "!"}),
        ):
            assert assert_problem(answer, 413, "too-large")["limit"] == "max_document_bytes"
        assert text_of(client, made) == "é" * 2**15
        assert put_text(client, made, "short").json()["changed"]


def test_every_error_of_ours_has_a_status_and_a_close_code() -> None:
    """A class without a row of its own would be told as an internal error."""
    ours = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, Exception)}
    assert set(KINDS) == ours - {errors.CoscribeError}
    names = [kind.name for kind in KINDS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Malformed("x"), 400, 4400), (errors.Unauthenticated("x"), 401, 4401),
        (errors.Forbidden("x"), 403, 4403), (errors.NotFound("x"), 404, 4404), (errors.InTrash("x"), 409, 4404),
        (errors.TooLarge("x", limit="x"), 413, 4413), (errors.Unavailable("x"), 503, 1013),
        (errors.UpdateRefused("x", limit="max_document_bytes"), 413, 4413),
        (errors.UpdateRefused("x", limit="max_unsaved_bytes"), 503, 1013), (RuntimeError("x"), 500, 1011),
    ],
)  # fmt: skip
def test_statuses_and_close_codes(error: Exception, status: int, code: int) -> None:
    assert (kind_of(error).status, close_code_of(error)) == (status, code)


def test_the_openapi_document_declares_every_error_that_a_route_answers(owner: httpx.Client) -> None:
    document = owner.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document["components"]["schemas"]["Problem"]["required"] == ["type", "title", "status", "detail"]
    operations = {
        operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()
    }
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        (tag,) = operation["tags"]
        assert tag in {known["name"] for known in document["tags"]}
        for status, response in operation["responses"].items():
            if status >= "400":
                assert set(response["content"]) == {"application/problem+json"}, (name, status)
    headers = {
        (name, status): set(response.get("headers", ()))
        for name, operation in operations.items()
        for status, response in operation["responses"].items()
    }
    assert headers["createDocument", "201"] == {"Location"}
    assert headers["readText", "200"] == headers["readText", "304"] == headers["readState", "200"] == {"ETag"}
    assert all(told == {"Retry-After"} for (_, status), told in headers.items() if status == "503")
    assert set(operations) == {
        "createDocument", "listDocuments", "getDocument", "changeDocument", "deleteDocument", "restoreDocument",
        "readText", "writeText", "editText", "readState", "submitUpdate", "followDocument", "followDocuments",
        "createLink", "listLinks", "revokeLink", "getMe", "changeMe", "getLive", "getReady",
    }  # fmt: skip


def test_the_server_is_alive_and_ready(owner: httpx.Client) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = owner.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert answer.headers["cache-control"] == "no-store"


def test_a_server_whose_database_cannot_be_written_to_is_not_ready(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path) as server, server.client() as client:
        made = new_document(client, text="kept")
        with sqlite_locked(tmp_path / "data" / "coscribe.db"):
            answer = client.get("/health/ready")
            assert_problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert client.get("/health/live").status_code == 200
            assert text_of(client, made) == "kept"
        assert client.get("/health/ready").status_code == 200


def test_secrets_do_not_reach_the_log(own_server: CoscribeServer) -> None:
    token = own_server.token("careless")
    with own_server.client(token) as client:
        made = new_document(client)
        client.get(path_of(made), params={"token": token})
        client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}x"})
        host = urlsplit(own_server.url)
        with socket.create_connection((host.hostname, host.port)) as line:
            line.sendall(
                f"GET /api/v1/me?token={token} HTTP/1.1\r\nHost: {host.netloc}\r\nConnection: close\r\n\r\n".encode()
            )
            while line.recv(4096):
                pass
    own_server.stop()
    assert token.removeprefix("cst_") not in own_server.log
