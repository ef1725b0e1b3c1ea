"""The feed of a document as an event stream: what comes, in which order, and when it ends."""

from __future__ import annotations

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, new_link, patch_text, path_of, put_text, text_of
from tests.support.server import CoscribeServer
from tests.support.sse import Event, EventReader, event_stream


def applied(text: str, event: Event) -> str:
    """The text after a text event whose operations count code points."""
    parts, at = [], 0
    for op in event.data["ops"]:
        match op:
            case {"insert": new}:
                parts.append(new)
            case {"retain": count}:
                parts.append(text[at : at + count])
                at += count
            case {"delete": count}:
                at += count
    return "".join(parts) + text[at:]


def test_a_stream_begins_with_a_snapshot_and_who_is_here(owner: httpx.Client) -> None:
    made = new_document(owner, title="Plan", text="one\ntwo\n")
    with event_stream(owner, path_of(made, "/events")) as stream:
        headers = stream.response.headers
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        snapshot = stream.next()
        assert snapshot is not None
        assert snapshot.event == "snapshot"
        assert snapshot.id is not None
        assert snapshot.id.startswith("1.1.")
        assert snapshot.data == {"seq": 1, "title": "Plan", "text": "one\ntwo\n"}
        presence = stream.next()
        assert presence is not None
        assert (presence.event, presence.id) == ("presence", None)
        assert presence.data.keys() == {"people"}
        assert stream.retry == "2000"


def test_a_write_comes_as_operations_with_its_author(owner: httpx.Client) -> None:
    made = new_document(owner, text="one\ntwo\n")
    with event_stream(owner, path_of(made, "/events")) as stream:
        stream.until("presence")
        patch_text(owner, made, {"op": "insert", "at": 3, "text": "!"})
        event = stream.until("text")
        assert event.data["seq"] == 2
        assert event.data["by"]["name"] == "owner"
        assert event.data["ops"] == [{"retain": 3}, {"insert": "!"}]
        assert event.id is not None
        assert event.id.startswith("1.2.")


@pytest.mark.parametrize(("units", "retain", "delete"), [("utf-16", 5, 2), ("code-points", 3, 1)])
def test_operations_count_what_is_asked_for(owner: httpx.Client, units: str, retain: int, delete: int) -> None:
    made = new_document(owner, text="a🎈🎈🎈b")
    with event_stream(owner, path_of(made, "/events"), units=units) as stream:
        stream.until("presence")
        patch_text(owner, made, {"op": "replace", "start": 3, "end": 4, "text": "é"})
        ops = stream.until("text").data["ops"]
    assert ops[0] == {"retain": retain}
    assert sorted(map(str, ops[1:])) == sorted(map(str, [{"insert": "é"}, {"delete": delete}]))


def test_activities_come_with_who_did_what(owner: httpx.Client) -> None:
    made = new_document(owner, text="text")
    with event_stream(owner, path_of(made, "/events")) as stream:
        stream.until("presence")
        owner.patch(path_of(made), json={"title": "New", "access": "viewer"})
        renamed, shared = stream.until("activity"), stream.until("activity")
        new_link(owner, made, "viewer")
        linked = stream.until("activity")
    assert (renamed.data["kind"], renamed.data["data"]) == ("renamed", {"title": "New"})
    assert (shared.data["kind"], shared.data["data"]) == ("shared", {"access": "viewer"})
    assert (linked.data["kind"], linked.data["data"]) == ("shared", {"link": "viewer", "action": "created"})
    assert renamed.data["by"]["name"] == "owner"
    assert isinstance(renamed.data["id"], str)


def test_a_script_that_writes_is_seen(owner: httpx.Client) -> None:
    made = new_document(owner)
    with event_stream(owner, path_of(made, "/events")) as stream:
        stream.until("presence")
        put_text(owner, made, "one\ntwo")
        joined = stream.until("presence").data["joined"]
    assert (joined["name"], joined["kind"]) == ("owner", "token")


def test_no_character_of_a_text_forges_an_event(owner: httpx.Client) -> None:
    text = 'a\n\nevent: forged\nid: 9\ndata: {}\n\n\u2028\u2029\x85\x00\ufeff\\"end'
    made = new_document(owner, text=text)
    with event_stream(owner, path_of(made, "/events")) as stream:
        snapshot = stream.next()
        assert snapshot is not None
        assert snapshot.data["text"] == text
        put_text(owner, made, text * 2)
        event = stream.until("text")
    assert applied(text, event) == text * 2


def test_a_reader_resumes_exactly_where_it_was(owner: httpx.Client) -> None:
    made = new_document(owner, text="0 🎈\n")
    with event_stream(owner, path_of(made, "/events"), units="code-points") as stream:
        seen = stream.until("snapshot")
    for number in range(1, 6):
        put_text(owner, made, f"{number} 🎈\n" * number)
    owner.patch(path_of(made), json={"title": "Renamed"})
    text, seqs, position = seen.data["text"], [], seen.id
    while len(seqs) < 5:  # the line is cut after every event
        with event_stream(owner, path_of(made, "/events"), after=position, units="code-points") as stream:
            event = stream.until("text")
            text, position = applied(text, event), event.id
            seqs.append(event.data["seq"])
    assert seqs == [2, 3, 4, 5, 6]
    assert text == text_of(owner, made)
    with event_stream(owner, path_of(made, "/events"), after=position) as stream:
        assert stream.until("activity").data["kind"] == "renamed"


def test_a_reader_resumes_after_the_server_was_killed(own_server: CoscribeServer) -> None:
    with own_server.client(own_server.token("writer")) as client:
        made = new_document(client, text="first\n")
        with event_stream(client, path_of(made, "/events"), units="code-points") as stream:
            seen = stream.until("snapshot")
        put_text(client, made, "first\nsecond\n")
        put_text(client, made, "first\nsecond\nthird\n")
        own_server.kill()
        own_server.start()
        text = seen.data["text"]
        with event_stream(client, path_of(made, "/events"), after=seen.id, units="code-points") as stream:
            first = stream.next()
            assert first is not None
            assert first.event != "snapshot"
            put_text(client, made, "first\nsecond\nthird\nfourth\n")
            event: Event | None = first
            while event is not None:
                if event.event == "text":
                    text = applied(text, event)
                    if event.data["seq"] == 4:
                        break
                event = stream.next()
        assert text == "first\nsecond\nthird\nfourth\n"


@pytest.mark.parametrize(
    "position", ["1.99.0", "1.1.9999999", "2.1.0", "0.0", "x", "-1.-1", "1", "1.1.1.1", "9" * 90, "1.\u0661"]
)
def test_a_position_that_cannot_be_continued_starts_with_a_snapshot(owner: httpx.Client, position: str) -> None:
    made = new_document(owner, text="text")
    headers = {"Last-Event-ID": position.encode()}
    with owner.stream("GET", path_of(made, "/events"), headers=headers) as response:
        first = EventReader(response).next()
    assert first is not None
    assert (first.event, first.data["text"]) == ("snapshot", "text")


def test_after_in_the_address_is_older_than_last_event_id(owner: httpx.Client) -> None:
    made = new_document(owner, text="text")
    put_text(owner, made, "text!")
    with event_stream(owner, path_of(made, "/events?after=1.1"), after="1.2") as stream:
        first = stream.next()
    assert first is not None
    assert first.event == "presence", "nothing was missed"


def test_who_loses_access_is_cut_off_at_once(owner: httpx.Client, server: CoscribeServer) -> None:
    made = new_document(owner, text="text", access="viewer")
    link_id, secret = new_link(owner, made, "viewer")
    with server.client(secret) as bearer, server.client() as nobody, server.client() as guest:
        guest.get("/api/v1/me")
        with (
            event_stream(bearer, path_of(made, "/events")) as by_link,
            event_stream(nobody, path_of(made, "/events")) as by_address,
            event_stream(guest, path_of(made, "/events")) as by_cookie,
            event_stream(owner, path_of(made, "/events")) as own,
        ):
            for stream in (by_link, by_address, by_cookie, own):
                stream.until("presence")
            owner.patch(path_of(made), json={"access": "restricted"})
            for stream in (by_address, by_cookie):
                while stream.next() is not None:
                    pass
            owner.delete(path_of(made, f"/links/{link_id}"))
            while by_link.next() is not None:
                pass
            put_text(owner, made, "still here")
            assert own.until("text").data["seq"] == 2
        assert_problem(nobody.get(path_of(made, "/events")), 404, "not-found")
        assert_problem(bearer.get(path_of(made, "/events")), 401, "unauthenticated")


def test_the_trash_ends_every_stream(owner: httpx.Client) -> None:
    made = new_document(owner, text="text", access="viewer")
    with event_stream(owner, path_of(made, "/events")) as stream:
        stream.until("presence")
        owner.delete(path_of(made))
        while stream.next() is not None:
            pass
    assert_problem(owner.get(path_of(made, "/events")), 409, "in-trash")


def test_silence_is_broken_by_comments(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("keepalive")
    with CoscribeServer(folder, keepalive_s="0.1") as server, server.client() as client:
        made = new_document(client)
        with event_stream(client, path_of(made, "/events")) as stream:
            stream.until("presence")
            stream.wait_for_comments(3)


def test_open_streams_are_counted_and_places_become_free(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("readers")
    with CoscribeServer(folder, max_feed_readers=2) as server, server.client() as client:
        made = new_document(client)
        address = path_of(made, "/events")
        with event_stream(client, address) as one, event_stream(client, "/api/v1/events") as two:
            one.until("presence")
            assert two.response.status_code == 200
            for accept in ("text/event-stream", "application/json"):
                refused = client.get(address, headers={"Accept": accept})
                assert_problem(refused, 503, "unavailable")
                assert int(refused.headers["retry-after"]) > 0
            assert client.get("/health/ready").status_code == 200
        answer = client.get(address, headers={"Accept": "application/json"})
        while answer.status_code == 503:  # the server notices that a reader left when its line is closed
            answer = client.get(address, headers={"Accept": "application/json"})
        assert answer.status_code == 200
