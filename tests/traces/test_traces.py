"""Real editing sessions through real sockets: one text on all outlets (second client, REST, feed, and a restart)."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Doc, Text, TransactionEvent
from tests.support.documents import feed_url, new_document, socket_url, text_of
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.viewer import Viewer

_DATA = Path(__file__).parents[1] / "data" / "traces"
# SHA-256 of the final text, from the data set's own description.
_ENDS = {
    "automerge-paper": "a489e9022976c14e46627aea174d07797edcb3fd17df42605956d4cf01bf9039",
    "rustcode": "2cde7bd1dedbcd198e3f5a66a4135f120571a4349d48d057009f311622a0894c",
    "json-crdt-patch": "9540c169a3b43734e045b140e0ece3dec26e48e5b26795a4b600384f92cf2177",
    "friendsforever_flat": "4720ec330c91e288c00b71cab318f7a1cdde689dfc401f269c353acfd6cb03f6",
}
# The engine slows down in huge transactions; the longest trace is sent in updates of 20 edits, the others of one each.
_EDITS_PER_UPDATE = {"automerge-paper": 20}
# How far a writer runs ahead of its acks.
_WINDOW = 500


@pytest.fixture
def quick_server(tmp_path: Path) -> Iterator[CoscribeServer]:
    """A server that lets one socket send in a minute what a person typed in months."""
    with CoscribeServer(tmp_path, max_messages_per_s=10**6, max_messages_per_principal_per_s=10**6) as running:
        yield running


def _trace(name: str) -> dict[str, Any]:
    with gzip.open(_DATA / f"{name}.json.gz") as file:
        trace: dict[str, Any] = json.load(file)
    return trace


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Scribe:
    """Makes the updates of a trace from code point positions, in a copy of its own."""

    def __init__(self, client_id: int) -> None:
        self.doc: Doc[Text] = Doc(client_id=client_id)
        self.text = self.doc.get("content", type=Text)
        self._plain: list[str] = []
        self._events: list[TransactionEvent] = []
        self._subscription = self.doc.observe(self._events.append)

    def write(self, patches: list[list[Any]]) -> bytes:
        """Apply patches in one transaction; gives the update."""
        self._events.clear()
        with self.doc.transaction():
            for position, deleted, inserted in patches:
                self._patch(position, deleted, inserted)
        return self._events[0].update

    def _patch(self, position: int, deleted: int, inserted: str) -> None:
        start = position if self._is_ascii else len("".join(self._plain[:position]).encode())
        gone = "".join(self._plain[position : position + deleted])
        if gone:
            del self.text[start : start + len(gone.encode())]
        if inserted:
            self.text.insert(start, inserted)
        self._plain[position : position + deleted] = inserted

    @property
    def _is_ascii(self) -> bool:
        return len(self.text) == len(self._plain)

    def merge(self, update: bytes) -> None:
        """Take another agent's update."""
        self.doc.apply_update(update)
        self._plain = list(str(self.text))


@pytest.mark.parametrize("name", list(_ENDS))
async def test_a_sequential_trace_ends_in_its_text_everywhere(quick_server: CoscribeServer, name: str) -> None:
    trace = _trace(name)
    patches = [patch for txn in trace["txns"] for patch in txn["patches"]]
    step = _EDITS_PER_UPDATE.get(name, 1)
    document_id = new_document(quick_server)
    url = socket_url(quick_server, document_id)
    scribe = Scribe(client_id=1001)
    async with Typist(url) as writer, Typist(url) as second, Viewer(feed_url(quick_server, document_id)) as viewer:
        await writer.wait_synced()
        await second.wait_synced()
        for at in range(0, len(patches), step):
            await writer.send_update(scribe.write(patches[at : at + step]))
            if writer.sent % _WINDOW == 0:
                await writer.wait_saved(60)
        await writer.wait_saved(60)
        await second.wait_text(trace["endContent"], 60)
        await viewer.wait_text(trace["endContent"], 60)
        assert _sha256(viewer.text) == _ENDS[name]
        assert viewer.snapshots == 1, "a viewer that kept up needs no second snapshot"
    assert _sha256(text_of(quick_server, document_id)) == _ENDS[name]
    quick_server.kill()
    quick_server.start()
    assert _sha256(text_of(quick_server, document_id)) == _ENDS[name]


async def test_the_concurrent_trace_of_two_people_ends_in_its_text_everywhere(quick_server: CoscribeServer) -> None:
    """Two people on two sockets, each with exactly the history that the trace says it had.

    What one sends may overtake, on the way to the server, what it builds on from the other: the gate (P3) must hold it.
    """
    trace = _trace("friendsforever")
    document_id = new_document(quick_server)
    url = socket_url(quick_server, document_id)
    feed = feed_url(quick_server, document_id)
    async with Typist(url) as one, Typist(url) as two, Typist(url) as third, Viewer(feed) as viewer:
        sockets = (one, two)
        for typist in (*sockets, third):
            await typist.wait_synced()
        for number, (agent, update) in enumerate(_concurrent_updates(trace)):
            await sockets[agent].send_update(update)
            if number % _WINDOW == 0:
                await one.wait_saved(60)
                await two.wait_saved(60)
        await one.wait_saved(60)
        await two.wait_saved(60)
        await third.wait_text(trace["endContent"], 60)
        await viewer.wait_text(trace["endContent"], 60)
    assert _sha256(text_of(quick_server, document_id)) == _ENDS["friendsforever_flat"]


def _concurrent_updates(trace: dict[str, Any]) -> list[tuple[int, bytes]]:
    scribes = [Scribe(client_id=2000 + agent) for agent in range(trace["numAgents"])]
    seen: list[set[int]] = [set() for _ in scribes]
    updates: list[tuple[int, bytes]] = []
    for number, txn in enumerate(trace["txns"]):
        agent = txn["agent"]
        for parent in txn["parents"]:
            _merge_history(scribes[agent], seen[agent], parent, trace["txns"], updates)
        updates.append((agent, scribes[agent].write(txn["patches"])))
        seen[agent].add(number)
    return updates


def _merge_history(
    scribe: Scribe, seen: set[int], parent: int, txns: list[dict[str, Any]], updates: list[tuple[int, bytes]]
) -> None:
    """Bring a scribe to the union of the histories of `parent`, in index order."""
    missing: list[int] = []
    queue = [parent]
    while queue:
        number = queue.pop()
        if number not in seen:
            seen.add(number)
            missing.append(number)
            queue.extend(txns[number]["parents"])
    for number in sorted(missing):
        scribe.merge(updates[number][1])
