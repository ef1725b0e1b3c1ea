"""What is taken away while somebody is on his way in: he is not here yet when it is told, and must not stay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.requests import HTTPConnection

from coscribe.api import socket as sockets
from coscribe.api.handshake import Handshake
from coscribe.api.line import Line
from coscribe.api.wiring import Wiring
from coscribe.app import create_app
from coscribe.config import Settings
from coscribe.core.session import Session
from coscribe.errors import NotFound
from coscribe.model import Access, Document, Principal, PrincipalKind, Role, new_id
from coscribe.ports import DocumentChanges
from coscribe.rooms.held import Held
from coscribe.services.access import AccessService, Caller
from coscribe.services.documents import NewDocument

OWNER = Caller(Principal(new_id(), PrincipalKind.GUEST, "Owner", 0))
GUEST = Caller(Principal(new_id(), PrincipalKind.GUEST, "Guest", 1))


class Hand:
    """The connection of somebody who comes in: it keeps the session that it is handed over with."""

    session: Session | None = None

    def left(self) -> None:
        """Nobody is to hear of its end."""

    def hand_over(self, line: Line, session: Session) -> bool:
        del line
        self.session = session
        return True


@pytest.fixture
async def wiring(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Wiring]:
    app = create_app(Settings(database_url=sqlite_url, data_dir=tmp_path))
    async with app.router.lifespan_context(app) as state:
        yield state["wiring"]


@pytest.fixture
async def document(wiring: Wiring) -> Document:
    assert OWNER.principal is not None
    seen = await wiring.documents.create(OWNER.principal, NewDocument("", "secret", "markdown", Access.EDITOR))
    return seen.document


def meanwhile(wiring: Wiring, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Let something happen once between the first look at the document and the seat in its room."""
    acquire = wiring.registry.acquire

    async def and_then(document: Document) -> Held:
        held = await acquire(document)
        monkeypatch.setattr(wiring.registry, "acquire", acquire)
        await happens()
        return held

    monkeypatch.setattr(wiring.registry, "acquire", and_then)


def changing(wiring: Wiring, document: Document, access: Access) -> Callable[[], Any]:
    return lambda: wiring.documents.change(document.id, OWNER, DocumentChanges(access=access))


async def enter(wiring: Wiring, document: Document) -> Session:
    hand = Hand()
    connection = HTTPConnection({"type": "websocket", "query_string": b"", "headers": [], "client": ("192.0.2.1", 1)})
    await sockets._enter(cast(Handshake, hand), connection, wiring, document.id, GUEST)
    assert hand.session is not None
    return hand.session


async def test_access_that_is_restricted_meanwhile_lets_nobody_in(
    wiring: Wiring, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(wiring, monkeypatch, changing(wiring, document, Access.RESTRICTED))
    with pytest.raises(NotFound):
        await enter(wiring, document)


async def test_a_role_that_is_lowered_meanwhile_is_the_one_that_counts(
    wiring: Wiring, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(wiring, monkeypatch, changing(wiring, document, Access.VIEWER))
    assert (await enter(wiring, document)).role is Role.VIEWER


async def test_a_document_that_is_trashed_meanwhile_lets_nobody_in(
    wiring: Wiring, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(wiring, monkeypatch, lambda: wiring.documents.trash(document.id, OWNER))
    with pytest.raises(NotFound):
        await enter(wiring, document)


async def test_who_comes_in_while_nothing_is_changed_is_looked_up_once(
    wiring: Wiring, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    look = AccessService.enter

    async def counted(access: AccessService, document_id: str, caller: Caller) -> tuple[Document, Role]:
        nonlocal asked
        asked += 1
        return await look(access, document_id, caller)

    monkeypatch.setattr(AccessService, "enter", counted)
    assert (await enter(wiring, document)).role is Role.EDITOR
    assert asked == 1
