"""How many and how often: places and rates by principal and by address, each with its setting and its sentence.

An address counts only where it is a visitor's: this machine's own and a proxy's stand for many. The visitor's address
behind a trusted proxy is in the scope already (serving.py hands `trusted_proxies` to uvicorn).
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection

from coscribe.config import Settings
from coscribe.core.rate import Meter, Meters, Rate
from coscribe.errors import TooMany, Unavailable
from coscribe.model import ANYONE, Carrier
from coscribe.rooms.troubles import Watcher
from coscribe.services.access import Caller

# A full server is full for a while: asking again sooner only adds to the load.
RETRY_AFTER_S = 10
# What may come at once, in seconds of its rate (minutes, for guests): a paste, a page that starts, an office at nine.
_BURST = 5
_WRITES_BURST = 10
# Providers give every customer a /64 (RFC 6177): one visitor has all of its addresses.
_IPV6_PREFIX = 64
# So many addresses need not be read again.
_REMEMBERED = 1024


class Addresses:
    """Which addresses are counted, and under what key."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._trusted = [ip_network(network, strict=False) for network in trusted]
        # Reading an address takes 10 us, and whoever opens a socket is asked for his four times.
        self._key = lru_cache(_REMEMBERED)(self._read)

    def key(self, host: str | None) -> str | None:
        """The key of a peer's address; None for one that stands for many, or for none at all."""
        return None if host is None else self._key(host)

    def _read(self, host: str) -> str | None:
        try:
            address = ip_address(_without_port(host))
        except ValueError:
            return host  # what a trusted proxy wrote where an address belongs
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if any(address in network for network in self._trusted):
            return None
        if isinstance(address, IPv6Address):
            return str(ip_network((address, _IPV6_PREFIX), strict=False).network_address)
        return str(address)

    def of(self, connection: HTTPConnection) -> str | None:
        """The key of whoever opened a request or a socket."""
        return self.key(connection.client.host if connection.client else None)


class Places:
    """How many of something are open, in all and by key; None is a key without a limit of its own."""

    def __init__(self, limit: str, most: int, says: str) -> None:
        self._limit = limit
        self._most = most
        self._says = says
        self._taken: Counter[str] = Counter()

    def take(self, key: str) -> None:
        """Take one; raises Unavailable when all of the key's are taken."""
        if self._taken[key] >= self._most:
            raise Unavailable(self._says, retry_after_s=RETRY_AFTER_S, limit=self._limit)
        self._taken[key] += 1

    def give_back(self, key: str) -> None:
        """Give one back."""
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]

    @property
    def taken(self) -> Counter[str]:
        """How many are open, by key; 0 for one that has none."""
        return self._taken


class Place:
    """What one connection has taken; `leave` gives it back, and so does the end of a `with`."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: list[tuple[Places, str]] = []

    def take(self, places: Places, key: str | None) -> None:
        """Take one more, where the key counts. Raises Unavailable."""
        if key is not None:
            places.take(key)
            self._taken.append((places, key))

    def leave(self) -> None:
        """Give all of it back."""
        taken, self._taken = self._taken, []
        for places, key in taken:
            places.give_back(key)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


class Gates:
    """The places and rates of one server; what is turned away is told to `watch`."""

    def __init__(self, settings: Settings, watch: Watcher) -> None:
        self.addresses = Addresses(settings.trusted_proxies)
        self._watch = watch
        self._sessions_most = settings.max_sessions_per_document
        self._readers = Places(
            "max_feed_readers", settings.max_feed_readers, "Too many event streams are open on this server."
        )
        # Only counted.
        self._by_carrier = Places("", sys.maxsize, "")
        self._own_readers = Places(
            "max_feed_readers_per_principal", settings.max_feed_readers_per_principal,
            "You have too many event streams open; close some of them.",
        )  # fmt: skip
        self._own_sockets = Places(
            "max_sessions_per_principal", settings.max_sessions_per_principal,
            "You have too many documents open; close some of them.",
        )  # fmt: skip
        self._by_address = Places(
            "max_connections_per_address", settings.max_connections_per_address,
            "Too many connections from your network are open; try again later.",
        )  # fmt: skip
        self._writes = _rate(settings.max_writes_per_s, _WRITES_BURST)
        self._guests = Meters(Rate(settings.max_guests_per_minute / 60, settings.max_guests_per_minute * _BURST))
        self._messages = _rate(settings.max_messages_per_principal_per_s, _BURST)

    @property
    def readers(self) -> Counter[str]:
        """Open event streams and long polls, by their carrier."""
        return self._by_carrier.taken

    def reader(self, connection: HTTPConnection, caller: Caller, carrier: Carrier) -> Place:
        """The place of an event stream or a long poll, until it is left; raises Unavailable."""
        own = self._own_readers, _id_of(caller)
        return self._place((self._readers, ""), own, self._address(connection), (self._by_carrier, carrier))

    def socket(self, connection: HTTPConnection, caller: Caller) -> Place:
        """The place of a socket, until it is left; raises Unavailable."""
        return self._place((self._own_sockets, _id_of(caller)), self._address(connection))

    def stranger(self, connection: HTTPConnection) -> Place:
        """The place of a connection whose caller is not known yet, until it is left; raises Unavailable."""
        return self._place(self._address(connection))

    def require_place(self, sessions: int) -> None:
        """Whether a document with so many sessions takes one more; raises Unavailable."""
        if sessions >= self._sessions_most:
            self._watch("refused", limit="max_sessions_per_document")
            reason = "Too many people are connected to this document."
            raise Unavailable(reason, retry_after_s=RETRY_AFTER_S, limit="max_sessions_per_document")

    def _address(self, connection: HTTPConnection) -> tuple[Places, str | None]:
        return self._by_address, self.addresses.of(connection)

    def _place(self, *wanted: tuple[Places, str | None]) -> Place:
        place = Place()
        try:
            for places, key in wanted:
                place.take(places, key)
        except Unavailable as error:
            place.leave()
            self._watch("refused", limit=error.limit)
            raise
        return place

    def messages(self, connection: HTTPConnection, caller: Caller) -> Meter | None:
        """What all sockets of the caller send together; None where the caller stands for many."""
        key = _id_of(caller) or self.addresses.of(connection)
        return None if key is None else self._messages.of(key, time.monotonic())

    def write(self, connection: HTTPConnection, caller: Caller) -> None:
        """A REST request that changes something; raises TooMany."""
        link = caller.link.id if caller.link is not None else None
        key = _id_of(caller) or link or self.addresses.of(connection)
        self._ask(self._writes, key, "max_writes_per_s", "You change more than this server takes at a time.")

    def guest(self, connection: HTTPConnection) -> None:
        """A new guest; raises TooMany."""
        key = self.addresses.of(connection)
        self._ask(self._guests, key, "max_guests_per_minute", "Too many new visitors come from your network.")

    def _ask(self, meters: Meters, key: str | None, limit: str, says: str) -> None:
        if key is None:
            return
        now = time.monotonic()
        wait_s = meters.of(key, now).ask(1, now)
        if wait_s > 0:
            self._watch("refused", limit=limit)
            after_s = math.ceil(wait_s)
            raise TooMany(f"{says} Try again in {after_s} s.", limit=limit, retry_after_s=after_s)


def _without_port(host: str) -> str:
    """Some proxies forward `203.0.113.7:4711`: every connection would be a visitor of its own."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def _rate(per_s: int, burst_s: int) -> Meters:
    return Meters(Rate(per_s, per_s * burst_s))


def _id_of(caller: Caller) -> str | None:
    """The principal that the caller is; None for a link's bearer and for anyone."""
    return None if caller.principal is None or caller.principal.id == ANYONE.id else caller.principal.id
