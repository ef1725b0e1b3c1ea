"""The express way in: somebody's next letter, a deletion, a caret. Nine of ten frames are one of these.

The ordinary way (decode, scan, judge, compare, check, accept) takes 40 us for them, and gives reasons for what it
refuses. This one takes 3 us and gives none: it takes in only what plainly meets every check of the ordinary way,
changes nothing otherwise, and leaves all the rest to it.
"""

from __future__ import annotations

from coscribe.core.intake import MOST_FRAGMENTS, Accepted, Intake
from coscribe.core.lib0 import read_uint, write_uint
from coscribe.core.session import Session
from coscribe.core.update import MAX_CLOCK, Scan, Span
from coscribe.errors import Malformed
from coscribe.model import Role

_WRITERS = (Role.EDITOR, Role.OWNER)
# An update whose length takes one byte: a keystroke has 16 to 40 bytes.
_MOST_BYTES = 127
_INSERT = b"\x01\x01"  # one client with one struct
_DELETE = b"\x00\x01"  # no struct; deleted ranges of one client
_ROOT = b"\x01\x07content"
_STRING, _ORIGIN, _RIGHT_ORIGIN = 0x04, 0x80, 0x40
_KINDS = frozenset((_STRING, _STRING | _ORIGIN, _STRING | _RIGHT_ORIGIN, _STRING | _ORIGIN | _RIGHT_ORIGIN))
# Bytes that begin a character beyond 16 bits: where there may be pairs, the ordinary way looks for cuts.
_BEYOND = frozenset(range(0xF0, 0x100))
_SPACE, _DELETE_KEY = 0x20, 0x7F
# Letters that go on until they are applied become one update, whose length is still one byte.
_MOST_LETTERS = 100
# What an update needs was looked at here; nobody asks for it later.
_NEEDS: dict[int, int] = {}
# A named tuple without the Python function that its class calls: 0.15 us in place of 0.35.
_new = tuple.__new__


class Hand:
    """One client's typing in a session: how its frames begin, and what its next letter's update will look like."""

    __slots__ = ("client", "clock", "head", "id", "info", "is_going_on", "letter", "right", "ticket")

    def __init__(self, client: int, encoded: bytes) -> None:
        self.client = client
        self.id = encoded
        self.head = _INSERT + encoded
        # The right origin of the last string that was plainly right: the next one mostly has the same.
        self.right = b""
        # The clock of the next letter, and its update up to its text, where it stands behind the last one.
        self.clock = -1
        self.info = 0
        self.letter = b""
        # Whether the last string stands behind this client's one before: the engine joins them.
        self.is_going_on = False
        # With which ticket the last string was admitted; 0 where its session has deleted something since.
        self.ticket = 0

    def expect(self, clock: int, last: int) -> None:
        """The next letter has this clock, and stands behind the one of the clock `last`."""
        self.clock = clock
        if clock + 1 >= MAX_CLOCK:
            self.letter = b""
            return
        right = self.right if self.info & _RIGHT_ORIGIN else b""
        if self.info & _RIGHT_ORIGIN and not right:
            self.letter = b""
            return
        self.letter = b"%b%b%c%b%b%b" % (self.head, write_uint(clock), self.info, self.id, write_uint(last), right)


class Express:
    """The way into one document."""

    __slots__ = ("_hands", "_intake", "carets")

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._hands: dict[str, Hand] = {}
        # Of each session the newest frame that tells its own caret; it is looked at when carets are told.
        self.carets: dict[str, tuple[Session, bytes]] = {}

    def take(self, session: Session, frame: bytes) -> bool:
        """Take a frame in; False, and nothing has happened, where it is to go the ordinary way."""
        hand = self._hands.get(session.id)
        try:
            if frame[0] == 1:
                # One state, of the client whose letters these are: behind a length of one or two bytes.
                at = 3 if frame[1] < 0x80 else 4 if frame[2] < 0x80 else 0
                if at and hand is not None and frame[at - 1] == 1 and frame.startswith(hand.id, at):
                    self.carets[session.id] = session, frame
                    return True
            elif frame[0] == 0 and frame[1] == 2 and frame[2] == len(frame) - 3 <= _MOST_BYTES:
                return self._take_update(session, hand or self._hand(session, frame), frame)
        except (IndexError, Malformed):
            pass
        return False

    def forget(self, session_id: str) -> None:
        """The session has ended."""
        self._hands.pop(session_id, None)
        self.carets.pop(session_id, None)

    def interrupt(self, session_id: str) -> None:
        """The session has done something else: its next letter is an update of its own, behind that."""
        hand = self._hands.get(session_id)
        if hand is not None:
            hand.ticket = 0

    def _hand(self, session: Session, frame: bytes) -> Hand | None:
        """The hand of a session that inserts; None where the client id is not, or not yet, its principal's."""
        if not frame.startswith(_INSERT, 3):
            return None
        client, pos = read_uint(frame, 5)
        if self._intake.ownership.of(client) != session.principal.id:
            return None
        hand = self._hands[session.id] = Hand(client, frame[5:pos])
        return hand

    def _take_update(self, session: Session, hand: Hand | None, frame: bytes) -> bool:
        intake = self._intake
        if (
            session.role not in _WRITERS
            or session.ahead is not None
            or session.is_read_closely
            or intake.replica.pairs
            or intake.fragments > MOST_FRAGMENTS
        ):
            return False
        if hand is None or not frame.startswith(hand.head, 3):
            found = self._delete(frame) if frame.startswith(_DELETE, 3) else None
            self.interrupt(session.id)
            return found is not None and self._admit(session, frame, found, 1)
        found = self._letter(hand, frame)
        if found is not None and self._goes_on(session, hand, frame):
            return True
        found = found or self._string(hand, frame)
        if found is None or not self._admit(session, frame, found, 0 if hand.is_going_on else 1):
            hand.ticket = 0
            return False
        hand.ticket = intake.tickets
        return True

    def _admit(self, session: Session, frame: bytes, found: Scan, fragments: int) -> bool:
        """Admit an update; False, and nothing has happened, where there is no room for it."""
        intake = self._intake
        if not intake.bounds.has_room(found[3]):
            return False
        item = _new(Accepted, (frame[3:], found, session.principal, session.id, True))
        sealed = intake.sealed
        intake.admit(item, fragments)
        session.accepted(intake.tickets, sealed)
        return True

    def _goes_on(self, session: Session, hand: Hand, frame: bytes) -> bool:
        """Put one more letter into its author's last update, where that is not applied yet.

        It is what a merge of both would be: the same item of the same author, of the same turn of the loop.
        """
        intake = self._intake
        sealed = intake.sealed
        if hand.ticket <= sealed or not intake.bounds.has_room(1):
            return False
        run = intake.waiting(hand.ticket)
        update, [(client, start, end)] = run[0], run[1][0]
        size = end - start
        if size != run[1][3] or size >= _MOST_LETTERS:
            return False
        # Behind its origins an update has the length of the text, the text, and no deletions.
        at = len(update) - size - 2
        longer = b"%b%c%b%b" % (update[:at], size + 1, update[at + 1 : -1], frame[-2:])
        found = _new(Scan, ((_new(Span, (client, start, end + 1)),), (), _NEEDS, size + 1, False, 1, (), 0))
        intake.extend(hand.ticket, _new(Accepted, (longer, found, session.principal, session.id, True)))
        session.accepted(intake.tickets, sealed)
        return True

    def _letter(self, hand: Hand, frame: bytes) -> Scan | None:
        """One more letter of ASCII behind the last one: all but the letter is known beforehand."""
        letter, clock = hand.letter, hand.clock
        if (
            not letter
            or not frame.startswith(letter, 3)
            or len(frame) != len(letter) + 6
            or frame[-3] != 1
            or frame[-1]
        ):
            return None
        if not _SPACE <= frame[-2] < _DELETE_KEY or self._intake.replica.clocks.get(hand.client) != clock:
            return None
        hand.expect(clock + 1, clock)
        hand.is_going_on = True
        return _new(Scan, ((_new(Span, (hand.client, clock, clock + 1)),), (), _NEEDS, 1, False, 1, (), 0))

    def _string(self, hand: Hand, frame: bytes) -> Scan | None:
        """One string that continues its client's clock and names what is here."""
        clocks, client = self._intake.replica.clocks, hand.client
        clock, pos = read_uint(frame, 5 + len(hand.id))
        info = frame[pos]
        if clocks.get(client) != clock or info not in _KINDS:
            return None
        last = hand.id + write_uint(clock - 1) if clock and info & _ORIGIN else b""
        hand.is_going_on = bool(last) and frame.startswith(last, pos + 1)
        start, pos = _behind_origins(clocks, hand, frame, pos)
        right = frame[start:pos]
        raw = frame[pos + 1 : -1]
        end = clock + _units(raw)
        if not pos or len(raw) != frame[pos] or frame[-1] or clock == end or end >= MAX_CLOCK:
            return None
        # Only now that all of it is plainly right: of what is refused nothing may be expected again.
        if info & _RIGHT_ORIGIN:
            hand.right = right
        hand.info = _STRING | _ORIGIN | info & _RIGHT_ORIGIN
        hand.expect(end, end - 1)
        return _new(Scan, ((_new(Span, (client, clock, end)),), (), _NEEDS, len(raw), False, 1, (), 0))

    def _delete(self, frame: bytes) -> Scan | None:
        """One range that is here."""
        client, pos = read_uint(frame, 5)
        if frame[pos] != 1:
            return None
        clock, pos = read_uint(frame, pos + 1)
        length, pos = read_uint(frame, pos)
        end = clock + length
        if pos != len(frame) or not length or end > self._intake.replica.clocks.get(client, 0):
            return None
        return Scan((), (Span(client, clock, end),), {}, 0, has_cr=False, things=1)


def _behind_origins(clocks: dict[int, int], hand: Hand, frame: bytes, pos: int) -> tuple[int, int]:
    """Where the right origin of the item at `pos` would begin, and where its content does.

    The second is 0 where the item names something that is not here.
    """
    info = frame[pos]
    pos += 1
    if info == _STRING:
        return pos, pos + len(_ROOT) if frame.startswith(_ROOT, pos) else 0
    if info & _ORIGIN:
        pos = _known(clocks, frame, pos)
    if not (info & _RIGHT_ORIGIN and pos):
        return pos, pos
    if hand.right and frame.startswith(hand.right, pos):
        return pos, pos + len(hand.right)
    return pos, _known(clocks, frame, pos)


def _known(clocks: dict[int, int], frame: bytes, pos: int) -> int:
    """Behind an origin that is here; 0 for one that is not."""
    client, pos = read_uint(frame, pos)
    clock, pos = read_uint(frame, pos)
    return pos if clock < clocks.get(client, 0) else 0


def _units(raw: bytes) -> int:
    """The length of a text in UTF-16 units; 0 for one that the ordinary way is to look at."""
    if b"\r" in raw:
        return 0
    if raw.isascii():
        return len(raw)
    if not _BEYOND.isdisjoint(raw):
        return 0
    try:
        return len(raw.decode())
    except UnicodeDecodeError:
        return 0
