"""The CRDT over REST: whole states out, updates in."""

from __future__ import annotations

import httpx
import pytest
from pycrdt import Doc, Text
from tests.api.calls import assert_problem, new_document, path_of, put_text, text_of

BYTES = {"Content-Type": "application/octet-stream"}


def replica(state: bytes, client_id: int = 7) -> tuple[Doc[Text], Text]:
    """A CRDT copy made of a state."""
    doc: Doc[Text] = Doc(client_id=client_id)
    text: Text = doc.get("content", type=Text)
    doc.apply_update(state)
    return doc, text


def test_a_state_makes_a_replica_whose_updates_come_back(owner: httpx.Client) -> None:
    made = new_document(owner, text="shared 🎈\n")
    answer = owner.get(path_of(made, "/state"))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["etag"] == '"1.1"'
    doc, text = replica(answer.content)
    assert str(text) == "shared 🎈\n"
    before = doc.get_state()
    text += "from a replica\n"
    put_text(owner, made, "shared 🎈\nmeanwhile\n")
    update = doc.get_update(before)
    written = owner.post(path_of(made, "/updates"), content=update, headers=BYTES)
    assert written.json() == {"generation": 1, "seq": 3, "changed": True}
    again = owner.post(path_of(made, "/updates"), content=update, headers=BYTES)
    assert again.json() == {"generation": 1, "seq": 3, "changed": False}
    merged = text_of(owner, made)
    assert "meanwhile\n" in merged
    assert "from a replica\n" in merged
    assert str(replica(owner.get(path_of(made, "/state")).content)[1]) == merged


def test_an_empty_update_changes_nothing(owner: httpx.Client) -> None:
    made = new_document(owner, text="text")
    answer = owner.post(path_of(made, "/updates"), content=b"\0\0", headers=BYTES)
    assert answer.json() == {"generation": 1, "seq": 1, "changed": False}


@pytest.mark.parametrize(
    "body", [b"", b"\0", b"\xff" * 40, b"\x01\x01", b"\0\0\0"], ids=lambda body: body.hex() or "none"
)
def test_bytes_that_are_no_update_are_refused(owner: httpx.Client, body: bytes) -> None:
    made = new_document(owner, text="text")
    assert_problem(owner.post(path_of(made, "/updates"), content=body, headers=BYTES), 400, "malformed")
    assert text_of(owner, made) == "text"


def test_an_update_of_another_type_is_refused_with_the_rule_it_breaks(owner: httpx.Client) -> None:
    made = new_document(owner)
    doc: Doc[Text] = Doc(client_id=9)
    doc["other"] = Text("text")
    answer = owner.post(path_of(made, "/updates"), content=doc.get_update(), headers=BYTES)
    problem = assert_problem(answer, 422, "update-refused")
    assert problem["limit"] == "root"
    assert "content" in problem["detail"]


def test_an_update_that_builds_on_what_is_not_here_is_refused(owner: httpx.Client) -> None:
    made = new_document(owner)
    doc, text = replica(owner.get(path_of(made, "/state")).content)
    text += "lost "
    before = doc.get_state()
    text += "found"
    answer = owner.post(path_of(made, "/updates"), content=doc.get_update(before), headers=BYTES)
    assert assert_problem(answer, 422, "invalid-input")["field"] == "update"
    assert owner.post(path_of(made, "/updates"), content=doc.get_update(), headers=BYTES).json()["changed"]
    assert text_of(owner, made) == "lost found"


def test_updates_are_bytes(owner: httpx.Client) -> None:
    made = new_document(owner)
    for kind in ("application/json", "text/plain", ""):
        answer = owner.post(path_of(made, "/updates"), content=b"\0\0", headers={"Content-Type": kind})
        assert_problem(answer, 415, "unsupported-media-type")
