"""The composition root: where the parts of a server meet."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI

from coscribe.api import metrics as metrics_route
from coscribe.api.access_log import AccessLog
from coscribe.api.assets import WebBuild
from coscribe.api.gates import Gates
from coscribe.api.headers import SecurityHeaders
from coscribe.api.http_session import HttpSessions
from coscribe.api.lines import Lines
from coscribe.api.pace import Rates
from coscribe.api.pages import add_pages
from coscribe.api.rehearsal import rehearse
from coscribe.api.relay import Relay, Team
from coscribe.api.rest import NO_TELEMETRY, TAGS, Application, add_rest
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
from coscribe.rooms.measuring import Measures, Spans, unrecorded
from coscribe.rooms.opening import Storage
from coscribe.rooms.registry import Registry
from coscribe.rooms.troubles import Watcher
from coscribe.services.access import AccessService
from coscribe.services.chronicle import Chronicle
from coscribe.services.documents import DocumentService
from coscribe.services.identity import IdentityService, new_token
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

if TYPE_CHECKING:  # it loads the SDK, which only some servers want
    from coscribe.tracing import Tracing

_log = structlog.get_logger(__name__)

SECRET_FILE = "secret"  # noqa: S105 - a file's name
DATABASE_FILE = "coscribe.db"
# 256 bits; shorter keys of an operator's own can be guessed from one cookie.
_SECRET_BYTES = 32
_SECRET_LEAST = 32
# How soon a background task that failed is tried again.
_AGAIN_AFTER_S = 5.0


def create_app(
    settings: Settings,
    *,
    web: WebBuild | None = None,
    stop: asyncio.Event | None = None,
    metrics: Metrics | None = None,
    team: Team | None = None,
    tracing: Tracing | None = None,
) -> FastAPI:
    """The ASGI application on a database whose schema is up to date; pages only with a web build.

    `stop` is set by whoever ends the server, at once when that is asked for: open streams end with it. `metrics` is
    shared with whoever counts connections. `team` are the workers of the same address, where there are several.
    `tracing` is closed with the application.
    """
    stopped = stop or asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Wiring]]:
        async with running(settings, stopped, metrics, tracing) as wiring:
            await rehearse(app, wiring)
            yield {"wiring": wiring}

    app = Application(
        title="Coscribe",
        summary="Write one document together, follow it live, script it.",
        version=version("coscribe"),
        openapi_tags=TAGS,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
        docs_url=None,
        redoc_url=None,
    )
    app.state.team = team
    add_rest(app)
    app.include_router(metrics_route.router)
    if web is not None:
        add_pages(app, web)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(AccessLog)
    if tracing is not None:
        app.add_middleware(tracing.requests)
    if team is not None:
        app.add_middleware(Relay, team=team)
    return app


@asynccontextmanager
async def running(
    settings: Settings, stop: asyncio.Event, metrics: Metrics | None = None, tracing: Tracing | None = None
) -> AsyncIterator[Wiring]:
    """The parts of a server, alive; at the end everything that was accepted is durable.

    Rooms close as soon as `stop` is set, while the server still waits for its connections: both fit in 5 s.
    """
    database = Database.open(database_url(settings))
    try:
        wiring = _wire(settings, database, stop, metrics or Metrics(), tracing.span if tracing else unrecorded)
        wiring.registry.start()
        closing = asyncio.create_task(_close_at(stop, wiring.registry), name="close")
        patrol = asyncio.create_task(_kept_up("the patrol of access", wiring.access.patrol, stop), name="patrol")
        watchdog = asyncio.create_task(wiring.watchdog.run(stop), name="watchdog")
        following = _kept_up("the news of other servers", wiring.news.follow, stop) if wiring.news else stop.wait()
        news = asyncio.create_task(following, name="news")
        try:
            yield wiring
        finally:
            stop.set()
            await asyncio.gather(closing, patrol, watchdog, news)
            wiring.http_sessions.close()
            await wiring.lines.close()
    finally:
        await database.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)


async def _close_at(stop: asyncio.Event, registry: Registry) -> None:
    await stop.wait()
    await registry.close()


async def _kept_up(what: str, work: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """Keep work alive that must go on: storage that is away for a while, for one, must not end it."""
    while not stop.is_set():
        try:
            await work(stop)
        except Exception:  # noqa: BLE001 - whatever it was
            _log.exception(f"{what} was interrupted")
            try:
                async with asyncio.timeout(_AGAIN_AFTER_S):
                    await stop.wait()
            except TimeoutError:
                continue


def _bus(settings: Settings, watch: Watcher, metrics: Metrics) -> Bus | None:
    """The bus between servers; None where there is one server, or where they look at the log every two seconds."""
    if settings.redis_url is None:
        return None
    if settings.database_url is None or settings.database_url.startswith("sqlite"):
        raise CoscribeError("COSCRIBE_REDIS_URL is for several servers, which SQLite cannot have: use PostgreSQL.")
    # The client takes 0.1 s and 7 MB, and brings OpenTelemetry's SDK where that is installed.
    from coscribe.bus.redis import RedisBus, Watch  # noqa: PLC0415

    seal = Seal(cookie_key(settings), new_id(), lambda: time.time_ns() // 1_000_000)
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


def _wire(settings: Settings, database: Database, stop: asyncio.Event, metrics: Metrics, span: Spans) -> Wiring:
    watch, unsaved = watcher(metrics), Tally(settings.max_unsaved_total_bytes)
    storage = _storage(settings, database, watch, _bus(settings, watch, metrics))
    hub, grants = ActivityHub(), SqlGrants(database)
    documents, principals = storage.documents, storage.principals
    registry = Registry(
        storage,
        hub,
        limits=Limits(settings.max_document_bytes, settings.max_unsaved_bytes, settings.max_update_bytes, unsaved),
        idle_s=settings.room_idle_s,
        watch=watch,
        measures=Measures(metrics.saved, metrics.committed, span),
    )
    access = AccessService(documents, grants, registry)
    chronicle = Chronicle(documents, registry, hub)
    texts = TextService(access, registry, max_document_bytes=settings.max_document_bytes)
    return Wiring(
        settings=settings,
        registry=registry,
        hub=hub,
        activities=storage.activities,
        access=access,
        documents=DocumentService(
            documents,
            principals,
            grants,
            access=access,
            texts=texts,
            chronicle=chronicle,
            registry=registry,
            most_per_guest=settings.max_documents_per_guest,
        ),
        texts=texts,
        identity=IdentityService(
            principals, grants, registry, key=cookie_key(settings), session_days=settings.session_days
        ),
        links=LinkService(access, documents, grants, chronicle),
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


def _tell_damage(watch: Watcher, damage: Damage) -> None:
    place = damage.place
    watch("quarantined", document_id=place.document_id, what=damage.what.value, seq=damage.seq, reason=damage.reason)


def _tell_unreadable(watch: Watcher, document_id: str, reason: str) -> None:
    watch("document_damaged", document_id=document_id, reason=reason)


async def add_token(settings: Settings, name: str) -> str:
    """Store a new bearer token, beside a running server too, and give its secret."""
    secret, token, principal = new_token(name)
    database = Database.open(database_url(settings))
    try:
        await SqlPrincipals(database).add_token(token, principal)
    finally:
        await database.close()
    return secret


def database_url(settings: Settings) -> str:
    """The configured database, or a SQLite file in the data directory, which is made for it."""
    if settings.database_url is not None:
        return settings.database_url
    return f"sqlite+aiosqlite:///{data_dir(settings) / DATABASE_FILE}"


def data_dir(settings: Settings) -> Path:
    """The data directory, for nobody else to read; raises CoscribeError when it cannot be made or written to."""
    folder = settings.data_dir.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CoscribeError(f"The data directory {folder} cannot be made: {error.strerror}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CoscribeError(f"The data directory {folder} cannot be written to.")
    return folder


def cookie_key(settings: Settings) -> str:
    """The key that signs cookies: the configured one, else one that is made and kept in the data directory."""
    if settings.secret is not None:
        key = settings.secret.get_secret_value()
        if len(key) < _SECRET_LEAST:
            raise CoscribeError(f"COSCRIBE_SECRET must have at least {_SECRET_LEAST} characters.")
        return key
    file = data_dir(settings) / SECRET_FILE
    try:
        if not file.exists():
            _make_key(file)
        key = file.read_text("utf-8").strip()
    except OSError as error:
        raise CoscribeError(f"The secret in {file} cannot be kept there: {error.strerror}.") from error
    except UnicodeDecodeError:
        key = ""
    if len(key) < _SECRET_LEAST:
        raise CoscribeError(f"The secret in {file} is damaged: put the file back from a backup, or remove it.")
    return key


def _make_key(file: Path) -> None:
    """Written beside and linked into place: of two commands that run at once, both use the key that was first."""
    made = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(secrets.token_urlsafe(_SECRET_BYTES) + "\n")
        stream.flush()
        os.fsync(stream.fileno())  # or a power cut could leave an empty file
    try:
        os.link(made, file)
    except FileExistsError:
        pass
    finally:
        made.unlink()
