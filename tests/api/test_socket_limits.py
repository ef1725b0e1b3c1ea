"""Limits of sockets: who sends too much is read more slowly, what has no place hears why (threat rows 13, 26)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.api.calls import assert_problem, new_document, put_text, text_of
from tests.support.documents import socket_url
from tests.support.figures import figures, refused
from tests.support.server import CoscribeServer
from tests.support.typist import Typist

from coscribe.api import pace
from coscribe.api.pace import Pace, Rates
from coscribe.config import Settings
from coscribe.core.rate import Meter, Rate

SLOW = Settings(max_messages_per_s=10, max_bytes_per_s=2**16, max_frame_bytes=2**16)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


class Told(list[tuple[str, object]]):
    """What was told to the composition root."""

    def __call__(self, event: str, **fields: object) -> None:
        self.append((event, fields["limit"]))


# The pace of one socket


def test_what_costs_a_room_more_counts_as_more_messages(clock: Clock) -> None:
    held = Pace(Rates(SLOW), None, Told())
    assert [held.spend(20, cost=10.0) for _ in range(5)] == [0.0] * 5
    assert 0.9 < held.spend(20, cost=10.0) < 1.1


def test_a_burst_is_read_at_once_and_then_the_rate_holds(clock: Clock) -> None:
    told = Told()
    held = Pace(Rates(SLOW), None, told)
    assert [held.spend(20) for _ in range(50)] == [0.0] * 50
    assert 0.09 < held.spend(20) < 0.11
    assert told == [("throttled", "max_messages_per_s")]
    clock.now = 100.0
    assert held.spend(20) == 0.0
    assert not held.is_flooded


def test_many_bytes_are_as_slow_as_many_messages(clock: Clock) -> None:
    told = Told()
    held = Pace(Rates(SLOW), None, told)
    assert held.spend(2**17) == 0.0
    assert 0.9 < held.spend(2**16) < 1.1
    assert told == [("throttled", "max_bytes_per_s")]


def test_all_sockets_of_one_person_share_a_rate(clock: Clock) -> None:
    told = Told()
    shared = Meter(Rate(20, 60))
    one, two = Pace(Rates(SLOW), shared, told), Pace(Rates(SLOW), shared, told)
    assert all(held.spend(20) == 0.0 for _ in range(30) for held in (one, two))
    assert one.spend(20) > 0.04
    assert told == [("throttled", "max_messages_per_principal_per_s")]


def test_only_who_never_pauses_is_sent_away(clock: Clock) -> None:
    told = Told()
    held = Pace(Rates(SLOW), None, told)
    for _ in range(340):
        clock.now += held.spend(20)
    assert not held.is_flooded
    clock.now += 10.0
    assert held.spend(20) == 0.0
    for _ in range(500):
        clock.now += held.spend(20)
    assert held.is_flooded
    assert told[-1] == ("refused", "max_messages_per_s")


# On a real socket


async def test_who_sends_too_much_is_read_more_slowly_and_loses_nothing(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_messages_per_s=20) as server, server.client() as client:
        made = new_document(client)
        async with Typist(socket_url(server, made["id"])) as hasty, Typist(socket_url(server, made["id"])) as other:
            await hasty.wait_synced()
            await other.wait_synced()
            for number in range(160):
                await hasty.insert(number, "x")
            # The other one, and REST, wait for nothing.
            await other.insert(0, "y")
            await other.wait_saved(timeout_s=2)
            assert hasty.acked < hasty.sent
            await hasty.wait_saved()
            assert hasty.closed is None
        assert sorted(text_of(client, made)) == ["x"] * 160 + ["y"]
        assert figures(server.url)["coscribe_throttled_total{limit=max_messages_per_s}"] >= 1


async def test_a_heap_of_messages_lets_others_in_between(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        made = new_document(client)
        url = socket_url(own_server, made["id"])
        async with Typist(url) as hasty, Typist(url) as other:
            await hasty.wait_synced()
            await other.wait_synced()
            with own_server.paused():
                for _ in range(2000):  # in front of one another: letters that go on would be one entry
                    await hasty.insert(0, "x")
                await other.insert(0, "y")
            await hasty.wait_saved()
            await other.wait_saved()
        # 400 are read of a heap at a time, and twice as many before the other's where it comes just behind the event.
        early = client.get(f"/api/v1/documents/{made['id']}/text", params={"at": 1000})
        assert sorted(early.raise_for_status().text) == ["x"] * 999 + ["y"]


async def test_a_person_has_so_many_sockets(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_sessions_per_principal=2) as server:
        headers = {"Authorization": f"Bearer {server.token('many')}"}
        with server.client() as client:
            documents = [new_document(client, access="editor") for _ in range(3)]
        one, two, three = (Typist(socket_url(server, made["id"]), headers=headers) for made in documents)
        async with one, two:
            await one.wait_synced()
            await two.wait_synced()
            async with three:
                await three.wait(lambda: three.closed is not None)
                assert three.closed == (1013, "You have too many documents open; close some of them.")
            async with Typist(socket_url(server, documents[2]["id"])) as anyone:
                await anyone.wait_synced()
            assert refused(server.url, "max_sessions_per_principal") == 1
        async with three:
            await three.wait_synced()


async def test_a_change_that_is_too_large_is_refused_whole(tmp_path: Path) -> None:
    with CoscribeServer(tmp_path, max_update_bytes=2**16) as server, server.client() as client:
        made = new_document(client)
        async with Typist(socket_url(server, made["id"])) as person, Typist(socket_url(server, made["id"])) as stock:
            await person.wait_synced()
            await person.insert(0, "x" * 70_000)
            await person.wait(lambda: bool(person.heard.notices))
            notice = person.heard.notices[0]
            assert (notice["kind"], notice["limit"], notice["frame"]) == ("refused", "max_update_bytes", person.sent)
            assert "65536 bytes" in notice["reason"]
            assert stock.heard.updates == 0
        assert text_of(client, made) == ""
        update = person.doc.get_update()
        answer = client.post(
            f"/api/v1/documents/{made['id']}/updates",
            content=update,
            headers={"Content-Type": "application/octet-stream"},
        )
        assert assert_problem(answer, 413, "too-large")["limit"] == "max_update_bytes"
        assert refused(server.url, "max_update_bytes") == 2
        assert put_text(client, made, "short").status_code == 200


async def test_row_26_a_caret_that_never_rests_is_shown_twenty_times_a_second(own_server: CoscribeServer) -> None:
    with own_server.client() as client:
        made = new_document(client)
    url = socket_url(own_server, made["id"])
    async with Typist(url) as restless, Typist(url) as watcher:
        await restless.wait_synced()
        await watcher.wait_synced()
        loop = asyncio.get_running_loop()
        heard: list[str] = []
        began = loop.time()

        def shown() -> bool:
            entry = watcher.heard.awareness.get(restless.doc.client_id)
            if entry is not None and (not heard or heard[-1] != entry.state):
                heard.append(entry.state)
            return entry is not None and '"line":500' in entry.state

        for clock in range(1, 501):
            await restless.set_awareness(clock, {"line": clock})
        await watcher.wait(shown)
        # The first at once, then one every 50 ms.
        assert len(heard) <= 2 + 20 * (loop.time() - began)
