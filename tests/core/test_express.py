"""The express way has the effect of the ordinary way, whatever comes: two documents hear the same at random."""

from __future__ import annotations

import json
import random

import pytest
from pycrdt import Doc, Text
from tests.core.twins import Twins
from tests.support.people import ANN, BEN
from tests.support.wire_bytes import deletes, framed, one, place, presence, typed, uint, update
from tests.torture.mutations import damaged

from coscribe.core.replica import EngineFailed, Replica
from coscribe.model import Principal, PrincipalKind, Role

TURNS = 60
CAT = Principal("cat", PrincipalKind.GUEST, "Cat", 2)
DAN = Principal("dan", PrincipalKind.GUEST, "Dan", 3)
# Who takes part: twice the same person, a reader, a stock client; client ids of one to eight bytes.
CAST = {
    "ann": (ANN, Role.OWNER, True, 5),
    "tab": (ANN, Role.EDITOR, True, 2**32 - 1),
    "ben": (BEN, Role.EDITOR, True, 2**53 - 1),
    "cat": (CAT, Role.VIEWER, True, 300),
    "dan": (DAN, Role.EDITOR, False, 70_000),
}
PIECES = ["a", "b", " ", "\n", "word", "é", "日本", "x" * 40, "~", "\x00", "\x7f", "ß" * 50, "y" * 130]
RARE = ["\r", "\r\n", "😀", "a😀b"]


class Person:
    """Somebody with a replica of their own, who types at a place, and moves."""

    def __init__(self, rng: random.Random, client: int, state: bytes) -> None:
        self._rng = rng
        self.client = client
        self.doc: Doc[Text] = Doc({"content": Text()}, client_id=client)
        self.doc.apply_update(state)
        self._at = 0
        self.caret = 0

    def typing(self, pieces: list[str]) -> bytes:
        """An update: mostly one more letter where the last one went."""
        rng, text, before = self._rng, self.doc["content"], self.doc.get_state()
        content = str(text)
        ends = [0]
        for character in content:
            ends.append(ends[-1] + len(character.encode()))
        self._at = min(self._at, len(content)) if rng.random() < 0.8 else rng.randrange(len(ends))
        if content and rng.random() < 0.2:
            start = max(0, self._at - rng.choice((1, 1, 1, 3)))
            if ends[start] < ends[self._at]:
                del text[ends[start] : ends[self._at]]
            self._at = start
        else:
            piece = rng.choice(pieces)
            text.insert(ends[self._at], piece)
            self._at += len(piece)
        return self.doc.get_update(before)

    def moving(self) -> bytes:
        """The caret somewhere else, in a frame."""
        self.caret += 1
        return presence((self.client, self.caret, json.dumps({"line": self.caret, "x": "p" * (self.caret % 3 * 60)})))

    def hears(self, frame: bytes) -> None:
        """Take in what others typed."""
        if frame[0] == 0 and frame[1] in (1, 2):
            size = frame[2:]
            self.doc.apply_update(_payload(size))


def _payload(raw: bytes) -> bytes:
    at = next(at for at, byte in enumerate(raw) if byte < 0x80)
    return raw[at + 1 :]


def oddity(rng: random.Random, client: int, clock: int, other: int, before: bytes) -> bytes:
    """A frame that no client sends, or not now; mostly one byte away from a keystroke."""
    last = (client, max(0, clock - 1))
    insert = b"\x01\x01" + uint(client) + uint(clock)
    return rng.choice(
        [
            before,
            framed(2, one(other, 0, typed("foreign"))),
            framed(2, one(other, 0, typed("foreign", after=last))),
            framed(2, one(client, clock + rng.choice((1, 2, 100)), typed("gap", after=last))),
            framed(2, one(client, clock, typed("o", after=(other + 1, 9)))),
            framed(2, one(client, clock, typed("o", after=last, before=(other + 1, 9)))),
            framed(2, one(client, clock, typed("self", after=(client, clock)))),
            framed(2, one(client, clock, typed("", after=last))),
            framed(2, one(client, clock, typed("two", after=last), typed("three", after=last))),
            framed(2, one(client, clock, typed(b"\xc3", after=last))),
            framed(2, one(client, clock, typed(b"\xed\xa0\x80", after=last))),
            framed(2, one(client, clock, typed("x", after=last)) + b"\x00"),
            framed(2, one(client, clock, typed("x", after=last)))[:-1],
            framed(2, insert + b"\x84" + place(*last) + b"\x05abc\x00"),
            framed(2, insert + b"\x84" + place(*last) + b"\x02abc\x00"),
            framed(2, insert + b"\x84" + place(*last) + b"\x83\x00abc\x00"),
            framed(2, insert + b"\x24\x01\x07content\x01k\x01x\x00"),
            framed(2, insert + b"\x04\x01\x07contenu\x01x\x00"),
            framed(2, insert + b"\x04\x00" + place(*last) + b"\x01x\x00"),
            framed(2, update([], [deletes(client, (0, 0))])),
            framed(2, update([], [deletes(client, (0, clock + 1))])),
            framed(2, update([], [deletes(client, (0, clock or 1))])),
            framed(2, update([], [deletes(other, (0, 1))])),
            framed(2, update([], [deletes(client, (0, 1), (0, 1))])),
            framed(2, b"\x00\x00"),
            framed(1, one(client, clock, typed("step 2", after=last))),
            framed(0, b"\x00"),
            b"\x00", b"\x00\x02", b"\x01", b"\x00\x02\x7f", b"",
        ]
    )  # fmt: skip


class Play:
    """One seed's run."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        limits = {1: {"unsaved_bytes": 12_000}, 2: {"document_bytes": 400}}.get(seed % 5, {})
        self.twins = Twins(**limits)
        self.pieces = PIECES[:7] * 3 + PIECES
        self.rare = seed % 4
        self.people: dict[str, Person] = {}
        self.names: dict[str, str] = {}
        self.count = 0
        # The newest frame that is a good caret for certain.
        self.usual = b""
        # Sessions that told a caret in this turn: of several only the newest counts (test_express_edges).
        self.moved: set[str] = set()
        # Sessions whose last frame may be a caret that is none, which the express way knows at the end of the turn.
        self.silent: set[str] = set()
        for part in CAST:
            self.come(part)

    def come(self, part: str) -> None:
        """Let somebody in, with what the document holds."""
        principal, role, ours, client = CAST[part]
        self.count += 1
        name = self.names[part] = f"{part}{self.count}"
        self.twins.join(name, principal, role, ours=ours)
        state = self.twins.ordinary.exchange.intake.replica.diff()
        client = client if self.count <= len(CAST) else self.rng.randrange(2, 2**32)
        self.people[part] = Person(self.rng, client, state)

    def frame(self, part: str) -> bytes:
        """Something of somebody's."""
        rng, person = self.rng, self.people[part]
        if self.rare and rng.random() < 0.004 * self.rare:
            return framed(2, person.typing(RARE))
        kind = rng.random()
        if kind < 0.75:
            return framed(2, person.typing(self.pieces))
        if kind < 0.93:
            self.usual = person.moving()
            return self.usual
        clock = self.twins.ordinary.exchange.intake.replica.clocks.get(person.client, 0)
        other = self.people[rng.choice(list(CAST))].client
        usual = framed(2, one(person.client, clock, typed("m", after=(person.client, max(0, clock - 1)))))
        if kind < 0.965:
            return oddity(rng, person.client, clock, other, usual)
        return damaged(rng, rng.choice((usual, person.moving())), usual)

    def act(self) -> None:
        """One frame, as long as what it tells of carets is not bound to differ for a moment."""
        part = self.rng.choice(list(CAST))
        name = self.names[part]
        if name in self.silent:
            return
        frame = self.frame(part)
        if frame[:1] in (b"\x01", b"\x03"):
            if name in self.moved:
                return
            self.moved.add(name)
            if frame != self.usual:
                self.silent.add(name)
        self.twins.hear(name, frame)

    def turn(self) -> None:
        """Some frames, and the end of the turn."""
        self.moved.clear()
        self.silent.clear()
        for _ in range(self.rng.randrange(1, 12)):
            self.act()
        told = self.twins.turn(begins=self.rng.random() < 0.7, ends=self.rng.random() < 0.6)
        for part, name in list(self.names.items()):
            for frame in told[name]:
                self.people[part].hears(frame)
            session = self.twins.ordinary.sessions[name]
            if session.outbox.closing is not None or (session.ahead and len(session.ahead.offers) > 8):
                self.twins.leave(name)
                self.come(part)


@pytest.mark.parametrize("seed", range(24))
def test_what_comes_by_the_express_way_has_the_effect_of_the_ordinary_way(seed: int) -> None:
    play = Play(seed)
    for _ in range(TURNS):
        play.turn()
        if play.twins.ordinary.has_failed:
            break
    play.twins.turn()
    assert play.twins.counting.taken > 15


def test_what_the_express_way_took_makes_the_same_document_again() -> None:
    """The log of a day alone gives the text."""
    play = Play(40)
    for _ in range(TURNS):
        play.turn()
    play.twins.turn()
    play.twins.turn()
    twin = play.twins.express
    replica = Replica(2)
    try:
        replica.load(twin.stored)
    except EngineFailed:
        pytest.fail("the log does not give the document")
    assert replica.text == str(twin.exchange.intake.text)
    assert replica.clocks == twin.exchange.intake.replica.clocks
