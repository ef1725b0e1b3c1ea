"""Where a WebSocket cannot be had: the same session by POST and an event stream, or by POST and long polls."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Any

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, path_of
from tests.support.http_wire import CLOSING, frames_of
from tests.support.server import CoscribeServer
from tests.support.typist import HELLO, HttpTypist, Typist
from tests.support.wire_bytes import framed, one, typed

from coscribe.core.lib0 import read_string, read_uint, write_bytes

BYTES = {"Content-Type": "application/octet-stream"}
LETTER = framed(2, one(5, 0, typed("a")))
CARRIERS = ("stream", "poll")


def ws(server: CoscribeServer, document: dict[str, Any], token: str) -> str:
    return f"{server.url.replace('http', 'ws', 1)}/ws/{document['id']}?token={token}"


class Line:
    """One session over plain requests."""

    def __init__(self, client: httpx.Client, document: dict[str, Any]) -> None:
        self.client = client
        self.document_id = document["id"]
        answer = client.post(f"/sessions/{self.document_id}")
        assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store"), answer.text
        self.id = answer.json()["session"]

    @classmethod
    def of(cls, client: httpx.Client, other: Line) -> Line:
        """Another's session, asked for by another client."""
        line = cls.__new__(cls)
        line.client, line.document_id, line.id = client, other.document_id, other.id
        return line

    def post(self, n: int, *frames: bytes, **headers: str) -> httpx.Response:
        body = b"".join(map(write_bytes, frames))
        return self.client.post(
            f"/frames/{self.document_id}", params={"session": self.id, "n": n}, content=body, headers=BYTES | headers
        )

    def poll(self, after: int, wait: float = 20) -> list[bytes]:
        asked = {"session": f"{self.id}.{after}", "wait": wait}
        answer = self.client.get(f"/poll/{self.document_id}", params=asked)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "no-store"
        return [frame for _, frame in frames_of(answer.content)]

    def heard(self, count: int) -> list[bytes]:
        """The first so many frames, as whoever confirms nothing hears them again and again."""
        frames: list[bytes] = []
        while len(frames) < count:
            frames = self.poll(0)
        return frames

    def end(self) -> httpx.Response:
        return self.client.delete(f"/sessions/{self.document_id}", params={"session": self.id})


def acks(frames: list[bytes]) -> list[int]:
    return [read_uint(frame, 1)[0] for frame in frames if frame[0] == 0x71]


def closings(frames: list[bytes]) -> list[tuple[int, str]]:
    found = []
    for frame in frames:
        if frame[0] == CLOSING:
            code, at = read_uint(frame, 1)
            found.append((code, read_string(frame, at)[0]))
    return found


async def test_p20_people_write_together_whatever_their_carriers(
    server: CoscribeServer, token: str, owner: httpx.Client
) -> None:
    made = new_document(owner, text="")
    bearer = {"Authorization": f"Bearer {token}"}
    address = f"{server.url.replace('http', 'ws', 1)}/ws/{made['id']}"
    async with (
        Typist(ws(server, made, token)) as ann,
        HttpTypist(address, "stream", headers=bearer) as ben,
        HttpTypist(address, "poll", headers=bearer) as cid,
    ):
        for typist in (ann, ben, cid):
            await typist.wait_synced()
            await typist.set_awareness(1, {"cursor": None})
        for number in range(20):
            await ann.insert(0, f"a{number} ")
            await ben.insert(0, f"b{number} ")
            await cid.insert(0, f"c{number} ")
        for typist in (ann, ben, cid):
            await typist.wait_saved()
            await typist.wait(lambda typist=typist: len(str(typist.text)) == 3 * (10 * 3 + 10 * 4))
            await typist.wait(lambda typist=typist: len(typist.heard.awareness) == 3)
        assert str(ann.text) == str(ben.text) == str(cid.text)
        assert (await asyncio.to_thread(owner.get, path_of(made, "/text"))).text == str(ann.text)


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_what_is_pasted_in_one_frame_is_taken_and_acked(
    server: CoscribeServer, token: str, owner: httpx.Client, carrier: str
) -> None:
    made = new_document(owner, text="")
    address = f"{server.url.replace('http', 'ws', 1)}/ws/{made['id']}"
    headers = {"Authorization": f"Bearer {token}"}
    async with HttpTypist(address, carrier, headers=headers) as ben, Typist(ws(server, made, token)) as ann:
        await ben.wait_synced()
        await ben.insert(0, "ä" * 500_000)
        await ben.insert(0, "!")
        await ben.wait_saved()
        await ann.wait_text("!" + "ä" * 500_000)


def test_p21_the_same_request_again_changes_nothing(owner: httpx.Client) -> None:
    made = new_document(owner, text="")
    line = Line(owner, made)
    assert [line.post(1, HELLO).status_code for _ in range(2)] == [204, 204]
    assert [line.post(2, LETTER, LETTER).status_code for _ in range(3)] == [204, 204, 204]
    assert line.post(1, LETTER).status_code == 204
    frames: list[bytes] = []
    while 2 not in acks(frames):
        frames = line.poll(0)
    assert owner.get(path_of(made, "/text")).text == "a"
    assert line.post(3, framed(2, one(5, 1, typed("b", after=(5, 0))))).status_code == 204
    while 3 not in acks(frames):
        frames = line.poll(0)
    assert max(acks(frames)) == 3


def test_a_request_that_skips_one_is_refused_and_takes_nothing(owner: httpx.Client) -> None:
    line = Line(owner, new_document(owner, text=""))
    answer = line.post(2, LETTER)
    assert_problem(answer, 422, "invalid-input")
    assert answer.json()["field"] == "n"
    assert line.post(1, HELLO, LETTER).status_code == 204


def test_p22_frames_come_again_until_they_are_confirmed(owner: httpx.Client) -> None:
    line = Line(owner, new_document(owner, text="hello"))
    line.post(1, b"\x00\x00\x01\x00")
    first = line.heard(2)
    assert first[0].startswith(b"\x00\x00")  # its question
    assert any(b"hello" in frame for frame in first)
    assert line.poll(0) == first
    assert line.poll(1, wait=0) == first[1:]
    assert line.poll(len(first), wait=0) == []
    # What was confirmed is not kept.
    assert_problem(line.client.get(f"/poll/{line.document_id}", params={"session": f"{line.id}.0"}), 404, "not-found")


@pytest.mark.parametrize("after", [99, 2**53 - 1])
def test_a_position_ahead_of_all_that_was_sent_is_none(owner: httpx.Client, after: int) -> None:
    line = Line(owner, new_document(owner, text=""))
    answer = line.client.get(f"/poll/{line.document_id}", params={"session": f"{line.id}.{after}"})
    assert_problem(answer, 404, "not-found")


def test_p23_a_stream_goes_on_where_it_broke(owner: httpx.Client) -> None:
    line = Line(owner, new_document(owner, text="hello"))
    line.post(1, b"\x00\x00\x01\x00")
    first = line.heard(2)
    with events(line) as stream:
        assert [next(stream) for _ in first] == [(f"0.{at}", frame) for at, frame in enumerate(first, start=1)]
    with events(line, **{"Last-Event-ID": "0.1"}) as stream:
        assert next(stream) == ("0.2", first[1])
    line.post(2, b"\x03")
    line.post(3, b"\x00\x00\x01\x00")
    with events(line, after=len(first)) as stream:
        number, frame = next(stream)
    assert int(number.removeprefix("0.")) > len(first)
    assert frame


def test_somebody_elses_session_is_as_unknown_as_none(
    owner: httpx.Client, guest: httpx.Client, server: CoscribeServer
) -> None:
    made = new_document(owner, text="", access="editor")
    line = Line(owner, made)
    guest.get("/api/v1/me")
    guest.headers["Origin"] = server.url
    answers = []
    for session in (line.id, "A" * 22):
        asked = {"session": session}
        answers.append(
            [
                guest.get(f"/poll/{made['id']}", params=asked),
                guest.get(f"/sse/{made['id']}", params=asked),
                guest.delete(f"/sessions/{made['id']}", params=asked),
                guest.post(f"/frames/{made['id']}", params=asked | {"n": "1"}, content=LETTER, headers=BYTES),
            ]
        )
    for theirs, unknown in zip(*answers, strict=True):
        assert_problem(theirs, 404, "not-found")
        assert theirs.content == unknown.content
    assert line.post(1, HELLO).status_code == 204  # nothing has happened to it
    other = new_document(owner, text="")
    assert owner.get(f"/poll/{other['id']}", params={"session": line.id}).status_code == 404


def test_pages_of_other_sites_may_neither_write_nor_read(
    owner: httpx.Client, guest: httpx.Client, server: CoscribeServer
) -> None:
    made = new_document(owner, text="", access="editor")
    guest.get("/api/v1/me")
    own = {"Origin": guest.headers.pop("Origin")}
    session = guest.post(f"/sessions/{made['id']}", headers=own).json()["session"]
    asked = {"session": session, "n": "1"}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        assert guest.post(f"/sessions/{made['id']}", headers=headers).status_code == 403
        answer = guest.post(f"/frames/{made['id']}", params=asked, content=LETTER, headers=BYTES | headers)
        assert answer.status_code == 403
        assert guest.delete(f"/sessions/{made['id']}", params=asked, headers=headers).status_code == 403
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for path in ("poll", "sse"):
            assert guest.get(f"/{path}/{made['id']}", params=asked, headers=headers).status_code == 403
    # What a form can send is no frame, from our own page neither.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = guest.post(f"/frames/{made['id']}", params=asked, content=LETTER, headers=own | {"Content-Type": kind})
        assert_problem(answer, 415, "unsupported-media-type")
    assert guest.post(f"/frames/{made['id']}", params=asked, content=b"", headers=BYTES | own).status_code == 204


@pytest.mark.parametrize("body", [b"\x05ab", b"\xff" * 12])
def test_a_body_that_is_no_frames_is_refused_as_a_whole(owner: httpx.Client, body: bytes) -> None:
    line = Line(owner, new_document(owner, text=""))
    asked = {"session": line.id, "n": "1"}
    answer = owner.post(f"/frames/{line.document_id}", params=asked, content=body, headers=BYTES)
    assert_problem(answer, 400, "malformed")
    assert line.post(1, HELLO).status_code == 204


def test_p24_the_end_is_the_last_frame(owner: httpx.Client) -> None:
    line = Line(owner, new_document(owner, text=""))
    line.post(1, b"\xfe")
    frames = line.poll(0)
    [(code, reason)] = closings(frames)
    assert (code, frames[-1][0]) == (4400, CLOSING)
    assert "protocol" in reason
    assert line.post(2, HELLO).status_code == 404


def test_who_loses_access_reads_nothing_more(owner: httpx.Client, server: CoscribeServer) -> None:
    made = new_document(owner, text="secret", access="viewer")
    with server.client() as anyone:
        line = Line(anyone, made)
        line.post(1, b"\x00\x00\x01\x00")
        owner.patch(path_of(made), json={"access": "restricted"})
        frames = line.poll(0)
        assert [code for code, _ in closings(frames)] == [4403]
        assert len(frames) == 1
        assert anyone.post(f"/sessions/{made['id']}").status_code == 404


def test_p25_a_session_has_one_reader_and_it_is_the_newest(owner: httpx.Client) -> None:
    line = Line(owner, new_document(owner, text=""))
    with events(line) as first:
        next(first)
        with events(line) as second:
            next(second)
            assert list(first) == []  # it has ended in good order


def test_p26_several_sessions_come_on_one_stream(owner: httpx.Client) -> None:
    made = new_document(owner, text="")
    lines = [Line(owner, made), Line(owner, made)]
    gone = "B" * 22
    asked = [("session", lines[0].id), ("session", f"{gone}.7"), ("session", lines[1].id)]
    with owner.stream("GET", f"/sse/{made['id']}", params=asked) as response:
        stream = frames_in(response)
        found: dict[str, bytes] = {}
        while not {"0.1", "1.8", "2.1"} <= found.keys():
            number, frame = next(stream)
            found[number] = frame
    assert closings([found["1.8"]])[0][0] == 1001
    assert found["0.1"] == found["2.1"]
    answer = owner.get(f"/poll/{made['id']}", params=asked)
    assert {part for part, _ in frames_of(answer.content)} == {0, 1, 2}
    twice = [("session", lines[0].id), ("session", lines[0].id)]
    assert_problem(owner.get(f"/poll/{made['id']}", params=twice), 422, "invalid-input")


def test_who_goes_is_gone_at_once(owner: httpx.Client) -> None:
    made = new_document(owner, text="")
    line, other = Line(owner, made), Line(owner, made)
    assert line.end().status_code == 204
    assert line.end().status_code == 404
    assert other.post(1, HELLO).status_code == 204


def test_the_last_request_of_a_page_is_taken_and_ends_its_session(owner: httpx.Client) -> None:
    made = new_document(owner, text="")
    line = Line(owner, made)
    asked = {"session": line.id, "n": "1", "last": "true"}
    body = write_bytes(LETTER)
    assert owner.post(f"/frames/{made['id']}", params=asked, content=body, headers=BYTES).status_code == 204
    assert line.post(2, HELLO).status_code == 404
    assert owner.get(path_of(made, "/state")).status_code == 200  # waits for what was accepted
    assert owner.get(path_of(made, "/text")).text == "a"


def test_a_server_that_stops_says_so_on_every_carrier(own_server: CoscribeServer) -> None:
    with own_server.client(own_server.token("t")) as client:
        line = Line(client, new_document(client, text=""))
        with events(line) as stream:
            next(stream)
            own_server.stop()
            frames = [frame for _, frame in stream]
    assert [code for code, _ in closings(frames)] == [1012]


class events:  # noqa: N801 - it is used as a function
    """A line's stream as pairs of id and frame, in a `with`."""

    def __init__(self, line: Line, after: int = 0, **headers: str) -> None:
        asked = {"session": f"{line.id}.{after}"}
        self._stream = line.client.stream("GET", f"/sse/{line.document_id}", params=asked, headers=headers)

    def __enter__(self) -> Any:
        return frames_in(self._stream.__enter__())

    def __exit__(self, *error: Any) -> None:
        self._stream.__exit__(*error)


def frames_in(response: httpx.Response) -> Any:
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif fields.get("event") == "frame":
            yield fields["id"], b64decode(fields["data"])
            fields = {}
