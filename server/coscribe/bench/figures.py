"""What the comparison of transports finds, and how much of it is asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from coscribe.bench.clients import Client, SocketClient
from coscribe.bench.request_clients import PollClient, PollingClient, SlowPollingClient, StreamClient

# Each transport's name, and its client.
TRANSPORTS: dict[str, tuple[str, type[Client]]] = {
    "socket": ("WebSocket", SocketClient),
    "stream": ("SSE + POST", StreamClient),
    "long-poll": ("Long poll + POST", PollClient),
    "poll-1s": (f"Polling, every {PollingClient.every_s:g} s", PollingClient),
    "poll-5s": (f"Polling, every {SlowPollingClient.every_s:g} s", SlowPollingClient),
}
KEYS_PER_S = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked: the numbers of those who read one writer, those who write together, and for how long.

    Those who are `held` come to look what each takes and how they come back from a cut.
    """

    seconds: float
    readers: tuple[int, ...] = (1, 10, 100)
    writers: int = 10
    held: int = 100
    cut_s: float = 5.0
    settle_s: float = 1.0
    # All transports at once, each on a server of its own: quick, and each disturbs the others.
    is_at_once: bool = False

    @classmethod
    def short(cls, seconds: float) -> Plan:
        """A few people for a moment, to see that everything works; its figures say little."""
        return cls(seconds, readers=(1, 10), writers=3, held=10, cut_s=1.0, settle_s=0.2, is_at_once=True)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """So many who only read, and so many who write."""
        return [*((readers, 1) for readers in self.readers), (0, self.writers)]


@dataclass(frozen=True, slots=True)
class Measured:
    """One transport with so many people. Times in milliseconds, bytes with all heads of HTTP."""

    transport: str
    readers: int
    writers: int
    seconds: float
    delivered: int
    lost: int
    doubled: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    bytes_per_character: float
    requests_per_minute: float
    connections_per_minute: float
    cpu_us_per_character: float
    # How much of another core the clients and the relay took.
    clients_share: float
    # How much of a core the machine spent on anything else.
    others_share: float
    first_text_ms: float


@dataclass(frozen=True, slots=True)
class Held:
    """What a reader takes of the server's memory, and how long he needs after a time without a network."""

    transport: str
    readers: int
    cut_s: float
    bytes_each: float
    lost: int
    recovery_p50_ms: float
    recovery_worst_ms: float


def as_row(found: Measured | Held) -> dict[str, Any]:
    """As a line of the results' file."""
    return {"what": type(found).__name__.lower(), **asdict(found)}
