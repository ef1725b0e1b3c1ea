"""Who may send what over a socket: every role and every message (threat row 20, rules P7 and P12)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from pycrdt import Doc, Text
from tests.api.calls import new_document, new_link, text_of
from tests.support.documents import socket_url
from tests.support.server import CoscribeServer
from tests.support.typist import Typist

from coscribe.core.lib0 import write_bytes

READERS, WRITERS = ("viewer", "commenter"), ("editor", "owner")


@contextlib.asynccontextmanager
async def a_socket(
    server: CoscribeServer, owner: httpx.Client, made: dict[str, str], role: str
) -> AsyncIterator[Typist]:
    """Somebody with this role, in sync."""
    if role == "owner":
        secret = owner.headers["Authorization"].removeprefix("Bearer ")
    else:
        secret = new_link(owner, made, role)[1]
    url = f"{socket_url(server, made['id'])}?token={secret}"
    async with Typist(url) as person, Typist(url) as witness:
        await person.wait_synced()
        await witness.wait_synced()
        yield person
        # Whatever it was, the conversation goes on, and nothing that was refused has reached anybody.
        assert person.closed is None
        assert witness.heard.updates == (1 if role in WRITERS and person.sent > 1 else 0)


def an_update(text: str) -> bytes:
    doc: Doc[Text] = Doc(client_id=77)
    doc.get("content", type=Text).insert(0, text)
    return doc.get_update()


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize("step", [1, 2])
async def test_row_20_who_may_not_write_is_told_so_and_changes_nothing(
    server: CoscribeServer, owner: httpx.Client, role: str, step: int
) -> None:
    made = new_document(owner, text="as it was", access="restricted")
    async with a_socket(server, owner, made, role) as person:
        await person.send(bytes([0, step]) + write_bytes(an_update("forbidden")))
        await person.wait(lambda: bool(person.heard.notices))
        notice = person.heard.notices[0]
        assert (notice["kind"], notice["limit"]) == ("refused", "role")
        assert notice["reason"] == "You can view this document but not change it."
        # And it deletes nothing either.
        await person.delete(0, 2)
        await person.wait(lambda: len(person.heard.notices) == 2)
        assert person.heard.notices[1]["limit"] == "role"
    assert text_of(owner, made) == "as it was"


@pytest.mark.parametrize("role", WRITERS)
@pytest.mark.parametrize("step", [1, 2])
async def test_row_20_who_may_write_does(server: CoscribeServer, owner: httpx.Client, role: str, step: int) -> None:
    made = new_document(owner, text="as it was", access="restricted")
    async with a_socket(server, owner, made, role) as person:
        person.sent += 1
        await person.send(bytes([0, step]) + write_bytes(an_update("allowed ")))
        await person.wait_saved()
        assert person.heard.notices == []
    assert sorted(text_of(owner, made)) == sorted("allowed as it was")


@pytest.mark.parametrize("role", [*READERS, *WRITERS])
async def test_row_20_everybody_may_ask_and_show_himself(
    server: CoscribeServer, owner: httpx.Client, role: str
) -> None:
    made = new_document(owner, text="as it was", access="restricted")
    async with a_socket(server, owner, made, role) as person:
        person.synced = False
        await person.send(b"\x00\x00\x01\x00")
        await person.wait_synced()
        await person.set_awareness(1, {"line": 1})
        await person.wait(lambda: person.doc.client_id in person.heard.awareness)
        person.heard.awareness.clear()
        await person.send(b"\x03")
        await person.wait(lambda: person.doc.client_id in person.heard.awareness)
        assert person.heard.notices == []
