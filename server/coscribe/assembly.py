"""The parts of one server, put together."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from coscribe.api.gates import Gates
from coscribe.api.http_session import HttpSessions
from coscribe.api.lines import Lines
from coscribe.api.pace import Rates
from coscribe.api.wiring import Wiring
from coscribe.bus.sealing import Seal
from coscribe.config import Settings
from coscribe.core.bounds import Limits
from coscribe.core.buffers import Buffers
from coscribe.core.tally import Tally
from coscribe.errors import CoscribeError
from coscribe.metrics import Metrics
from coscribe.model import Damage, new_id
from coscribe.ports import Bus
from coscribe.rooms.hub import ActivityHub
from coscribe.rooms.measuring import Measures, Spans
from coscribe.rooms.opening import Storage
from coscribe.rooms.registry import Registry
from coscribe.rooms.troubles import Watcher
from coscribe.services.access import AccessService
from coscribe.services.chronicle import Chronicle
from coscribe.services.documents import DocumentService
from coscribe.services.identity import IdentityService
from coscribe.services.links import LinkService
from coscribe.services.news import News
from coscribe.services.texts import TextService
from coscribe.storage.activities import SqlActivities
from coscribe.storage.archive import SqlArchive
from coscribe.storage.documents import SqlDocuments
from coscribe.storage.engine import Database
from coscribe.storage.grants import SqlGrants
from coscribe.storage.health import SqlHealth
from coscribe.storage.principals import SqlPrincipals
from coscribe.storage.quarantine import Quarantine
from coscribe.storage.update_log import SqlUpdateLog
from coscribe.telemetry import watcher
from coscribe.watchdog import Watchdog


def assemble(
    settings: Settings, key: str, database: Database, stop: asyncio.Event, metrics: Metrics, span: Spans
) -> Wiring:
    """A server on a database whose schema is up to date; `key` signs cookies and what servers tell each other."""
    watch, unsaved = watcher(metrics), Tally(settings.max_unsaved_total_bytes)
    storage = _storage(settings, database, watch, _bus(settings, key, watch, metrics))
    hub, grants = ActivityHub(), SqlGrants(database)
    registry = _registry(settings, storage, hub, unsaved, watch, Measures(metrics.saved, metrics.committed, span))
    access = AccessService(storage.documents, grants, registry)
    texts = TextService(access, registry, max_document_bytes=settings.max_document_bytes)
    chronicle = Chronicle(storage.documents, registry, hub)
    documents = DocumentService(
        storage.documents, storage.principals, grants, access=access, texts=texts, chronicle=chronicle,
        registry=registry, most_per_guest=settings.max_documents_per_guest,
    )  # fmt: skip
    return Wiring(
        settings=settings,
        registry=registry,
        hub=hub,
        activities=storage.activities,
        access=access,
        documents=documents,
        texts=texts,
        identity=IdentityService(storage.principals, grants, registry, key=key, session_days=settings.session_days),
        links=LinkService(access, storage.documents, grants, chronicle),
        health=SqlHealth(database),
        watchdog=Watchdog(settings, registry, watch),
        gates=Gates(settings, watch),
        lines=Lines(settings.keepalive_s, settings.max_frame_bytes),
        http_sessions=HttpSessions(settings.max_connections),
        rates=Rates(settings),
        buffers=Buffers(settings.max_outbox_total_bytes),
        unsaved=unsaved,
        metrics=metrics,
        watch=watch,
        stop=stop,
        news=News(storage.activities, registry, hub, access) if storage.is_shared else None,
    )


def _registry(
    settings: Settings, storage: Storage, hub: ActivityHub, unsaved: Tally, watch: Watcher, measures: Measures
) -> Registry:
    limits = Limits(settings.max_document_bytes, settings.max_unsaved_bytes, settings.max_update_bytes, unsaved)
    return Registry(storage, hub, limits=limits, idle_s=settings.room_idle_s, watch=watch, measures=measures)


def _storage(settings: Settings, database: Database, watch: Watcher, bus: Bus | None) -> Storage:
    quarantine = Quarantine(database, partial(_tell_damage, watch))
    return Storage(
        SqlUpdateLog(database, quarantine),
        SqlDocuments(database, damaged=partial(_tell_unreadable, watch)),
        SqlActivities(database),
        SqlPrincipals(database),
        SqlArchive(database, quarantine, history_days=settings.history_days),
        is_shared=not database.is_sqlite,
        bus=bus,
    )


def _tell_damage(watch: Watcher, damage: Damage) -> None:
    place = damage.place
    watch("quarantined", document_id=place.document_id, what=damage.what.value, seq=damage.seq, reason=damage.reason)


def _tell_unreadable(watch: Watcher, document_id: str, reason: str) -> None:
    watch("document_damaged", document_id=document_id, reason=reason)


def _bus(settings: Settings, key: str, watch: Watcher, metrics: Metrics) -> Bus | None:
    """The bus between servers; None where there is one server, or where they look at the log every two seconds."""
    if settings.redis_url is None:
        return None
    if settings.database_url is None or settings.database_url.startswith("sqlite"):
        raise CoscribeError("COSCRIBE_REDIS_URL is for several servers, which SQLite cannot have: use PostgreSQL.")
    # The client takes 0.1 s and 7 MB, and brings OpenTelemetry's SDK where that is installed.
    from coscribe.bus.redis import RedisBus, Watch  # noqa: PLC0415

    seal = Seal(key, new_id(), lambda: time.time_ns() // 1_000_000)
    told = Watch(
        lost=lambda reason: watch("bus_lost", reason=reason),
        back=lambda: watch("bus_back"),
        lag=lambda seconds: metrics.gauge(bus_lag_seconds=seconds),
        refused=lambda reason: watch("bus_refused", reason=reason),
        dropped=lambda count: watch("bus_dropped", messages=count),
    )
    try:
        return RedisBus(settings.redis_url.get_secret_value(), seal, told)
    except ValueError as error:
        raise CoscribeError(f"COSCRIBE_REDIS_URL cannot be used: {error}") from error
