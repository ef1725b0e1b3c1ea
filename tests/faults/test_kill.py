"""D3: what was acked is there after kill -9, whatever the moment. The ledger is kept outside the server."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass, field

from tests.support.documents import feed_url, new_document, socket_url, text_of
from tests.support.server import CoscribeServer
from tests.support.typist import Typist
from tests.support.viewer import Viewer

_ROUNDS = 50
_SEED = 20240611
# Words that are under way at any moment, so that a kill finds some between write and ack.
_AHEAD = 8


@dataclass
class Ledger:
    """What one person typed, and how much of it was shown as saved. Each typed word is unique and never deleted."""

    name: str
    typed: list[str] = field(default_factory=list)
    saved: int = 0

    def next_word(self) -> str:
        word = f"<{self.name}{len(self.typed)}>"
        self.typed.append(word)
        return word


async def test_fifty_kills_lose_no_acked_character(own_server: CoscribeServer) -> None:
    rng = random.Random(_SEED)
    document_id = new_document(own_server)
    people = [Typist(socket_url(own_server, document_id)) for _ in range(2)]
    ledgers = [Ledger("a"), Ledger("b")]
    async with Viewer(feed_url(own_server, document_id)) as viewer:
        for _ in range(_ROUNDS):
            await _type_until_killed(own_server, people, ledgers, rng)
            await asyncio.to_thread(own_server.start)
            text = text_of(own_server, document_id)
            for ledger in ledgers:
                wrong = _not_once(text, ledger.typed[: ledger.saved])
                assert not wrong, f"acked and lost or doubled: {wrong}"
        await _meet(people)
        text = text_of(own_server, document_id)
        assert not [word for ledger in ledgers for word in _not_once(text, ledger.typed)]
        assert [str(person.text) for person in people] == [text, text]
        await viewer.wait_text(text)
    for person in people:
        await person.disconnect()


def _not_once(text: str, words: list[str]) -> list[str]:
    found = Counter(re.findall(r"<\w+>", text))
    return [word for word in words if found[word] != 1]


async def _type_until_killed(
    server: CoscribeServer, people: list[Typist], ledgers: list[Ledger], rng: random.Random
) -> None:
    for person in people:
        await person.connect()
        await person.wait_synced()
    typing = [
        asyncio.create_task(_type(person, ledger, random.Random(rng.random())))
        for person, ledger in zip(people, ledgers, strict=True)
    ]
    # The moment of the kill: after so many acks, some of which are on their way.
    heard = rng.randrange(1, 40)
    await people[0].wait(lambda: len(people[0].heard.acks) >= heard or people[0].closed is not None)
    await asyncio.to_thread(server.kill)
    for person in people:
        await person.wait(lambda person=person: person.closed is not None)
    for task in typing:
        task.cancel()
    await asyncio.gather(*typing, return_exceptions=True)
    for person, ledger in zip(people, ledgers, strict=True):
        ledger.saved = max(ledger.saved, _words_acked(person, ledger))


async def _type(person: Typist, ledger: Ledger, rng: random.Random) -> None:
    """Type words at random places as fast as the line takes them, noting which frame carries which word."""
    person.words_by_frame = {}
    while person.closed is None:
        await person.insert(rng.choice([0, len(person.text)]), ledger.next_word())
        person.words_by_frame[person.sent] = len(ledger.typed)
        await person.wait(lambda: person.sent - person.acked < _AHEAD or person.closed is not None)


def _words_acked(person: Typist, ledger: Ledger) -> int:
    """How many of the ledger's words the acks of this connection cover.

    The first frame of a connection is the step 2 that carries every word typed before it.
    """
    before = min(person.words_by_frame.values(), default=len(ledger.typed) + 1) - 1
    covered = [count for frame, count in person.words_by_frame.items() if frame <= person.acked]
    return max(covered, default=before if person.acked else 0)


async def _meet(people: list[Typist]) -> None:
    for person in people:
        await person.connect()
        await person.wait_synced()
        await person.wait_saved()
    await people[0].wait_text(str(people[1].text))
