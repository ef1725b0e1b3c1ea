"""One client's conversation with a room: frames in, effects out, and the ledger of frames that are not settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from coscribe.core.forks import Allowance
from coscribe.core.outbox import Outbox
from coscribe.core.pieces import MOST_AT_ONCE, MOST_THINGS
from coscribe.core.protocol import (
    AwarenessEntry,
    AwarenessUpdate,
    Doubt,
    Hello,
    QueryAwareness,
    SyncStep1,
    SyncStep2,
    Update,
    decode,
    encode_ack,
    encode_denied,
    encode_notice,
)
from coscribe.core.update import Scan, TooManyThings, scan
from coscribe.errors import Malformed, UpdateRefused
from coscribe.model import Principal, Role

# A minute of typing is some 300 frames; so many that wait come of a flood, or of a disk that is away for hours.
_MAX_UNSETTLED = 100_000

# A client that sends ahead of a gap holds at most this much; it was asked for the missing part at the first of them.
_MAX_HELD = 256
_MAX_HELD_BYTES = 2**20
# Structs and deleted ranges: to look through 256 updates of 1,000 each takes 90 ms.
_MAX_HELD_THINGS = 2 * MOST_THINGS

# With which close code a stock client is let go whose update was refused, where trying again cannot help. The others
# are refused for a while only (a full disk) or may go on reading (a viewer).
_FINAL = {
    **dict.fromkeys(("max_document_bytes", "max_update_bytes", "fragments", "clients", "work"), 4413),
    **dict.fromkeys(("client", "clock", "content", "order", "root"), 4400),
}


@dataclass(slots=True)
class Slot:
    """The place of one update frame in its session's ledger.

    `ticket` is the room's count of accepted updates that must be durable before the frame is settled; None while
    the frame waits for a missing predecessor (rule D4).
    """

    number: int
    ticket: int | None = None


@dataclass(frozen=True, slots=True)
class Greeted:
    """Our own client said hello; `generation` is that of its local copy, 0 for none."""

    version: int
    generation: int


@dataclass(frozen=True, slots=True)
class Asked:
    """The client asks for what is missing behind its state vector."""

    state_vector: bytes


@dataclass(frozen=True, slots=True)
class Heavy:
    """The client brings an update that is too much for one turn of the loop, as it came."""

    update: bytes
    slot: Slot
    is_step2: bool


@dataclass(frozen=True, slots=True)
class Offered:
    """The client brings a scanned update."""

    update: bytes
    scan: Scan
    slot: Slot
    is_step2: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The client brought an update that the scanner refuses."""

    slot: Slot
    reason: str
    limit: str


@dataclass(frozen=True, slots=True)
class Present:
    """The client tells awareness states."""

    entries: tuple[AwarenessEntry, ...]


Effect = Greeted | Asked | Offered | Heavy | Refused | Present | QueryAwareness | Doubt


class Ahead:
    """Updates of a session that came before what they build on."""

    __slots__ = ("_bytes", "_things", "offers", "wanted")

    def __init__(self) -> None:
        self.offers: list[Offered] = []
        # Of each client that one of them waits for, the lowest clock that any of them needs.
        self.wanted: dict[int, int] = {}
        self._bytes = self._things = 0

    def hold(self, offer: Offered, needed: tuple[int, int]) -> bool:
        """Keep one until a client has come to a clock; False when that is too much."""
        client, clock = needed
        self.offers.append(offer)
        self._bytes += len(offer.update)
        self._things += offer.scan.things
        self.wanted[client] = min(clock, self.wanted.get(client, clock))
        is_many = len(self.offers) > _MAX_HELD or self._things > _MAX_HELD_THINGS
        return not is_many and self._bytes <= _MAX_HELD_BYTES


@dataclass(slots=True, eq=False)
class Session:
    """State of one conversation. `is_ours` is set by hello: only our own client gets acks, digests and notices."""

    id: str
    principal: Principal
    role: Role
    outbox: Outbox
    link_id: str | None = None
    is_ours: bool = False
    # Updates that came ahead of their predecessors, None as for nearly everybody.
    ahead: Ahead | None = None
    has_asked: bool = False
    # Whether every frame is to be read by `receive`: the express way is closed.
    is_read_closely: bool = False
    # Hears the limit of every refusal.
    refused: Callable[[str], None] = lambda _: None
    # What comparing its updates with what is stored may still cost; None before the first.
    compared: Allowance | None = None
    # Its own updates, with their tickets, that are sent back once they are on the disk; None where it asked for none.
    echoes: deque[tuple[int, bytes]] | None = None
    _frames: int = 0
    _settled: int = 0
    # None where nothing is unsettled: an empty deque takes 600 bytes, and most sessions are idle.
    _ledger: deque[Slot] | None = None

    def receive(self, frame: bytes) -> Effect:
        """Read one frame. Raises Malformed, upon which the conversation is over (4400)."""
        match decode(frame):
            case SyncStep1(state_vector):
                return Asked(state_vector)
            case SyncStep2(update):
                return self._offer(update, is_step2=True)
            case Update(update):
                return self._offer(update, is_step2=False)
            case AwarenessUpdate(entries):
                return Present(entries)
            case (QueryAwareness() | Doubt()) as message:
                return message
            case Hello(version, generation, _):
                self.is_ours = True
                return Greeted(version, generation)

    def _offer(self, update: bytes, *, is_step2: bool) -> Effect:
        slot = Slot(self._next())
        self._keep(slot)
        if len(update) > MOST_AT_ONCE:
            return Heavy(update, slot, is_step2)
        try:
            return Offered(update, scan(update, most=MOST_THINGS), slot, is_step2)
        except TooManyThings:
            return Heavy(update, slot, is_step2)
        except UpdateRefused as refusal:
            return Refused(slot, str(refusal), refusal.limit)

    def hold(self, offer: Offered, needed: tuple[int, int]) -> bool:
        """Keep an update until a client has come to a clock; False when that is too much."""
        self.ahead = self.ahead or Ahead()
        return self.ahead.hold(offer, needed)

    def may_release(self, clocks: Mapping[int, int]) -> bool:
        """Whether one of the held updates has what it waited for: looking at all of them costs far more."""
        wanted = self.ahead.wanted if self.ahead is not None else {}
        return any(clocks.get(client, 0) >= clock for client, clock in wanted.items())

    def release(self) -> list[Offered]:
        """Take back what is held."""
        held, self.ahead = self.held, None
        return held

    @property
    def held(self) -> list[Offered]:
        """What is held."""
        return self.ahead.offers if self.ahead is not None else []

    def accepted(self, ticket: int, sealed: int) -> None:
        """Note an update frame that was accepted as it came.

        Frames that wait to be applied share a slot: they are acked once the last of them is durable. `sealed` is the
        last ticket that was applied, whose frames must not wait for this one.
        """
        number, ledger = self._next(), self._ledger
        if ledger and (last := ledger[-1].ticket) is not None and last > sealed:
            ledger[-1].number, ledger[-1].ticket = number, ticket
        else:
            self._keep(Slot(number, ticket))

    def _next(self) -> int:
        self._frames += 1
        if self._frames - self._settled > _MAX_UNSETTLED:
            self.outbox.close(1013, "Too many changes wait to be saved.")
        return self._frames

    def _keep(self, slot: Slot) -> None:
        if self._ledger is None:
            self._ledger = deque()
        self._ledger.append(slot)

    @property
    def is_owed(self) -> bool:
        """Whether update frames are not settled yet."""
        return bool(self._ledger)

    def settle(self, durable: int, seq: int) -> None:
        """Ack every leading frame whose ticket is durable (rule D3)."""
        ledger = self._ledger
        before = self._settled
        while ledger and (ticket := ledger[0].ticket) is not None and ticket <= durable:
            self._settled = ledger.popleft().number
        if not ledger:
            self._ledger = None
        if self._settled > before:
            self._tell_settled(before, seq)
        while self.echoes and self.echoes[0][0] <= durable:
            self.outbox.push(self.echoes.popleft()[1])

    def _tell_settled(self, before: int, seq: int) -> None:
        """Tell that the frames behind the number `before` are settled."""
        del before
        if self.is_ours:
            self.outbox.push(encode_ack(self._settled, seq))

    @staticmethod
    def final_code(limit: str) -> int | None:
        """The close code with which a stock client is let go whose update was refused; None where it may stay.

        It keeps the change and builds on it, so that all it sends from now on would wait for it for ever.
        """
        return _FINAL.get(limit)

    def refuse(self, slot: Slot, reason: str, limit: str) -> None:
        """Settle a frame as refused: the notice goes out before the ack that counts it."""
        slot.ticket = 0
        if self.is_ours:
            self.outbox.push(encode_notice("refused", reason, frame=slot.number, limit=limit))
        elif (code := self.final_code(limit)) is not None:
            self.outbox.close(code, reason)
        else:
            self.outbox.push(encode_denied(reason))

    def fork(self, slot: Slot, reason: str) -> None:
        """Settle a frame as refused for its client id, and end the conversation: it takes a new one (rule D10)."""
        slot.ticket = 0
        self.notify("fork", reason, frame=slot.number)
        self.outbox.close(4409, reason)

    def break_off(self, error: Malformed) -> None:
        """End the conversation with somebody who speaks another protocol."""
        self.outbox.close(4400, f"Not a message of this protocol: {error}.")

    def notify(self, kind: str, reason: str, **more: object) -> None:
        """Tell our own client something beside the document."""
        if self.is_ours:
            self.outbox.push(encode_notice(kind, reason, **more))
