"""Everybody ends with the same text, whatever the lines and the log do; what was acked is in the log."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from base64 import b64encode
from functools import cache
from pathlib import Path

import pytest
from tests.simulation.world import World

SEEDS = range(200)
YJS = Path(__file__).with_name("read_with_yjs.mjs")


@cache
def lived(seed: int) -> World:
    world = World(seed)
    world.run()
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_converges(seed: int) -> None:
    world = lived(seed)

    texts = world.texts()
    assert set(texts.values()) == {texts["server"]}
    assert "\r" not in texts["server"]
    intake = world.exchange.intake
    assert intake.is_settled
    assert (intake.seq, intake.unsaved_bytes) == (len(world.log), 0)
    assert not any(session.is_owed for session in world.exchange.sessions.values())
    for client in world.clients:
        assert client.line is not None
        for update in client.line.sent:
            world.assert_durable(update)


def test_the_world_is_as_bad_as_meant() -> None:
    worlds = [lived(seed) for seed in SEEDS]
    assert sum(world.stale for world in worlds) > 100
    assert min(world.acks for world in worlds) > 0
    assert sum(len(world.exchange.intake.replica.text) for world in worlds) > 10_000


@pytest.mark.node
def test_yjs_reads_the_same_texts_from_the_logs() -> None:
    node = shutil.which("node")
    assert node is not None, "Node.js is needed"
    lines = [
        json.dumps({"seed": seed, "payloads": [b64encode(entry.payload).decode() for entry in lived(seed).log]})
        for seed in SEEDS
    ]

    run = subprocess.run([node, YJS], input="\n".join(lines), capture_output=True, timeout=120, check=True, text=True)

    found = {told["seed"]: told["sha256"] for told in map(json.loads, run.stdout.splitlines())}
    assert found == {
        seed: hashlib.sha256(lived(seed).exchange.intake.replica.text.encode()).hexdigest() for seed in SEEDS
    }
