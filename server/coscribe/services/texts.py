"""Texts as scripts read and write them. Every write goes through the live room, as the write of one more person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from coscribe.core import textedit
from coscribe.core.splices import Splice
from coscribe.core.title import SEARCHED, title_of
from coscribe.core.units import Units
from coscribe.errors import InvalidInput, PreconditionFailed, TooLarge
from coscribe.model import Document, Principal, Role
from coscribe.rooms.registry import Registry
from coscribe.rooms.room import Room
from coscribe.rooms.writers import Written
from coscribe.services.access import AccessService, Caller

# A text that comes into an empty document is written without a comparison.
_PLAIN = 16

Plan = Callable[[str], Sequence[Splice]]


@dataclass(frozen=True, slots=True)
class Basis:
    """What a write builds on: a position (generation, seq) of `If-Match`, the text at `base`, or the newest text."""

    allowed: frozenset[tuple[int, int]] | None = None
    base: int | None = None


@dataclass(frozen=True, slots=True)
class TextAt:
    """A durable text and its position."""

    generation: int
    seq: int
    content: str


@dataclass(frozen=True, slots=True)
class StateAt:
    """A durable state, one Yjs v1 update, and its position."""

    generation: int
    seq: int
    content: bytes


class TextService:
    """Reads and writes of texts, with the check who may."""

    def __init__(self, access: AccessService, registry: Registry, *, max_document_bytes: int) -> None:
        self._access = access
        self._registry = registry
        self._most = max_document_bytes

    async def document(self, document_id: str, caller: Caller) -> Document:
        """The document, when the caller may read it."""
        document, _ = await self._access.require(document_id, caller, Role.VIEWER)
        return document

    async def read(self, document: Document, at: int | None) -> TextAt:
        """The text now or at a past position; raises InvalidInput for one that lies ahead, PositionGone."""
        async with self._registry.hold(document) as room:
            if at is None:
                return TextAt(room.generation, room.seq, room.text)
            _require_past(at, room, "at")
            return TextAt(room.generation, at, await room.standing.text_at(at))

    async def title(self, document: Document) -> str:
        """The title that the text gives itself."""
        async with self._registry.hold(document) as room:
            return title_of(room.head_text(SEARCHED))

    async def state(self, document_id: str, caller: Caller) -> StateAt:
        """The whole durable state."""
        document = await self.document(document_id, caller)
        async with self._registry.hold(document) as room:
            seq, content = await room.standing.state()
            return StateAt(room.generation, seq, content)

    def storable(self, text: str, field: str = "text") -> str:
        """The text as it will be stored (rule D12); raises InvalidInput and TooLarge."""
        normal = textedit.normalise(text, field)
        if len(normal.encode()) > self._most:
            raise TooLarge(f"A text may have at most {self._most} bytes.", limit="max_document_bytes")
        return normal

    async def write_first(self, document: Document, author: Principal, text: str) -> Written:
        """Write the text that a new document starts with."""
        async with self._registry.hold(document) as room:
            plan = partial(textedit.diff, new=text)
            return await room.writers.edit(author, plan, weight=lambda _: len(text) // _PLAIN)

    async def put(self, document_id: str, caller: Caller, text: str, basis: Basis) -> Written:
        """Make the text what it is to be, by as few operations as that takes.

        Raises PreconditionFailed, InvalidInput for a base ahead, TooLarge, UpdateRefused and Unavailable.
        """
        document, _ = await self._access.require(document_id, caller, Role.EDITOR)
        wanted = self.storable(text)
        return await self._write(
            document,
            caller.actor,
            partial(textedit.diff, new=wanted),
            basis,
            weight=lambda length: length + len(wanted),
        )

    async def patch(
        self, document_id: str, caller: Caller, edits: Sequence[textedit.Edit], units: Units, basis: Basis
    ) -> Written:
        """Make edits in order, all or none; raises EditConflict for one that cannot be made, else as `put`."""
        document, _ = await self._access.require(document_id, caller, Role.EDITOR)
        return await self._write(
            document,
            caller.actor,
            partial(textedit.apply_edits, edits=edits, units=units),
            basis,
            weight=partial(textedit.weight, edits),
        )

    async def submit(self, document_id: str, caller: Caller, update: bytes) -> Written:
        """Merge a Yjs v1 update; raises Malformed, UpdateRefused, InvalidInput and Unavailable."""
        document, _ = await self._access.require(document_id, caller, Role.EDITOR)
        async with self._registry.hold(document) as room:
            return await room.writers.submit(caller.actor, update)

    async def _write(
        self, document: Document, author: Principal, plan: Plan, basis: Basis, *, weight: Callable[[int], int]
    ) -> Written:
        if basis.allowed is not None and basis.base is not None:
            raise InvalidInput("`If-Match` and `base` exclude each other: strict or merged.", field="base")
        async with self._registry.hold(document) as room:
            if basis.base is not None:
                _require_past(basis.base, room, "base")
                return await room.writers.edit_at(author, basis.base, plan, weight=weight)
            return await room.writers.edit(author, plan, expect_seq=_expected(basis, room), weight=weight)


def _require_past(seq: int, room: Room, field: str) -> None:
    if seq > room.seq:
        raise InvalidInput(f"The document has come to seq {room.seq}, not to {seq}.", field=field)


def _expected(basis: Basis, room: Room) -> int | None:
    """The seq that the text must still have when it is written."""
    if basis.allowed is None:
        return None
    if (room.generation, room.seq) not in basis.allowed:
        raise PreconditionFailed(f"The text is at {room.generation}.{room.seq} now; read it and try again.")
    return room.seq
