"""The same changes through yjs in Node and through our replicas: one text after every step, on every side."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.proof import Proof

from coscribe.core.pairs import check_cuts
from coscribe.core.pieces import is_causal
from coscribe.core.replica import Replica, Verdict
from coscribe.core.splices import Splice
from coscribe.core.update import EMPTY_UPDATE, scan
from coscribe.errors import UpdateRefused

pytestmark = pytest.mark.node

STEPS = 40
SERVER = "server"
PROGRAM = Path(__file__).with_name("yjs_docs.mjs")
INSERTS = [
    "a", "word ", "\n", "\r\n", "\r", "\t", "\x00", "é", "😀", "👩\u200d👩\u200d👧\u200d👦", "👍🏽", "🇪🇺", "e\u0301",
    "z\u0351\u036b\u0343", "שלום", "سلام", "\u202e", "漢字", "\U0010fffd", "\u2028", "\u2029", "\x85", "\ufeff",
    "\u200b",
]  # fmt: skip


class Yjs:
    """The Node process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, doc: str, **more: Any) -> tuple[str, list[bytes]]:
        """Tell it something; gives the hash of the document's text and the updates that came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"doc": doc, **more}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["sha256"], [b64decode(update) for update in answer["updates"]]


@pytest.fixture(scope="module")
def yjs() -> Iterator[Yjs]:
    node = shutil.which("node")
    assert node is not None, "Node.js is needed"
    with subprocess.Popen([node, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Yjs(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


class Twin:
    """One document twice: in yjs, and behind our scanner and gate."""

    def __init__(self, yjs: Yjs, name: str, client: int, state: bytes = EMPTY_UPDATE) -> None:
        self.name = name
        self.incoming: deque[bytes] = deque()
        self._yjs = yjs
        self.replica = Replica(client, state)
        # Only one of the two writes; yjs gives up a client id that it sees others use.
        theirs = client if name != SERVER else client + 1
        self._same(yjs.ask(name, client=theirs, state=b64encode(state).decode())[0])

    def _same(self, sha256: str) -> None:
        ours = hashlib.sha256(self.replica.text.encode()).hexdigest()
        assert ours == sha256, f"{self.name} reads as {self.replica.text!r} here and as another text in yjs"

    def take(self, update: bytes) -> None:
        """An update of somebody else, on both sides."""
        self._admit(update)
        self._same(self._yjs.ask(self.name, apply=b64encode(update).decode())[0])

    def _admit(self, update: bytes) -> None:
        found = scan(update)
        verdict = self.replica.judge(found)
        assert verdict is not Verdict.GAP, "an update came in order and the gate misses what it builds on"
        if verdict is Verdict.KNOWN:
            return
        assert is_causal(update, found, self.replica.clocks)
        check_cuts(update, found, self.replica.pairs, self.replica.clocks)
        self.replica.admit(found)
        self.replica.pairs.learn(update)
        self.replica.apply([update])

    def change(self, **change: Any) -> list[bytes]:
        """A change made by yjs. Raises UpdateRefused, upon which the two differ."""
        sha256, updates = self._yjs.ask(self.name, **change)
        for update in updates:
            self._admit(update)
        self._same(sha256)
        return updates

    def write(self, splices: list[Splice]) -> bytes:
        """A change made by our replica, as over REST."""
        update, _ = self.replica.edit(splices)
        self.replica.pairs.learn(update)
        self._same(self._yjs.ask(self.name, apply=b64encode(update).decode())[0])
        return update


class Trace:
    """Two writers with yjs, a server of ours between them, and scripts that write to it."""

    def __init__(self, yjs: Yjs, seed: int) -> None:
        self._rng = random.Random(seed)
        self._yjs = yjs
        self.server = Twin(yjs, SERVER, self._rng.randrange(1, 2**32))
        self.writers = [self._writer(name) for name in ("ann", "ben")]
        self.happened: Counter[str] = Counter()

    def _writer(self, name: str) -> Twin:
        return Twin(self._yjs, name, self._rng.randrange(1, 2**32), self.server.replica.diff())

    def run(self) -> None:
        """All steps; at the end everybody has everything."""
        for _ in range(STEPS):
            index = self._rng.randrange(2)
            self._rng.choices((self._type, self._format, self._hear, self._script), (8, 1, 8, 2))[0](index)
        for index in (0, 1):
            while self.writers[index].incoming:
                self._hear(index)
        texts = {twin.replica.text for twin in (self.server, *self.writers)}
        assert len(texts) == 1, "everybody has everything, and the texts differ"

    def _type(self, index: int) -> None:
        rng, writer = self._rng, self.writers[index]
        units = writer.replica.text.encode("utf-16-le")
        size = len(units) // 2
        at = rng.randrange(size + 1)
        gone = rng.randrange(min(4, size - at) + 1)
        insert = rng.choice(["", *INSERTS]) if gone else rng.choice(INSERTS)
        cuts = _cuts(units, at) or (gone > 0 and _cuts(units, at + gone))
        self._change(index, cuts, at=at, delete=gone, insert=insert)

    def _format(self, index: int) -> None:
        units = self.writers[index].replica.text.encode("utf-16-le")
        size = len(units) // 2
        at = self._rng.randrange(size + 1)
        length = self._rng.randrange(size - at + 1)
        if length and not _cuts(units, at) and not _cuts(units, at + length):
            self._change(index, False, at=at, length=length, bold=self._rng.choice((True, None)))

    def _change(self, index: int, cuts: bool, **change: Any) -> None:
        """What cuts a character in two is refused and nothing else; its writer opens the document anew."""
        self.happened["steps"] += 1
        try:
            updates = self.writers[index].change(**change)
        except UpdateRefused:
            assert cuts, f"refused: {change}"
            self.happened["refused"] += 1
            self.writers[index] = self._writer(self.writers[index].name)
            return
        assert not cuts, f"cut a character in two: {change}"
        for update in updates:
            self.server.take(update)
            self.writers[1 - index].incoming.append(update)

    def _hear(self, index: int) -> None:
        writer = self.writers[index]
        if writer.incoming:
            self.happened["steps"] += 1
            writer.take(writer.incoming.popleft())

    def _script(self, _: int) -> None:
        rng, text = self._rng, self.server.replica.text
        self.happened["steps"] += 1
        at = rng.randrange(len(text) + 1)
        gone = rng.randrange(min(4, len(text) - at) + 1)
        update = self.server.write([Splice(at, gone, rng.choice(INSERTS))])
        for writer in self.writers:
            writer.incoming.append(update)


def _cuts(units: bytes, at: int) -> bool:
    """Whether the place lies between the halves of a pair."""
    return 0 < at * 2 < len(units) and 0xDC <= units[at * 2 + 1] <= 0xDF


@pytest.mark.proof(
    promise="The server and every browser read the same text from the same changes",
    faults="F25",
    how="the same traces through yjs in Node and our replica, SHA-256 after every step",
)
def test_yjs_and_our_replica_agree_after_every_step(proof: Proof, yjs: Yjs) -> None:
    happened: Counter[str] = Counter()
    for seed in range(proof.rounds(60, 2_000)):
        trace = Trace(yjs, seed)
        try:
            trace.run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        happened.update(trace.happened)
    assert happened["refused"] > 0
    proof.told(**happened)
