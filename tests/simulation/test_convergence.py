"""Everybody ends with the same text, whatever lines, log and server do; what was acked is in it (I1 to I5)."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from tests.simulation.laws import check
from tests.simulation.lives import live_all, lived
from tests.support.proof import Proof

YJS = Path(__file__).with_name("read_with_yjs.mjs")
# Seeds that found something once, by what it was.
FOUND = {
    "a feed resumed between two events of a commit whose first answer was lost": 75,
    "a copied tab ended with a copy that no update can be made of": 852,
    "a copied tab's words were acked by a step 2 that left them out": 159,
    "a copied tab's clock cut an emoji of the server's in two": 4110,
    "a copied tab got an update whose structs name themselves": 6852,
}
# With three servers: a copied tab's clock cut an emoji in two, and it was told less than there was.
CUT_SHORT = 6279
# Others had built on what a copied tab wrote at one server, and the log has what it wrote at another.
WRITTEN_ANEW = [3195, 4494, 5460, 5751, 6417, 7950, 9558]


@pytest.mark.parametrize("seed", FOUND.values(), ids=FOUND.keys())
def test_what_was_found_once_stays_mended(seed: int) -> None:
    check(lived(seed))


def test_a_copied_tab_with_half_an_emoji_is_told_that_it_has_another_history() -> None:
    check(lived(CUT_SHORT, servers=3))


@pytest.mark.parametrize("seed", WRITTEN_ANEW)
def test_where_the_log_and_its_state_read_otherwise_the_text_is_written_anew(seed: int) -> None:
    world = lived(seed, servers=3)

    check(world)
    assert world.lived["rewritten"] > 0


@pytest.mark.proof(
    promise="Nothing acked is lost and all replicas agree, whatever fails and whenever",
    faults="F1 F10 F15 F18",
    how="deterministic simulator: clients, lines, server, log, clock and feed under one seed",
)
def test_everybody_converges(proof: Proof) -> None:
    broken, happened = live_all(proof.rounds(150, 10_000))

    assert not broken, "run these seeds again and pin them: " + repr(dict(list(broken.items())[:10]))
    # The world is as bad as it is meant to be.
    for what in ("stale", "crashes", "refusals", "lost answers", "faults", "forks", "digests"):
        assert happened[what] > 0, f"no {what} in any seed"
    assert happened["acked"] > 20 * proof.ran
    proof.told(**{what.replace(" ", "_"): count for what, count in happened.items()})


@pytest.mark.proof(
    promise="Several servers that write one log show all people the same text, and each of them what the log has",
    faults="F1 F7 F10 F12 F15",
    how="the same simulator with three servers, which read what the others stored sooner or later",
)
def test_several_servers_converge(proof: Proof) -> None:
    broken, happened = live_all(proof.rounds(100, 10_000), servers=3)

    assert not broken, "run these seeds again and pin them: " + repr(dict(list(broken.items())[:10]))
    for what in ("stale", "crashes", "refusals", "lost answers", "faults", "forks", "digests", "apart", "opened again"):
        assert happened[what] > 0, f"no {what} in any seed"
    assert happened["acked"] > 15 * proof.ran  # 19 of the 35 that are typed; one server acks 20 of 38
    proof.told(**{what.replace(" ", "_"): count for what, count in happened.items()})


@pytest.mark.node
@pytest.mark.proof(
    promise="yjs reads from the log the very text that the server shows",
    faults="F25",
    how="logs of simulated documents read by yjs in Node",
)
def test_yjs_reads_the_same_texts_from_the_logs(proof: Proof) -> None:
    node = shutil.which("node")
    assert node is not None, "Node.js is needed"
    worlds = {seed: lived(seed) for seed in range(proof.rounds(40, 1_000))}
    lines = [
        json.dumps({"seed": seed, "payloads": [b64encode(entry.payload).decode() for entry in world.log.entries]})
        for seed, world in worlds.items()
    ]

    run = subprocess.run([node, YJS], input="\n".join(lines), capture_output=True, timeout=300, check=True, text=True)

    found = {told["seed"]: told["sha256"] for told in map(json.loads, run.stdout.splitlines())}
    assert found == {
        seed: hashlib.sha256(world.servers[0].exchange.intake.replica.text.encode()).hexdigest()
        for seed, world in worlds.items()
    }
