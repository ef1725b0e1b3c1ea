"""The composition root: a server as an ASGI application, and where it keeps what it needs."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI
from starlette.types import Lifespan

from coscribe.api import metrics as metrics_route
from coscribe.api.access_log import AccessLog
from coscribe.api.assets import WebBuild
from coscribe.api.headers import SecurityHeaders
from coscribe.api.pages import add_pages
from coscribe.api.rehearsal import rehearse
from coscribe.api.relay import Relay, Team
from coscribe.api.rest import NO_TELEMETRY, TAGS, Application, add_rest
from coscribe.api.wiring import Wiring
from coscribe.assembly import assemble
from coscribe.config import Settings
from coscribe.errors import CoscribeError
from coscribe.metrics import Metrics
from coscribe.rooms.measuring import unrecorded
from coscribe.rooms.registry import Registry
from coscribe.services.identity import new_token
from coscribe.storage.engine import Database
from coscribe.storage.principals import SqlPrincipals

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

    app = _application(lifespan, web)
    app.state.team = team
    app.add_middleware(SecurityHeaders)
    app.add_middleware(AccessLog)
    if tracing is not None:
        app.add_middleware(tracing.requests)
    if team is not None:
        app.add_middleware(Relay, team=team)
    return app


def _application(lifespan: Lifespan[FastAPI], web: WebBuild | None) -> Application:
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
    add_rest(app)
    app.include_router(metrics_route.router)
    if web is not None:
        add_pages(app, web)
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
        span = tracing.span if tracing else unrecorded
        wiring = assemble(settings, cookie_key(settings), database, stop, metrics or Metrics(), span)
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
