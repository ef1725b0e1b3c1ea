"""What is changed over REST reaches open sockets at once: access, links, the trash, names, titles, texts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from tests.api.calls import new_document, new_link, patch_text, path_of, put_text, text_of
from tests.support.server import CoscribeServer
from tests.support.typist import Typist

T = TypeVar("T")


def socket_url(server: CoscribeServer, document: dict[str, Any], token: str | None = None) -> str:
    query = f"?token={token}" if token else ""
    return f"ws{server.url.removeprefix('http')}/ws/{document['id']}{query}"


async def while_open(call: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """A blocking call while sockets are served."""
    return await asyncio.to_thread(call, *arguments, **options)


async def closed(typist: Typist) -> tuple[int, str]:
    """How the server ended the socket."""
    await typist.wait(lambda: typist.closed is not None)
    assert typist.closed is not None
    return typist.closed


@pytest.mark.parametrize(("access", "says"), [("viewer", "viewer"), ("commenter", "commenter"), ("restricted", None)])
async def test_general_access_changes_for_who_came_by_the_address(
    server: CoscribeServer, owner: httpx.Client, access: str, says: str | None
) -> None:
    made = new_document(owner, text="text", access="editor")
    async with Typist(socket_url(server, made)) as nobody:
        await nobody.wait_synced()
        await while_open(owner.patch, path_of(made), json={"access": access})
        if says is None:
            assert (await closed(nobody))[0] == 4403
            assert nobody.heard.denied
        else:
            await nobody.wait(lambda: any(notice.get("role") == says for notice in nobody.heard.notices))
            await nobody.insert(0, "not any more ")
            await nobody.wait(lambda: any(notice["kind"] == "refused" for notice in nobody.heard.notices))
    assert text_of(owner, made) == "text"


async def test_a_revoked_link_closes_the_sockets_that_it_opened(server: CoscribeServer, owner: httpx.Client) -> None:
    made = new_document(owner, text="text")
    link_id, secret = new_link(owner, made, "editor")
    _, other = new_link(owner, made, "viewer")
    async with Typist(socket_url(server, made, secret)) as editor, Typist(socket_url(server, made, other)) as viewer:
        await editor.wait_synced()
        await viewer.wait_synced()
        await while_open(owner.delete, path_of(made, f"/links/{link_id}"))
        assert (await closed(editor))[0] == 4403
        await while_open(put_text, owner, made, "goes on")
        await viewer.wait_text("goes on")
        assert viewer.closed is None


async def test_a_guest_who_came_by_a_revoked_link_is_out_too(server: CoscribeServer, owner: httpx.Client) -> None:
    made = new_document(owner, text="text")
    link_id, secret = new_link(owner, made, "editor")
    with server.client() as guest:
        await while_open(guest.get, f"/s/{secret}")
        cookie = f"coscribe_session={guest.cookies['coscribe_session']}"
        headers = {"Cookie": cookie, "Origin": server.url}
        async with Typist(socket_url(server, made), headers=headers) as typist:
            await typist.wait_synced()
            await while_open(owner.delete, path_of(made, f"/links/{link_id}"))
            assert (await closed(typist))[0] == 4403


@pytest.mark.parametrize("who", ["owner", "nobody"])
async def test_the_trash_closes_every_socket(server: CoscribeServer, owner: httpx.Client, token: str, who: str) -> None:
    made = new_document(owner, text="text", access="editor")
    url = socket_url(server, made, token if who == "owner" else None)
    async with Typist(url) as typist:
        await typist.wait_synced()
        await typist.insert(0, "last words ")
        await typist.wait_saved()
        await while_open(owner.delete, path_of(made))
        assert (await closed(typist))[0] == 4404
        await typist.connect()
        assert (await closed(typist))[0] == 4404
    assert text_of(owner, made) == "last words text"


async def test_a_new_name_is_shown_at_once(server: CoscribeServer, owner: httpx.Client, guest: httpx.Client) -> None:
    made = new_document(owner, access="editor")
    await while_open(guest.get, "/api/v1/me")
    headers = {"Cookie": f"coscribe_session={guest.cookies['coscribe_session']}", "Origin": server.url}
    async with Typist(socket_url(server, made), headers=headers) as ada, Typist(socket_url(server, made)) as other:
        await ada.wait_synced()
        await ada.set_awareness(1, {"state": "active"})
        await other.wait(lambda: ada.doc.client_id in other.heard.awareness)
        await while_open(guest.patch, "/api/v1/me", json={"name": "Ada"})
        await other.wait(lambda: '"Ada"' in str(other.heard.awareness[ada.doc.client_id].state))


async def test_our_own_clients_hear_that_the_document_was_renamed_or_shared(
    server: CoscribeServer, owner: httpx.Client
) -> None:
    made = new_document(owner, access="viewer")
    async with Typist(socket_url(server, made)) as typist:
        await typist.wait_synced()
        await while_open(owner.patch, path_of(made), json={"title": "New", "access": "editor"})
        await typist.wait(
            lambda: (
                {"renamed", "shared"}
                <= {notice["reason"] for notice in typist.heard.notices if notice["kind"] == "document"}
            )
        )


async def test_a_text_write_and_typing_meet(server: CoscribeServer, owner: httpx.Client) -> None:
    made = new_document(owner, text="one\ntwo\nthree\n", access="editor")
    async with Typist(socket_url(server, made)) as typist:
        await typist.wait_synced()
        await typist.insert(0, "zero\n")
        await while_open(put_text, owner, made, "one\n2\nthree\n", params={"base": 1})
        await typist.wait_text("zero\none\n2\nthree\n")
        await while_open(patch_text, owner, made, {"op": "append", "text": "four\n"})
        await typist.wait_text("zero\none\n2\nthree\nfour\n")
        await typist.wait(lambda: any('"owner"' in str(entry.state) for entry in typist.heard.awareness.values()))
    assert text_of(owner, made) == "zero\none\n2\nthree\nfour\n"


async def test_a_revoked_link_ends_its_sockets_also_where_the_address_alone_would_do(
    server: CoscribeServer, owner: httpx.Client
) -> None:
    made = new_document(owner, text="text", access="editor")
    link_id, secret = new_link(owner, made, "viewer")
    async with Typist(socket_url(server, made, secret)) as reader, Typist(socket_url(server, made)) as nobody:
        await reader.wait_synced()
        await nobody.wait_synced()
        await while_open(owner.delete, path_of(made, f"/links/{link_id}"))
        assert (await closed(reader))[0] == 4403
        assert nobody.closed is None


async def test_a_document_takes_so_many_sockets_and_no_more(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_sessions_per_document=1) as server, server.client() as client:
        made, other = (new_document(client, text="text", access="editor") for _ in range(2))
        async with Typist(socket_url(server, made)) as first:
            await first.wait_synced()
            async with Typist(socket_url(server, made)) as second, Typist(socket_url(server, other)) as elsewhere:
                assert (await closed(second))[0] == 1013
                await elsewhere.wait_synced()
            await first.insert(0, "still here: ")
            await first.wait_saved()
        assert text_of(client, made) == "still here: text"
