"""Words on the updates of a Hocuspocus provider, which counts them (rules H2 and H3): one too many is a false light."""

from __future__ import annotations

from tests.rooms.building import Building, eventually
from tests.support.people import ANN
from tests.support.wire_bytes import deletes, framed, one, typed, update

from coscribe.core.hocuspocus import HocuspocusSession
from coscribe.core.outbox import Outbox
from coscribe.core.reserve import ENTRY_OVERHEAD
from coscribe.core.update import encode_state_vector
from coscribe.model import Role
from coscribe.rooms.room import Room
from coscribe.storage.engine import Database

NOTHING = framed(1, update())
APPLIED, STEP_1 = b"\x08\x01", b"\x00\x00"


class Provider:
    """A provider's side of a conversation: what it is sent is told in pieces of two bytes."""

    def __init__(self, room: Room) -> None:
        self.session = HocuspocusSession("provider", ANN, Role.EDITOR, Outbox(2**20, lambda: None))
        self._room = room
        room.sessions.join(self.session)

    def hear(self) -> list[bytes]:
        frames = self.session.outbox.take()
        for frame in frames:
            self.session.sending(frame)
        return [frame[:2] for frame in frames]

    def ask(self, **held: int) -> None:
        clocks = {int(client[1:]): clock for client, clock in held.items()}
        if self.session.asks():
            self._room.sessions.ask(self.session)
        self._room.sessions.receive(self.session, framed(0, encode_state_vector(clocks)))

    def send(self, frame: bytes) -> None:
        self._room.sessions.receive(self.session, frame)

    async def words(self) -> int:
        """How many come until everything that was sent is settled."""
        heard: list[bytes] = []

        def is_settled() -> bool:
            heard.extend(self.hear())
            return not self.session.is_owed

        await eventually(is_settled)
        return heard.count(APPLIED)


async def test_h2_one_word_follows_the_answer_and_each_update(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        provider = Provider(room)
        provider.ask()
        assert provider.hear()[0] == STEP_1
        provider.send(NOTHING)
        for number, letter in enumerate("abc"):
            provider.send(framed(2, one(5, number, typed(letter))))
        assert await provider.words() == 4


async def test_h2_what_is_older_than_the_count_is_not_counted(building: Building) -> None:
    """Typed without a connection, it is sent behind the question, when the provider first hears something."""
    async with building.registry.hold(await building.document()) as room:
        provider = Provider(room)
        provider.send(framed(2, one(5, 0, typed("a"))))
        provider.ask(c5=2)
        provider.hear()
        provider.send(framed(2, one(5, 1, typed("b"))))
        provider.send(framed(2, update(removed=[deletes(5, (0, 1))])))
        provider.send(framed(2, one(5, 2, typed("c"))))  # of the time after it
        provider.send(NOTHING)
        assert await provider.words() == 2
        provider.send(framed(2, update(removed=[deletes(5, (1, 1))])))
        assert await provider.words() == 1


async def test_h2_what_is_not_settled_when_it_asks_again_is_not_counted(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        provider = Provider(room)
        provider.ask()
        provider.hear()
        building.log.open.clear()
        provider.send(framed(2, one(5, 0, typed("a"))))
        await building.log.arrived.wait()
        provider.ask(c5=1)  # as forceSync does, before it has answered
        provider.send(NOTHING)  # to the first question
        building.log.open.set()
        assert await provider.words() == 0
        provider.send(NOTHING)  # to the second
        assert await provider.words() == 1


async def test_h2_an_answer_that_it_did_not_ask_for_is_not_counted(building: Building) -> None:
    async with building.registry.hold(await building.document()) as room:
        provider = Provider(room)
        provider.ask()
        provider.hear()
        provider.send(NOTHING)
        assert await provider.words() == 1
        room.sessions.ask(provider.session)  # as once a minute (P11)
        assert provider.hear() == [STEP_1]
        provider.send(NOTHING)
        assert await provider.words() == 0


async def test_h2_what_was_turned_away_is_owed_its_word_until_it_is_saved(sqlite: Database) -> None:
    """Else the light of who typed while nothing could be saved would never be true again."""
    building = Building(sqlite, unsaved_bytes=1 + ENTRY_OVERHEAD)
    try:
        async with building.registry.hold(await building.document()) as room:
            provider = Provider(room)
            provider.ask()
            provider.hear()
            provider.send(NOTHING)
            assert await provider.words() == 1
            building.log.open.clear()
            provider.send(framed(2, one(5, 0, typed("a"))))
            await building.log.arrived.wait()
            # Behind the first commit it alone is more than the room may keep, and so is all that follows it.
            large = typed("!" * 2 * ENTRY_OVERHEAD, after=(5, 0))
            provider.send(framed(2, one(5, 1, large)))
            provider.send(framed(2, one(5, 1 + 2 * ENTRY_OVERHEAD, typed("?", after=(5, 1)))))
            building.log.open.set()
            await eventually(lambda: room.is_settled)
            heard = provider.hear()
            assert heard.count(APPLIED) == 1
            for _ in range(heard.count(STEP_1)):
                provider.send(framed(1, one(5, 1, large, typed("?", after=(5, 1)))))
            assert await provider.words() == 2
    finally:
        await building.close()
