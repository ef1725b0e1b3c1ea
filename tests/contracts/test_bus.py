"""What every Bus does; that messages may be lost is each one's own affair."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis
from tests.support.redis import RedisServer
from tests.support.waiting import until

from coscribe.bus.memory import MemoryBus, Switch
from coscribe.bus.redis import RedisBus, Watch
from coscribe.bus.sealing import Seal
from coscribe.ports import Bus

SECRET = "a secret that all servers share, and nobody else"


class Member:
    """A bus, and what was heard on it."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.heard: list[tuple[str, str, bytes]] = []
        self.restored = 0
        bus.start(lambda *message: self.heard.append(message), self._restored)

    def _restored(self) -> None:
        self.restored += 1


def a_watch(told: list[str]) -> Watch:
    return Watch(
        lost=lambda _: told.append("lost"),
        back=lambda: told.append("back"),
        lag=lambda seconds: None,
        refused=told.append,
        dropped=lambda count: told.append(f"{count} dropped"),
    )


def a_seal(sender: str, secret: str = SECRET) -> Seal:
    return Seal(secret, sender, lambda: time.time_ns() // 1_000_000)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def join(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[str], Member]]:
    """Makes members of one bus by their names."""
    members: list[Member] = []
    switch = Switch()
    url = request.getfixturevalue("redis_server").url if request.param == "redis" else ""

    def made(name: str) -> Member:
        bus: Bus = RedisBus(url, a_seal(name), a_watch([])) if url else MemoryBus(name, switch)
        members.append(Member(bus))
        return members[-1]

    yield made
    for member in members:
        await member.bus.close()


async def together(join: Callable[[str], Member], *topics: str) -> list[Member]:
    """Three members that follow topics, and hear each other."""
    members = [join(name) for name in ("ann", "ben", "cyd")]
    for member in members:
        for topic in (*topics, "hello"):
            member.bus.follow(topic)
    async with asyncio.timeout(10):
        # Whoever came first is not heard by those who come later.
        while not all({sender for _, sender, _ in member.heard} >= _others(member) for member in members):
            for member in members:
                member.bus.publish("hello", b"")
            await asyncio.sleep(0.01)
    for member in members:
        member.bus.leave("hello")
    await asyncio.sleep(0.05)  # what is still on its way to them
    for member in members:
        member.heard.clear()
    return members


def _others(member: Member) -> set[str]:
    return {"ann", "ben", "cyd"} - {member.bus.sender}


async def test_all_others_that_follow_a_topic_hear_it_in_order(join: Callable[[str], Member]) -> None:
    ann, ben, cyd = await together(join, "d.1")
    cyd.bus.leave("d.1")
    await asyncio.sleep(0.05)

    for number in range(100):
        ann.bus.publish("d.1", b"%d" % number)
        ann.bus.publish("d.2", b"nobody follows this")
    await until(lambda: len(ben.heard) == 100)

    assert ben.heard == [("d.1", "ann", b"%d" % number) for number in range(100)]
    assert ann.heard == []
    assert cyd.heard == []


async def test_any_bytes_come_as_they_were(join: Callable[[str], Member]) -> None:
    ann, ben, _ = await together(join, "d.1")
    payloads = [b"", bytes(range(256)), b"\0" * 100_000]

    for payload in payloads:
        ann.bus.publish("d.1", payload)
    await until(lambda: len(ben.heard) == 3)

    assert [payload for _, _, payload in ben.heard] == payloads


async def test_a_topic_that_is_followed_later_is_heard(join: Callable[[str], Member]) -> None:
    ann, ben, _ = await together(join)
    ben.bus.follow("d.9")

    async def heard() -> None:
        while not ben.heard:
            ann.bus.publish("d.9", b"x")
            await asyncio.sleep(0.01)

    await asyncio.wait_for(heard(), 10)

    assert ben.heard[0] == ("d.9", "ann", b"x")


async def test_whoever_starts_is_told_that_he_may_have_missed_something(join: Callable[[str], Member]) -> None:
    ann = join("ann")

    await until(lambda: ann.restored == 1)


async def test_nothing_is_heard_after_the_end(join: Callable[[str], Member]) -> None:
    ann, ben, _ = await together(join, "d.1")
    await ben.bus.close()

    ann.bus.publish("d.1", b"x")
    await asyncio.sleep(0.05)

    assert ben.heard == []


@pytest.mark.redis
async def test_what_was_told_while_redis_was_away_is_lost_and_what_comes_after_is_heard(
    redis_server: RedisServer,
) -> None:
    told: list[str] = []
    buses = [RedisBus(redis_server.url, a_seal(name), a_watch(told)) for name in ("ann", "ben")]
    ann, ben = map(Member, buses)
    ben.bus.follow("d.1")
    await until(lambda: ann.restored == ben.restored == 1)

    redis_server.kill()
    await until(lambda: told.count("lost") == 2)
    ann.bus.publish("d.1", b"lost")
    redis_server.start()
    await until(lambda: ann.restored == ben.restored == 2)
    ann.bus.publish("d.1", b"heard")
    await until(lambda: bool(ben.heard))

    assert ben.heard == [("d.1", "ann", b"heard")]
    assert told.count("back") == 2
    for bus in buses:
        await bus.close()


@pytest.mark.redis
async def test_a_redis_that_stands_still_is_given_up_and_found_again(redis_server: RedisServer) -> None:
    told: list[str] = []
    ann = Member(RedisBus(redis_server.url, a_seal("ann"), a_watch(told)))
    ann.bus.publish("d.1", b"before anybody could hear it")
    await until(lambda: ann.restored == 1)
    assert told == []

    with redis_server.frozen():
        for number in range(20_000):
            ann.bus.publish("d.1", b"%d" % number)
        await until(lambda: "lost" in told, within_s=20)
    await until(lambda: ann.restored == 2, within_s=20)

    assert any(word.endswith("dropped") for word in told)
    await ann.bus.close()


@pytest.mark.redis
async def test_whoever_may_publish_and_has_not_the_secret_is_not_heard(redis_server: RedisServer) -> None:
    told: list[str] = []
    ann, ben = [Member(RedisBus(redis_server.url, a_seal(name), a_watch(told))) for name in ("ann", "ben")]
    ben.bus.follow("d.1")
    ben.bus.follow("d.2")
    mallory = Redis.from_url(redis_server.url)
    spy = mallory.pubsub()
    await spy.subscribe("coscribe:d.1")
    await until(lambda: ann.restored == ben.restored == 1)

    async def overheard() -> bytes:
        while (message := await spy.get_message(ignore_subscribe_messages=True, timeout=1)) is None:
            ann.bus.publish("d.1", b"hi")
        return bytes(message["data"])

    sealed = await asyncio.wait_for(overheard(), 10)
    await until(lambda: bool(ben.heard))
    ben.heard.clear()
    told.clear()

    own = a_seal("mallory", "a secret of her own, as long as ours is").put("d.1", b"evil")
    for topic, message in (("d.1", own), ("d.1", b""), ("d.1", sealed[:-1]), ("d.2", sealed), ("d.1", sealed)):
        await mallory.publish(f"coscribe:{topic}", message)
    await until(lambda: len(told) >= 5)

    assert sorted(told) == ["forged"] * 4 + ["replayed"]
    assert all(payload == b"hi" for _, _, payload in ben.heard)
    await spy.aclose()
    await mallory.aclose()
    for member in (ann, ben):
        await member.bus.close()


@pytest.mark.redis
async def test_a_bus_ends_at_whatever_it_is(redis_server: RedisServer) -> None:
    """Redis' client loses a cancellation now and then, and a server that waits for that never ends."""
    rng = random.Random(8)
    for _ in range(40):
        buses = [RedisBus(redis_server.url, a_seal(name), a_watch([])) for name in ("ann", "ben")]
        for bus in buses:
            bus.follow("d.1")
            bus.start(lambda *_: None, lambda: None)
        for turn in range(rng.randrange(20)):
            for bus in buses:
                bus.follow(f"d.{turn}")
                bus.publish("d.1", b"x" * 100)
            await asyncio.sleep(rng.random() * 0.002)
        async with asyncio.timeout(5):
            for bus in buses:
                await bus.close()
