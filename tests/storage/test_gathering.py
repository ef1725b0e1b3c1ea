"""Questions of one turn of the loop, asked as one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from coscribe.storage.gathering import Gathering


class Shelf:
    """What is asked: it counts its loads, and answers when it is let."""

    def __init__(self) -> None:
        self.loads: list[set[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.version = 1
        self.error: Exception | None = None
        self.begun = asyncio.Event()

    async def load(self, keys: set[str]) -> Mapping[str, str]:
        self.loads.append(set(keys))
        answers = {key: f"{key} {self.version}" for key in keys if key != "nothing"}
        self.begun.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return answers


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


async def test_many_who_ask_are_one_load(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    answers = await asyncio.gather(*(gathering.one(key) for key in ("a", "b", "a", "nothing")))
    assert answers == ["a 1", "b 1", "a 1", None]
    assert shelf.loads == [{"a", "b", "nothing"}]


async def test_who_asks_after_a_load_has_begun_gets_a_later_one(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    shelf.open.clear()
    first = asyncio.create_task(gathering.one("a"))
    await shelf.begun.wait()
    shelf.version = 2
    second = asyncio.create_task(gathering.one("a"))
    await asyncio.sleep(0)
    shelf.open.set()
    assert [await first, await second] == ["a 1", "a 2"]
    assert shelf.loads == [{"a"}, {"a"}]


async def test_what_comes_while_a_load_is_on_its_way_is_one_more(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    shelf.open.clear()
    first = asyncio.create_task(gathering.one("a"))
    await shelf.begun.wait()
    later = []
    for key in "bcd":
        later.append(asyncio.create_task(gathering.one(key)))
        await asyncio.sleep(0)
    shelf.open.set()
    assert [await first, *[await each for each in later]] == ["a 1", "b 1", "c 1", "d 1"]
    assert shelf.loads == [{"a"}, {"b", "c", "d"}]


async def test_a_load_that_hangs_does_not_hold_up_the_next(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    shelf.open.clear()
    first = asyncio.create_task(gathering.one("a"))
    await shelf.begun.wait()
    shelf.begun.clear()
    second = asyncio.create_task(gathering.one("b"))
    async with asyncio.timeout(5):
        await shelf.begun.wait()
    assert shelf.loads == [{"a"}, {"b"}]
    assert not first.done()
    shelf.open.set()
    assert [await first, await second] == ["a 1", "b 1"]


async def test_an_error_reaches_all_who_asked_and_nobody_after(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    shelf.error = OSError("the disk is gone")
    asked = await asyncio.gather(*(gathering.one(key) for key in "aab"), return_exceptions=True)
    assert asked == [shelf.error] * 3
    shelf.error = None
    assert await gathering.one("a") == "a 1"


async def test_an_error_that_nobody_waits_for_is_not_complained_about(shelf: Shelf) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    gathering = Gathering(shelf.load)
    shelf.error = OSError("the disk is gone")
    shelf.open.clear()
    alone = asyncio.create_task(gathering.one("a"))
    await shelf.begun.wait()
    alone.cancel()
    await asyncio.wait([alone])
    shelf.open.set()
    while gathering._tasks:  # noqa: ASYNC110 - its task is one of this loop
        await asyncio.sleep(0)
    del gathering
    await asyncio.sleep(0)
    assert told == []


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("who", [0, 1, 2])
async def test_who_leaves_takes_nothing_from_the_others(shelf: Shelf, who: int, *, has_begun: bool) -> None:
    gathering = Gathering(shelf.load)
    shelf.open.clear()
    asked = [asyncio.create_task(gathering.one("a")) for _ in range(3)]
    await (shelf.begun.wait() if has_begun else asyncio.sleep(0))
    gone = asked.pop(who)
    gone.cancel()
    shelf.open.set()
    assert await asyncio.gather(*asked) == ["a 1", "a 1"]
    assert gone.cancelled()
    assert shelf.loads == [{"a"}]


async def test_a_load_names_five_hundred_keys_at_most(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    keys = [str(number) for number in range(1201)]
    answers = await asyncio.gather(*map(gathering.one, keys))
    assert answers == [f"{key} 1" for key in keys]
    assert sorted(map(len, shelf.loads)) == [201, 500, 500]


async def test_no_task_stays(shelf: Shelf) -> None:
    gathering = Gathering(shelf.load)
    await gathering.one("a")
    await asyncio.sleep(0)
    assert not gathering._tasks
