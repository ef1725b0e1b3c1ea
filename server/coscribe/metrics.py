"""What a server counts and measures, in the Prometheus text format at `/metrics`.

Counts follow the events that rooms and carriers tell (`count`); gauges are read when they are asked for
(api/metrics.py), so that nothing is paid for them while nobody looks. Labels have fixed values: no id, name or title.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from coscribe.model import Carrier
from coscribe.rooms.saving import Saved

CONTENT_TYPE = CONTENT_TYPE_PLAIN_1_0_0

# What carries a feed, which knows no WebSocket.
FEED_CARRIERS = (Carrier.STREAM, Carrier.POLL)

_OTHER = "other"
_LIMITS = (
    "client", "client_id", "clients", "clock", "content", "fork", "fragments", "order", "role", "root", "work",
    "max_bytes_per_s", "max_connections", "max_connections_per_address", "max_document_bytes",
    "max_documents_per_guest", "max_feed_readers", "max_feed_readers_per_principal", "max_frame_bytes",
    "max_guests_per_minute", "max_memory_bytes", "max_messages_per_principal_per_s", "max_messages_per_s",
    "max_sessions_per_document", "max_sessions_per_principal", "max_unsaved_bytes", "max_update_bytes",
    "max_writes_per_s", _OTHER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Counted:
    """An event that is counted: its metric, what that says, and the field that is its label, with all its values."""

    metric: str
    says: str
    label: str = ""
    values: tuple[str, ...] = ()


_EVENTS = {
    "refused": _Counted("refused", "What was refused, by the limit that was met.", "limit", _LIMITS),
    "throttled": _Counted("throttled", "Sockets that were read more slowly, by limit.", "limit", _LIMITS),
    "heavy_failed": _Counted(
        "heavy_failures", "Large updates whose examiner failed.", "reason", ("crash", "timeout", _OTHER)
    ),
    "quarantined": _Counted(
        "quarantined", "Stored rows set aside as unreadable.", "what", ("entry", "snapshot", "segment", _OTHER)
    ),
    "document_damaged": _Counted("documents_damaged", "Documents opened without all that was stored of them."),
    "engine_failed": _Counted("engine_failures", "Rooms given up because the CRDT engine failed."),
    "room_strayed": _Counted("rooms_strayed", "Rooms that could not follow what another server stored, made anew."),
    "text_rewritten": _Counted(
        "texts_rewritten", "Texts written anew, since those who opened the document read another than the log gives."
    ),
    "recording_failed": _Counted(
        "recording_failures", "Times that nothing could be stored; one a minute while it lasts."
    ),
    "snapshot_failed": _Counted("snapshot_failures", "Snapshots that could not be stored."),
    "title_failed": _Counted("title_failures", "Derived titles that could not be stored."),
    "words_failed": _Counted("words_failures", "Words for searching that could not be stored."),
    "loop_stalled": _Counted("loop_stalls", "Times that the event loop stood still for more than a second."),
    "bell_failed": _Counted("bell_failures", "Times that a bell, or a look at where documents stand, failed here."),
    "bus_lost": _Counted("bus_losses", "Times that the bus between servers went away."),
    "bus_refused": _Counted(
        "bus_refused",
        "Messages of the bus that were refused.",
        "reason",
        ("forged", "late", "malformed", "replayed", "version", _OTHER),
    ),
    "tracing_failed": _Counted("tracing_failures", "Times that the receiver of traces began to take none."),
    "disk_low": _Counted("disk_low", "Times that free disk space fell below its least."),
    "memory_high": _Counted("memory_high", "Times that memory rose above its most."),
}

_GAUGES = {
    "sessions_stale": "Sessions that are owed one diff.",
    "connections": "Open TCP connections.",
    "outbox_bytes": "Unsent bytes of all sessions, with their overhead.",
    "unsaved_bytes": "Accepted bytes that are not durable yet, with their overhead.",
    "tasks": "Running tasks of the event loop.",
    "storage_trouble": "1 while accepted changes cannot be stored.",
    "free_bytes": "Free bytes on the disk of the data directory.",
    "workers": "Processes that are to serve at this address.",
    "neighbours": "Other servers that are heard on the bus.",
    "bus_lag_seconds": "How long the last message to oneself took by way of the bus.",
    "loop_lag_seconds": "The longest that the event loop was late since the last look.",
}
# Gauges with a label.
_GAUGES_BY = {
    "rooms": ("phase", "Rooms by phase."),
    "sessions": ("carrier", "Sessions in rooms, by what carries them; of one by requests, what it was read by last."),
    "feed_readers": ("carrier", "Open event streams and long polls of feeds."),
}
# Counts that are kept where they come from, which is where it costs least.
_TOTALS = {
    "deliveries": "Frames with updates that sessions were given, one for each recipient, stale ones included.",
    "outbox_stale": "Sessions that fell behind and were owed one diff.",
    "outbox_shed": "Sessions turned stale because all of them together owed too much.",
}
# A keystroke is to be durable within 50 ms; a sick disk takes seconds.
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_COMMIT_SECONDS = (0.0005, 0.001, *_SECONDS)
_DOCUMENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_BYTES = (64, 256, 1024, 4096, 16_384, 65_536, 2**20, 2**24)


class Metrics:
    """The counters and gauges of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(namespace="coscribe", registry=self._registry)
        self._counters = {event: self._counter(counted) for event, counted in _EVENTS.items()}
        self._gauges = {name: self._gauge(name, says) for name, says in _GAUGES.items()}
        self._gauges_by = {
            name: Gauge(f"coscribe_{name}", says, [label], registry=self._registry)
            for name, (label, says) in _GAUGES_BY.items()
        }
        self._totals = {
            name: Counter(f"coscribe_{name}", says, registry=self._registry) for name, says in _TOTALS.items()
        }
        self._read = dict.fromkeys(_TOTALS, 0.0)
        self._updates = Counter("coscribe_updates", "Updates stored.", registry=self._registry)
        self._ack = self._histogram("ack_seconds", "From the first update of a commit to its ack.", _SECONDS)
        self._size = self._histogram("commit_bytes", "Bytes of updates in one document's part of a commit.", _BYTES)
        self._commit = self._histogram(
            "commit_seconds", "Database transaction of a group commit, until it is durable.", _COMMIT_SECONDS
        )
        self._documents = self._histogram("commit_documents", "Documents that a group commit held.", _DOCUMENTS)

    def _counter(self, counted: _Counted) -> Counter:
        labels = [counted.label] if counted.label else []
        counter = Counter(f"coscribe_{counted.metric}", counted.says, labels, registry=self._registry)
        for value in counted.values:
            counter.labels(value)  # there from the start, so that a rate can be computed from the first event on
        return counter

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(f"coscribe_{name}", says, registry=self._registry)

    def _histogram(self, name: str, says: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"coscribe_{name}", says, buckets=buckets, registry=self._registry)

    def count(self, event: str, fields: Mapping[str, object]) -> None:
        """Count an event; those that are not in the table are only for the log."""
        counted = _EVENTS.get(event)
        if counted is None:
            return
        counter = self._counters[event]
        if counted.label:
            value = str(fields.get(counted.label))
            counter = counter.labels(value if value in counted.values else _OTHER)
        counter.inc()

    def saved(self, saved: Saved) -> None:
        """One document's part of a commit is durable."""
        self._updates.inc(saved.count)
        self._size.observe(saved.payload_bytes)
        self._ack.observe(saved.waited_s)

    def committed(self, documents: int, seconds: float) -> None:
        """A group commit is durable."""
        self._documents.observe(documents)
        self._commit.observe(seconds)

    def gauge(self, **values: float) -> None:
        """Set gauges."""
        for name, value in values.items():
            self._gauges[name].set(value)

    def gauges(self, name: str, by_label: Mapping[str, float]) -> None:
        """Set a gauge that has a label; every value of that is named."""
        for label, value in by_label.items():
            self._gauges_by[name].labels(label).set(value)

    def totals(self, **values: float) -> None:
        """Bring counters up to what was counted elsewhere since the start."""
        for name, value in values.items():
            self._totals[name].inc(value - self._read[name])
            self._read[name] = value

    def text(self) -> bytes:
        """All of it, in the text format."""
        return generate_latest(self._registry)
