"""The bell for activity of all documents."""

from __future__ import annotations

import asyncio

from tests.contracts.values import NOW

from coscribe.model import Activity, ActivityKind
from coscribe.rooms.hub import ActivityHub


def activity(number: int) -> Activity:
    return Activity(number, "d", 0, ActivityKind.EDITED, "p", "P", NOW, {})


async def test_it_rings_for_what_is_newer_and_for_nothing_else() -> None:
    hub = ActivityHub()
    hub.publish(activity(3))
    await hub.wait(2, 60)  # was announced already

    waiting = asyncio.create_task(hub.wait(4, 60))
    await asyncio.sleep(0)
    hub.publish(activity(4))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    hub.publish(activity(5))
    await waiting


async def test_it_does_not_wait_for_ever() -> None:
    await ActivityHub().wait(0, 0.001)


async def test_closing_lets_everybody_go() -> None:
    hub = ActivityHub()
    waiting = [asyncio.create_task(hub.wait(0, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    hub.close()
    await asyncio.gather(*waiting)
    await hub.wait(0, 60)
