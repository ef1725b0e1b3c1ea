"""Damaged updates that still pass the scanner and the gate: the engine takes them, and Yjs reads the same from them."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
from base64 import b64encode
from functools import cache
from pathlib import Path

import pytest
from pycrdt import Doc, Text

from coscribe.core.pairs import check_cuts
from coscribe.core.pieces import is_causal
from coscribe.core.replica import Replica, Verdict
from coscribe.core.update import scan, scan_state_vector
from coscribe.errors import Malformed, UpdateRefused

YJS = Path(__file__).parents[1] / "simulation" / "read_with_yjs.mjs"
HISTORIES = 300
TRIES_EACH = 40


def a_history(rng: random.Random) -> list[bytes]:
    """A few updates of two clients, the whole first."""
    docs: list[Doc[Text]] = [
        Doc({"content": Text()}, client_id=client) for client in (rng.randrange(1, 300), rng.randrange(300, 2**32))
    ]
    updates = []
    for _ in range(rng.randrange(1, 8)):
        doc, other = rng.sample(docs, 2)
        text, before = doc["content"], doc.get_state()
        ends = [len(str(text)[:at].encode()) for at in range(len(str(text)) + 1)]
        at = rng.randrange(len(ends))
        match rng.randrange(5) if at < len(ends) - 1 else 0:
            case 0 | 1 | 2:
                text.insert(ends[at], rng.choice(["a", "bc", "é", "😀", "\n", "x" * 5]))
            case 3:
                del text[ends[at] : ends[at + 1]]
            case _:
                text.format(0, ends[-1], {"bold": True})
        updates.append(doc.get_update(before))
        if rng.random() < 0.5:
            other.apply_update(doc.get_update(other.get_state()))
    return [doc.get_update(), *updates]


def damaged(rng: random.Random, raw: bytes) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        match rng.randrange(5):
            case 0 | 1:
                data[at] = rng.randrange(256)
            case 2:
                data[at] ^= 1 << rng.randrange(8)
            case 3:
                data.insert(at, rng.choice([0, 1, 0x80, 0xFF]))
            case _ if len(data) > 2:
                del data[at]
    return bytes(data)


def admitted(replica: Replica, raw: bytes) -> bool:
    """Whether an update passes all that stands in front of the engine."""
    try:
        found = scan(raw)
        if replica.judge(found) is not Verdict.NEW or not is_causal(raw, found, replica.clocks):
            return False
        check_cuts(raw, found, replica.pairs, replica.clocks)
    except (Malformed, UpdateRefused):
        return False
    replica.admit(found)
    return True


@cache
def survivors() -> list[tuple[list[bytes], str]]:
    """Logs that end with a damaged update, and the text that they give."""
    rng = random.Random(20261123)
    found = []
    for _ in range(HISTORIES):
        whole, *updates = a_history(rng)
        for _ in range(TRIES_EACH):
            log = [whole] if rng.random() < 0.5 else []
            raw = damaged(rng, rng.choice([whole, *updates]))
            replica = Replica(1)
            replica.load(log)
            if admitted(replica, raw):
                replica.apply([raw])
                assert scan_state_vector(replica.state_vector()) == replica.clocks
                found.append(([*log, raw], replica.text))
    return found


def test_the_engine_takes_what_was_admitted() -> None:
    assert len(survivors()) > 200


@pytest.mark.node
def test_yjs_reads_the_same() -> None:
    node = shutil.which("node")
    assert node is not None, "Node.js is needed"
    lines = [
        json.dumps({"seed": at, "payloads": [b64encode(raw).decode() for raw in log]})
        for at, (log, _) in enumerate(survivors())
    ]

    run = subprocess.run([node, YJS], input="\n".join(lines), capture_output=True, timeout=120, check=True, text=True)

    told = [json.loads(line)["sha256"] for line in run.stdout.splitlines()]
    assert told == [hashlib.sha256(text.encode()).hexdigest() for _, text in survivors()]
