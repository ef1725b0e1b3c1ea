"""The text of a document over REST: entity tags, strict, merged and compared writes, edits."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.api.calls import assert_problem, new_document, patch_text, path_of, put_text, text_of

POEM = "one\ntwo\nthree\n"


def test_a_text_has_an_entity_tag_and_is_not_sent_twice(owner: httpx.Client) -> None:
    made = new_document(owner, text=POEM)
    answer = owner.get(path_of(made, "/text"))
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["etag"] == '"1.1"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.content.decode() == POEM
    for held in ('"1.1"', 'W/"1.1"', '"0.9", "1.1"', "*"):
        again = owner.get(path_of(made, "/text"), headers={"If-None-Match": held})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"1.1"')
    put_text(owner, made, "other")
    newer = owner.get(path_of(made, "/text"), headers={"If-None-Match": '"1.1"'})
    assert (newer.status_code, newer.headers["etag"], newer.text) == (200, '"1.2"', "other")


def test_the_head_of_a_text_has_its_tag_and_its_length(owner: httpx.Client) -> None:
    made = new_document(owner, text=POEM)
    answer = owner.head(path_of(made, "/text"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert (answer.headers["etag"], answer.headers["content-length"]) == ('"1.1"', str(len(POEM)))


def test_every_past_position_can_be_read(owner: httpx.Client) -> None:
    made = new_document(owner)
    texts = [""] + [f"draft {number} 🎈\n" * number for number in range(1, 6)]
    for text in texts[1:]:
        put_text(owner, made, text)
    for seq, text in enumerate(texts):
        answer = owner.get(path_of(made, "/text"), params={"at": seq})
        assert (answer.content.decode(), answer.headers["etag"]) == (text, f'"1.{seq}"')
    held = owner.get(path_of(made, "/text"), params={"at": 2}, headers={"If-None-Match": '"1.2"'})
    assert held.status_code == 304
    for at in (6, -1, "now"):
        problem = assert_problem(owner.get(path_of(made, "/text"), params={"at": at}), 422, "invalid-input")
        assert problem["field"] == "at"


def test_put_answers_where_the_text_came_to_stand(owner: httpx.Client) -> None:
    made = new_document(owner, text="caf\u00e9 🎈")
    assert put_text(owner, made, "caf\u00e9 🎈!").json() == {"generation": 1, "seq": 2, "changed": True}
    assert put_text(owner, made, "caf\u00e9 🎈!").json() == {"generation": 1, "seq": 2, "changed": False}
    assert put_text(owner, made, "a\r\nb\rc").json()["changed"]
    assert text_of(owner, made) == "a\nb\nc"
    assert put_text(owner, made, "").json()["seq"] == 4
    assert text_of(owner, made) == ""


@pytest.mark.parametrize("header", ['"1.1"', '"7.7", "1.1"', "*"])
def test_if_match_writes_onto_the_text_it_names(owner: httpx.Client, header: str) -> None:
    made = new_document(owner, text=POEM)
    assert put_text(owner, made, "new", headers={"If-Match": header}).json()["seq"] == 2


@pytest.mark.parametrize("header", ['"1.0"', '"1.2"', '"2.1"', 'W/"1.1"', '"else"', '"1.1x"'])
def test_if_match_refuses_any_other_text(owner: httpx.Client, header: str) -> None:
    made = new_document(owner, text=POEM)
    assert_problem(put_text(owner, made, "new", headers={"If-Match": header}), 412, "precondition-failed")
    append = {"edits": [{"op": "append", "text": "!"}]}
    answer = owner.patch(path_of(made, "/text"), json=append, headers={"If-Match": header})
    assert_problem(answer, 412, "precondition-failed")
    assert text_of(owner, made) == POEM


def test_if_match_that_is_no_list_of_tags_is_refused(owner: httpx.Client) -> None:
    made = new_document(owner, text=POEM)
    problem = assert_problem(put_text(owner, made, "new", headers={"If-Match": "1.1"}), 422, "invalid-input")
    assert problem["field"] == "If-Match"


def test_a_base_is_merged_with_what_came_since(owner: httpx.Client) -> None:
    made = new_document(owner, text=POEM)
    put_text(owner, made, "zero\n" + POEM)
    merged = put_text(owner, made, "one\ntwo\n3\n", params={"base": 1})
    assert merged.json() == {"generation": 1, "seq": 3, "changed": True}
    assert text_of(owner, made) == "zero\none\ntwo\n3\n"
    nothing = put_text(owner, made, POEM, params={"base": 1})
    assert nothing.json()["changed"] is False
    assert text_of(owner, made) == "zero\none\ntwo\n3\n"


def test_edits_with_a_base_count_in_the_text_at_the_base(owner: httpx.Client) -> None:
    made = new_document(owner, text=POEM)
    put_text(owner, made, "zero\n" + POEM)
    edit = {"op": "replace", "start": 4, "end": 7, "text": "TWO"}
    assert patch_text(owner, made, edit, base=1).json()["changed"]
    assert text_of(owner, made) == "zero\none\nTWO\nthree\n"


def test_a_base_that_lies_ahead_or_comes_with_if_match_is_refused(owner: httpx.Client) -> None:
    made = new_document(owner, text=POEM)
    for answer in (
        put_text(owner, made, "x", params={"base": 2}),
        put_text(owner, made, "x", params={"base": 1}, headers={"If-Match": '"1.1"'}),
        patch_text(owner, made, {"op": "append", "text": "x"}, base=2),
    ):
        assert assert_problem(answer, 422, "invalid-input")["field"] == "base"
    assert text_of(owner, made) == POEM


EDITS: list[tuple[dict[str, Any], str]] = [
    ({"op": "append", "text": "four\n"}, "one\ntwo\nthree\nfour\n"),
    ({"op": "prepend", "text": "zero\n"}, "zero\none\ntwo\nthree\n"),
    ({"op": "insert", "at": 3, "text": "!"}, "one!\ntwo\nthree\n"),
    ({"op": "replace", "start": 0, "end": 3, "text": "1"}, "1\ntwo\nthree\n"),
    ({"op": "find_replace", "find": "e\n", "replace": "E\n"}, "onE\ntwo\nthree\n"),
    ({"op": "find_replace", "find": "e\n", "replace": "E\n", "all": True}, "onE\ntwo\nthreE\n"),
    ({"op": "replace_lines", "first": 2, "last": 3, "text": "2\n3"}, "one\n2\n3\n"),
    ({"op": "diff", "diff": "--- a\n+++ b\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"}, "one\n2\nthree\n"),
]


@pytest.mark.parametrize(("edit", "expected"), EDITS, ids=[f"{edit['op']}-{n}" for n, (edit, _) in enumerate(EDITS)])
def test_every_kind_of_edit(owner: httpx.Client, edit: dict[str, Any], expected: str) -> None:
    made = new_document(owner, text=POEM)
    assert patch_text(owner, made, edit).json() == {"generation": 1, "seq": 2, "changed": True}
    assert text_of(owner, made) == expected


def test_edits_are_made_in_order(owner: httpx.Client) -> None:
    made = new_document(owner, text="b")
    edits = [{"op": "prepend", "text": "a"}, {"op": "append", "text": "c"}, {"op": "insert", "at": 3, "text": "d"}]
    assert patch_text(owner, made, *edits).json()["seq"] == 2, "one entry"
    assert text_of(owner, made) == "abcd"


@pytest.mark.parametrize(("units", "expected"), [("code-points", "🎈x🎈"), ("utf-16", "🎈🎈x")])
def test_positions_count_code_points_or_utf16_units(owner: httpx.Client, units: str, expected: str) -> None:
    made = new_document(owner, text="🎈🎈")
    at = 1 if units == "code-points" else 4
    assert patch_text(owner, made, {"op": "insert", "at": at, "text": "x"}, units=units).status_code == 200
    assert text_of(owner, made) == expected


@pytest.mark.parametrize(
    "edit",
    [
        {"op": "insert", "at": 15, "text": "x"},
        {"op": "replace", "start": 3, "end": 2, "text": "x"},
        {"op": "find_replace", "find": "four", "replace": "4"},
        {"op": "replace_lines", "first": 5, "last": 5, "text": "x"},
        {"op": "diff", "diff": "@@ -1 +1 @@\n-nothing like it\n+x\n"},
    ],
    ids=lambda edit: edit["op"],
)
def test_an_edit_that_cannot_be_made_undoes_all_of_them(owner: httpx.Client, edit: dict[str, Any]) -> None:
    made = new_document(owner, text=POEM)
    problem = assert_problem(patch_text(owner, made, {"op": "append", "text": ""}, edit), 409, "edit-conflict")
    assert problem["index"] == 1
    assert owner.get(path_of(made)).json()["seq"] == 1
    assert text_of(owner, made) == POEM


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"edits": []}, "edits"),
        ({"edits": [{"op": "erase"}]}, "edits[0]"),
        ({"edits": [{"op": "insert", "at": -1, "text": ""}]}, "edits[0].at"),
        ({"edits": [{"op": "insert", "at": 1.5, "text": ""}]}, "edits[0].at"),
        ({"edits": [{"op": "insert", "at": 2**53, "text": ""}]}, "edits[0].at"),
        ({"edits": [{"op": "append", "text": "x", "by": "me"}]}, "edits[0].by"),
        ({"edits": [{"op": "append", "text": "x"}], "units": "bytes"}, "units"),
        ({}, "edits"),
    ],
)
def test_edits_that_are_none_are_refused(owner: httpx.Client, body: dict[str, Any], field: str) -> None:
    made = new_document(owner, text=POEM)
    problem = assert_problem(owner.patch(path_of(made, "/text"), json=body), 422, "invalid-input")
    assert problem["field"] == field


@pytest.mark.parametrize(
    "kind", ["application/json", "text/html", "text/plain; charset=latin-1", "", "multipart/form-data"]
)
def test_a_text_is_markdown_or_plain_and_utf8(owner: httpx.Client, kind: str) -> None:
    made = new_document(owner, text=POEM)
    assert_problem(put_text(owner, made, "x", headers={"Content-Type": kind}), 415, "unsupported-media-type")


def test_bytes_that_are_no_utf8_are_refused(owner: httpx.Client) -> None:
    made = new_document(owner, text=POEM)
    answer = owner.put(path_of(made, "/text"), content=b"ab\xff", headers={"Content-Type": "text/plain"})
    assert "byte 2" in assert_problem(answer, 400, "malformed")["detail"]


@pytest.mark.parametrize("body", [b"{", b"", b'{"edits": ' + b"[" * 100_000])
def test_json_that_is_none_is_refused(owner: httpx.Client, body: bytes) -> None:
    made = new_document(owner, text=POEM)
    answer = owner.patch(path_of(made, "/text"), content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, 422 if not body else 400, "invalid-input" if not body else "malformed")


def test_what_was_typed_meanwhile_stays(owner: httpx.Client) -> None:
    """Two scripts write at once: each change lands, none is lost, every answer names its own seq."""
    made = new_document(owner, text="".join(f"{line}\n" for line in range(50)))
    seqs = []
    for line in range(50):
        edit = {"op": "find_replace", "find": f"{line}\n", "replace": f"line {line}.\n"}
        seqs.append(patch_text(owner, made, edit, base=1).json()["seq"])
    assert seqs == sorted(set(seqs))
    assert text_of(owner, made).count("line ") == 50
