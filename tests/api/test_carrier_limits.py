"""What people with bad manners, or bad luck, do to the carriers of HTTP: rules P21 to P25."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, path_of
from tests.api.test_carriers import BYTES, LETTER, Line, closings, frames_of
from tests.support.server import CoscribeServer
from tests.support.typist import HELLO
from tests.support.wire_bytes import framed, one, typed

from coscribe.core.lib0 import write_bytes


def send(line: Line, n: int, body: bytes) -> httpx.Response:
    asked = {"session": line.id, "n": str(n)}
    return line.client.post(f"/frames/{line.document_id}", params=asked, content=body, headers=BYTES)


def test_a_body_of_nothing_but_frames_without_bytes_is_refused(owner: httpx.Client) -> None:
    """Fifteen million of them held everybody up for 3.5 s."""
    line = Line(owner, new_document(owner, text=""))
    assert_problem(send(line, 1, b"\x00" * 10_000), 400, "malformed")
    assert line.post(1, HELLO).status_code == 204


def test_a_request_carries_ten_thousand_frames(owner: httpx.Client) -> None:
    line = Line(owner, new_document(owner, text=""))
    assert_problem(send(line, 1, write_bytes(b"\x03") * 10_001), 422, "invalid-input")
    assert line.post(1, HELLO).status_code == 204


def unread_body(said: threading.Event) -> Iterator[bytes]:
    """A body whose rest comes when something else has happened."""
    yield write_bytes(LETTER)
    said.wait(20)
    yield write_bytes(b"\x03")


def test_p21_what_comes_beside_a_request_waits_for_it_and_is_read_after_it(
    owner: httpx.Client, server: CoscribeServer, token: str
) -> None:
    line = Line(owner, new_document(owner, text=""))
    rest, answers = threading.Event(), []

    def slowly() -> None:
        with server.client(token) as other:
            asked = {"session": line.id, "n": "1"}
            answers.append(
                other.post(f"/frames/{line.document_id}", params=asked, content=unread_body(rest), headers=BYTES)
            )

    def again() -> None:
        with server.client(token) as other:
            answers.append(send(Line.of(other, line), 1, write_bytes(LETTER)))

    threads = [threading.Thread(target=slowly), threading.Thread(target=again)]
    for thread in threads:
        thread.start()
    rest.set()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [204, 204]
    assert line.post(2, HELLO).status_code == 204
    assert owner.get(path_of({"id": line.document_id}, "/state")).status_code == 200  # waits for what was accepted
    assert owner.get(path_of({"id": line.document_id}, "/text")).text == "a"


def test_p24_who_lost_access_hears_nothing_of_what_was_kept(owner: httpx.Client, guest: httpx.Client) -> None:
    made = new_document(owner, text="a secret", access="editor")
    guest.get("/api/v1/me")
    line = Line(guest, made)
    line.post(1, b"\x00\x00\x01\x00")
    assert any(b"a secret" in frame for frame in line.heard(2))
    owner.patch(path_of(made), json={"access": "restricted"}).raise_for_status()
    [(code, _)] = closings(line.poll(0))
    assert code in (4403, 4404)


def test_p25_who_lost_access_is_gone_though_nobody_reads(owner: httpx.Client, guest: httpx.Client) -> None:
    made = new_document(owner, text="", access="editor")
    guest.get("/api/v1/me")
    own, line = Line(owner, made), Line(guest, made)
    line.post(1, b"\x01" + write_bytes(b"\x01\x05\x01\x02{}"))
    own.post(1, b"\x03")
    owner.patch(path_of(made), json={"access": "restricted"}).raise_for_status()
    assert_problem(line.post(2, HELLO), 404, "not-found")
    position, left = 0, False
    while not left:
        answer = owner.get(f"/poll/{made['id']}", params={"session": f"{own.id}.{position}"})
        frames = [frame for _, frame in frames_of(answer.content)]
        position += len(frames)
        left = any(frame[0] == 1 and frame.endswith(b"\x04null") for frame in frames)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoscribeServer]:
    """A server whose outboxes hold little."""
    with CoscribeServer(tmp_path_factory.mktemp("small"), max_outbox_bytes=65_536) as server:
        yield server


def test_a_poll_brings_at_once_what_its_session_was_left_without(small: CoscribeServer) -> None:
    with small.client(small.token("t")) as owner:
        made = new_document(owner, text="")
        reader, writer = Line(owner, made), Line(owner, made)
        reader.post(1, b"\x00\x00\x01\x00")
        heard = len(reader.heard(2))
        for number in range(3):
            letters = framed(2, one(5, 40_000 * number, typed("x" * 40_000)))
            assert writer.post(number + 1, letters).status_code == 204
        assert owner.get(path_of(made, "/state")).status_code == 200  # all of it was told
        assert any(b"x" * 40_000 in frame for frame in reader.poll(heard))
