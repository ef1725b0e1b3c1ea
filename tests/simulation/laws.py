"""What must hold of a world once it is quiet: the invariants I1 to I5."""

from __future__ import annotations

from tests.simulation.log import MemoryLog
from tests.simulation.server import REST
from tests.simulation.world import World

from coscribe.core.exchange import REST_SESSION
from coscribe.core.update import scan, scan_state_vector
from coscribe.model import SERVER


def check(world: World) -> None:
    """Raises AssertionError that says which law is broken."""
    texts = world.texts()
    assert set(texts.values()) == {texts["replayed"]}, f"I2: {len(set(texts.values()))} texts of {sorted(texts)}"
    text = texts["replayed"]
    assert "\r" not in text
    if world.has_forks and len(world.servers) > 1:
        world.words.check_stored([entry.payload for entry in world.log.entries])
    else:
        world.words.check(text)
    for server in world.servers:
        intake = server.exchange.intake
        assert intake.is_settled
        assert (intake.seq, intake.reserve.payload_bytes) == (world.log.seq, 0)
        clocks = scan_state_vector(intake.replica.state_vector())
        assert clocks == intake.replica.clocks
    for client in world.clients:
        assert scan_state_vector(client.doc.get_state()) == clocks, "I2: state vectors differ"
        assert client.line is not None
        assert not client.line.session.is_owed
        assert not client.unsaved or not client.is_ours, "what was sent is settled, and still counts as unsaved"
    check_authors(world, world.log)


def check_authors(world: World, log: MemoryLog) -> None:
    """I5: every entry names its session's principal; where the one server never crashed, that is who typed it.

    What was told live and not stored yet may come to the log by whoever takes it to another server first.
    """
    brought_by_others = world.lived["crashes"] or len(world.servers) > 1
    people = {client.principal.id for client in world.clients} | {REST.id, SERVER.id, *log.people}
    brought: dict[int, int] = {}
    for entry in log.entries:
        assert entry.principal_id in people
        for client, start, end in scan(entry.payload).structs:
            if start >= brought.get(client, 0) and not brought_by_others:
                # What the room's own replica writes is a script's, under the name of who sent it.
                owner = REST.id if entry.session_id == REST_SESSION else world.words.hands.get(client)
                assert entry.principal_id in (owner, SERVER.id), "I5: somebody else's name on an entry"
            brought[client] = max(end, brought.get(client, 0))
