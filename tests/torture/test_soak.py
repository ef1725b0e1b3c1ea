"""People come and go for half an hour: what a server holds for them goes with them."""

from __future__ import annotations

import asyncio
import statistics
from pathlib import Path

import pytest
from tests.support.crowd import Crowd
from tests.support.holding import Holding, holding
from tests.support.proof import Proof
from tests.support.server import CoscribeServer

_PEOPLE = 6
_SEED = 20261123
_SAMPLES = 120
# Between thirds of a run: allocators keep some pages and give others back; a leak of 100 bytes a visit would be 9 MB.
_GROWTH_MB = 8
_WITHIN_S = 60.0


async def deserted(server: CoscribeServer) -> Holding:
    """What the server holds once the last room is gone; the last look when they do not go."""
    deadline = asyncio.get_running_loop().time() + _WITHIN_S
    while True:
        found = await asyncio.to_thread(holding, server)
        nobody = not (found.rooms or found.sessions or found.readers or found.owed_bytes)
        if nobody or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(0.2)


async def watched(server: CoscribeServer, seconds: float) -> list[Holding]:
    """What the server holds, again and again."""
    found = []
    for _ in range(_SAMPLES):
        await asyncio.sleep(seconds / _SAMPLES)
        found.append(await asyncio.to_thread(holding, server))
    return found


@pytest.mark.proof(
    promise="A server that runs for long holds no more than one that was just started",
    faults="soak",
    how="people come, type, read, call, are cut off and leave, documents are made and removed; rounds are seconds",
)
async def test_what_people_held_goes_with_them(tmp_path: Path, proof: Proof) -> None:
    seconds = proof.rounds(10, 1800)
    # Rooms live for a second, so that each is opened and left hundreds of times.
    with CoscribeServer(tmp_path, room_idle_s=1) as server:
        async with Crowd(server, tmp_path, _SEED) as crowd:
            await crowd.live(_PEOPLE, 3)
            before = await deserted(server)
            watching = asyncio.create_task(watched(server, seconds))
            await crowd.live(_PEOPLE, seconds)
            seen = await watching
            await crowd.check()
        after = await deserted(server)
        assert "Traceback" not in server.log
    third = len(seen) // 3
    middle, end = (
        statistics.median(one.memory_mb for one in part) for part in (seen[third : 2 * third], seen[-third:])
    )
    assert end - middle < _GROWTH_MB, (middle, end)
    assert (after.rooms, after.sessions, after.readers, after.owed_bytes) == (0, 0, 0, 0)
    assert after.files <= before.files + 2, (before, after)
    assert after.tasks <= before.tasks + 1, (before, after)
    assert after.connections <= before.connections, (before, after)
    proof.told(
        visits=crowd.visits, words=crowd.words, documents_removed=crowd.removed,
        memory_mb=f"{middle:.0f} in the middle, {end:.0f} in the end",
        files=f"{before.files} before, {after.files} after", tasks=f"{before.tasks} before, {after.tasks} after",
    )  # fmt: skip
