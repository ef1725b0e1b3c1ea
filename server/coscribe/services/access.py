"""Who may do what with a document: every check of the server goes through `AccessService.require`.

A role comes from ownership, from grants, from a link that the request carries and from general access; the highest
counts. What a caller may not see does not exist for him: unknown and forbidden documents raise the same NotFound.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from coscribe.errors import Forbidden, InTrash, NotFound
from coscribe.model import ANYONE, Access, Document, Link, Principal, PrincipalKind, Role
from coscribe.ports import Documents, Grants
from coscribe.rooms.registry import Registry
from coscribe.rooms.room import Room

# Links expire and grants may change behind a session's back: this is how long such a change can go unseen.
PATROL_EVERY_S = 30.0
# Rooms whose rows are asked for together: one by one, a round of 10,000 took 6.5 s of the core; so 0.6 s.
_TOGETHER = 100

# The close code of a socket whose document is gone or in the trash (y-websocket clients do not come back after it).
GONE = 4404

# What new_id makes; anything else is looked for nowhere, and looks like any unknown id.
_ID = re.compile(r"[A-Za-z0-9]{22}")

_UNKNOWN = "There is no such document."
_ROLE_WORDS = {
    Role.VIEWER: "read this document",
    Role.COMMENTER: "comment on this document",
    Role.EDITOR: "change this document",
    Role.OWNER: "do this: only the owner of the document may",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: a principal, or the bearer of a link's secret, or neither (a visitor without a credential)."""

    principal: Principal | None
    link: Link | None = None

    @property
    def actor(self) -> Principal:
        """The principal that the caller's work is written down under."""
        return self.principal or ANYONE


NOBODY = Caller(None)


class AccessService:
    """The one place that decides; also brings a changed decision to the sessions and readers that are open."""

    def __init__(self, documents: Documents, grants: Grants, registry: Registry) -> None:
        self._documents = documents
        self._grants = grants
        self._registry = registry
        self._reapplied = 0

    @property
    def changes(self) -> int:
        """How often access was changed in this process.

        Where it has risen since before somebody's role was asked for, and he was not here yet, it is to be asked again:
        everything that is taken away is stored first, and then told to those who are here.
        """
        return self._reapplied + self._registry.drops

    def note_change(self) -> None:
        """Note that access was changed, perhaps of a document whose room is just being opened."""
        self._reapplied += 1

    async def role(self, document: Document, caller: Caller) -> Role | None:
        """The caller's role on the document, None when it does not exist for him."""
        principal = caller.principal
        if principal is not None and document.owner_id == principal.id:
            return Role.OWNER
        if document.trashed_at is not None:
            return None
        roles = [document.access.role, _role_by_link(document, caller.link)]
        if principal is not None and document.access is not Access.EDITOR:  # no grant gives more than an editor
            roles.append(await self._grants.role_of(document.id, principal.id))
        return max((role for role in roles if role is not None), key=lambda role: role.rank, default=None)

    async def require(
        self, document_id: str, caller: Caller, role: Role, *, in_trash: bool = False
    ) -> tuple[Document, Role]:
        """The document and the caller's role on it, when that includes `role`.

        Raises NotFound when the document is unknown or not for this caller, Forbidden when the role is too low, and
        InTrash when more than reading is asked of a document in the trash, unless `in_trash` allows it.
        """
        document = await self._documents.get(document_id) if _ID.fullmatch(document_id) else None
        actual = None if document is None else await self.role(document, caller)
        if document is None or actual is None:
            raise NotFound(_UNKNOWN)
        if not actual.includes(role):
            raise Forbidden(f"You may not {_ROLE_WORDS[role]}.")
        if document.trashed_at is not None and role is not Role.VIEWER and not in_trash:
            raise InTrash("The document is in the trash; restore it first.")
        return document, actual

    async def enter(self, document_id: str, caller: Caller) -> tuple[Document, Role]:
        """As `require` for a viewer, for those who stay: sockets and feeds. Raises InTrash for the owner, too."""
        document, role = await self.require(document_id, caller, Role.VIEWER)
        if document.trashed_at is not None:
            raise InTrash("The document is in the trash; restore it first.")
        return document, role

    async def reapply(self, document: Document) -> None:
        """Give every open session and feed reader of the document the role that it has now; None closes it."""
        self._reapplied += 1
        room = self._registry.live(document.id)
        if room is None or not (room.sessions or room.feed.readers):
            return
        links = {link.id: link for link in await self._grants.links(document.id)}
        roles: dict[tuple[str, str | None], Role | None] = {}
        for principal, link_id in _visitors(room):
            link = links.get(link_id) if link_id else None
            known = None if principal.kind is PrincipalKind.ANYONE else principal
            # Who came by a link goes with it, also where general access would let him in: his page's address is dead.
            is_dead = link_id is not None and _role_by_link(document, link) is None
            roles[principal.id, link_id] = None if is_dead else await self.role(document, Caller(known, link))
        _set_roles(room, roles)

    async def patrol(self, stop: asyncio.Event) -> None:
        """Reapply the roles of all live rooms every `PATROL_EVERY_S` seconds until `stop` is set.

        Raises an ExceptionGroup of what went wrong in a round, once all other rooms were looked after.
        """
        while not stop.is_set():
            await self._make_round(stop)
            try:
                async with asyncio.timeout(PATROL_EVERY_S):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _make_round(self, stop: asyncio.Event) -> None:
        rooms = [room for room in self._registry.rooms if room.sessions or room.feed.readers]
        failures: list[Exception] = []
        for start in range(0, len(rooms), _TOGETHER):
            if stop.is_set():
                return
            together = rooms[start : start + _TOGETHER]
            answers = await asyncio.gather(*map(self.inspect, together), return_exceptions=True)
            failures += [answer for answer in answers if isinstance(answer, Exception)]
        if failures:
            raise ExceptionGroup("Access to some documents could not be looked at.", failures)

    async def inspect(self, room: Room) -> None:
        """Look at who may be in a room as the database has it now."""
        document = await self._documents.get(room.document_id)
        if document is None or document.trashed_at is not None:
            # Somebody came in while it went to the trash.
            await self._registry.drop(room.document_id, code=GONE, reason="This document was moved to the trash.")
        elif document.generation > room.generation:
            room.replaced(document.generation)
        else:
            await self.reapply(document)


def _role_by_link(document: Document, link: Link | None) -> Role | None:
    if link is None or link.document_id != document.id:
        return None
    if link.expires_at is not None and link.expires_at <= datetime.now(UTC):
        return None
    return link.role


def _visitors(room: Room) -> Iterable[tuple[Principal, str | None]]:
    """Every (principal, link) that is connected, once."""
    visitors = {(session.principal.id, session.link_id): session.principal for session in room.sessions}
    visitors |= {(reader.principal.id, reader.link_id): reader.principal for reader in room.feed.readers}
    return [(principal, link_id) for (_, link_id), principal in visitors.items()]


def _set_roles(room: Room, roles: dict[tuple[str, str | None], Role | None]) -> None:
    """Without awaiting: who came while the roles were looked up was let in by the new rules or is met by the patrol."""
    for session in tuple(room.sessions):
        key = (session.principal.id, session.link_id)
        if key in roles and roles[key] is not session.role:
            room.sessions.set_role(session, roles[key])
    for reader in tuple(room.feed.readers):
        if roles.get((reader.principal.id, reader.link_id), Role.VIEWER) is None:
            reader.close()
