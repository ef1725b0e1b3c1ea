"""The feed as a long poll: the same events over plain requests."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, path_of, put_text
from tests.support.server import CoscribeServer
from tests.support.sse import event_stream

JSON = {"Accept": "application/json"}


def poll(client: httpx.Client, document: dict[str, Any], **query: Any) -> dict[str, Any]:
    """One poll's answer."""
    answer = client.get(path_of(document, "/events"), params=query, headers=JSON)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    return body


def test_the_first_poll_answers_at_once_with_a_snapshot(owner: httpx.Client) -> None:
    made = new_document(owner, title="Plan", text="one")
    first = poll(owner, made, wait=50)
    (snapshot,) = first["events"]
    assert snapshot["event"] == "snapshot"
    assert snapshot["data"] == {"seq": 1, "title": "Plan", "text": "one"}
    assert first["next"] == snapshot["id"]
    assert isinstance(first["people"], list)


def test_a_poll_waits_until_something_comes(owner: httpx.Client, server: CoscribeServer, token: str) -> None:
    made = new_document(owner, text="one")
    position = poll(owner, made)["next"]
    answers: list[dict[str, Any]] = []

    def wait() -> None:
        with server.client(token) as client:
            answers.append(poll(client, made, after=position, wait=50))

    with event_stream(owner, path_of(made, "/events"), after=position) as stream:
        waiting = threading.Thread(target=wait)
        waiting.start()
        put_text(owner, made, "one two")
        assert stream.until("text").data["seq"] == 2
        waiting.join(30)
    (answer,) = answers
    assert any(event["event"] in ("text", "activity") for event in answer["events"])


def test_polls_in_a_row_miss_and_repeat_nothing(owner: httpx.Client) -> None:
    made = new_document(owner, text="0")
    position = poll(owner, made)["next"]
    seqs = []
    for number in range(1, 6):
        put_text(owner, made, str(number))
        answer = poll(owner, made, after=position, wait=50)
        position = answer["next"]
        seqs += [event["data"]["seq"] for event in answer["events"] if event["event"] == "text"]
    assert seqs == [2, 3, 4, 5, 6]
    owner.patch(path_of(made), json={"title": "Late"})
    assert [event["event"] for event in poll(owner, made, after=position, wait=50)["events"]][-1] == "activity"


def test_a_poll_for_nothing_ends_when_its_time_is_over(owner: httpx.Client) -> None:
    made = new_document(owner, text="one")
    position = poll(owner, made)["next"]
    started = time.monotonic()
    answer = poll(owner, made, after=position, wait=0.2)
    assert (answer["events"], answer["next"]) == ([], position)
    assert 0.2 <= time.monotonic() - started < 10


def test_a_poll_says_who_is_here(owner: httpx.Client) -> None:
    made = new_document(owner)
    with event_stream(owner, path_of(made, "/events")) as stream:
        stream.until("presence")
        put_text(owner, made, "written over REST")  # shown for a while to those who look on
        stream.until("text")
        (person,) = poll(owner, made)["people"]
    assert (person["name"], person["kind"]) == ("owner", "token")


@pytest.mark.parametrize(
    "query", [{"wait": -1}, {"wait": 51}, {"wait": "long"}, {"units": "bytes"}, {"after": "9" * 101}]
)
def test_bad_polls_are_refused(owner: httpx.Client, query: dict[str, Any]) -> None:
    made = new_document(owner)
    answer = owner.get(path_of(made, "/events"), params=query, headers=JSON)
    assert assert_problem(answer, 422, "invalid-input")["field"] in query


def test_the_feed_of_all_documents_tells_whats_new_in_ones_own(server: CoscribeServer, owner: httpx.Client) -> None:
    with server.client(server.token("dashboard")) as client:
        begin = client.get("/api/v1/events", headers=JSON).json()
        assert begin["events"] == []
        foreign = new_document(owner)
        mine = new_document(client, title="Mine")
        put_text(client, mine, "text")
        client.patch(path_of(mine), json={"access": "viewer"})
        put_text(owner, foreign, "not for you")
        answer = client.get("/api/v1/events", params={"after": begin["next"], "wait": 50}, headers=JSON).json()
        kinds = [(event["data"]["document_id"], event["data"]["kind"]) for event in answer["events"]]
        assert kinds == [(mine["id"], "created"), (mine["id"], "edited"), (mine["id"], "shared")]
        assert [event["id"] for event in answer["events"]][-1] == answer["next"]
        for event in answer["events"]:
            assert event["event"] == "activity"
            assert event["data"]["by"]["name"] == "dashboard"


def test_the_stream_of_all_documents_resumes_after_a_restart(own_server: CoscribeServer) -> None:
    with own_server.client(own_server.token("dashboard")) as client:
        with event_stream(client, "/api/v1/events") as stream:
            made = new_document(client, title="One")
            created = stream.next()
            assert created is not None
            assert (created.data["kind"], created.data["document_id"]) == ("created", made["id"])
        client.patch(path_of(made), json={"title": "Two"})
        own_server.kill()
        own_server.start()
        with event_stream(client, "/api/v1/events", after=created.id) as stream:
            renamed = stream.next()
            assert renamed is not None
            assert (renamed.data["kind"], renamed.data["data"]) == ("renamed", {"title": "Two"})
            client.delete(path_of(made))
            trashed = stream.next()
            assert trashed is not None
            assert trashed.data["kind"] == "trashed"


@pytest.mark.parametrize("position", ["x", "-1", "99999999999999999999", "1.2.3"])
def test_a_position_that_is_none_begins_with_now(owner: httpx.Client, position: str) -> None:
    now = owner.get("/api/v1/events", headers=JSON).json()["next"]
    answer = owner.get("/api/v1/events", params={"after": position, "wait": 0}, headers=JSON).json()
    assert answer == {"events": [], "next": now}


def test_only_somebody_has_documents_to_follow(server: CoscribeServer) -> None:
    with server.client() as client:
        assert_problem(client.get("/api/v1/events"), 401, "unauthenticated")
