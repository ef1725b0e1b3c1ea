"""Clients that take what comes back to them for saved (rule P18): it must not come before it is."""

from __future__ import annotations

from tests.rooms.building import Building, enter, eventually
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import one, typed

from coscribe.core.lib0 import write_bytes
from coscribe.core.outbox import Outbox
from coscribe.core.session import Session
from coscribe.model import Role


def letter(client: int, what: str) -> bytes:
    return b"\x00\x02" + write_bytes(one(client, 0, typed(what)))


def updates(session: Session) -> list[bytes]:
    return [frame for frame in session.outbox.take() if frame[:2] == b"\x00\x02"]


async def test_an_update_comes_back_to_its_author_once_it_is_saved(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        ann, ben = enter(room, "ann", ANN), enter(room, "ben", BEN)
        room.sessions.echo(ann)
        building.log.open.clear()
        room.sessions.receive(ann, letter(5, "a"))
        room.sessions.receive(ben, letter(6, "b"))
        await building.log.arrived.wait()
        assert updates(ann) == [letter(6, "b")]
        assert updates(ben) == [letter(5, "a")]
        building.log.open.set()
        await eventually(lambda: ann.outbox.is_waiting)
        assert updates(ann) == [letter(5, "a")]
        assert updates(ben) == []


async def test_nothing_comes_back_while_nothing_can_be_saved(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        ann = enter(room, "ann", ANN)
        room.sessions.echo(ann)
        building.log.failures = 3
        room.sessions.receive(ann, letter(5, "a"))
        await eventually(lambda: building.log.failures == 0)
        assert updates(ann) == []
        await eventually(lambda: any(found := updates(ann)) and found == [letter(5, "a")])


async def test_others_are_told_together_again_once_nobody_asks_for_it(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        ann, ben, eve = enter(room, "ann", ANN), enter(room, "ben", BEN), enter(room, "eve", BEN)
        room.sessions.echo(ann)
        room.sessions.leave(ann)
        again = enter(room, "ann again", ANN)
        room.sessions.receive(again, letter(5, "a"))
        room.sessions.receive(ben, letter(6, "b"))
        await eventually(lambda: eve.outbox.is_waiting)
        assert len(updates(eve)) == 1


async def test_an_update_comes_back_to_who_was_left_without_what_others_typed(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        ann = Session("ann", ANN, Role.EDITOR, Outbox(1_000, lambda: None))
        room.sessions.join(ann)
        ann.outbox.take()
        ben = enter(room, "ben", BEN)
        room.sessions.echo(ann)
        room.sessions.receive(ben, b"\x00\x02" + write_bytes(one(6, 0, typed("x" * 2_000))))
        await eventually(lambda: ann.outbox.is_stale)
        room.sessions.receive(ann, letter(5, "a"))
        await eventually(lambda: ann.outbox.is_waiting)
        assert updates(ann) == [letter(5, "a")]
