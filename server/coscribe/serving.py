"""One server process: uvicorn with our limits, the listening socket, and a prompt end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from secrets import token_hex
from types import FrameType
from typing import TYPE_CHECKING

import structlog
import uvicorn

from coscribe import telemetry
from coscribe.api.assets import WebBuild
from coscribe.api.door import Door
from coscribe.api.relay import HERE, Team
from coscribe.app import SECRET_FILE, cookie_key, create_app, data_dir, database_url
from coscribe.config import Settings
from coscribe.errors import CoscribeError
from coscribe.metrics import Metrics
from coscribe.rooms.troubles import Watcher
from coscribe.storage.copies import claim
from coscribe.storage.copying import sqlite_file
from coscribe.storage.folder_lock import folder_held
from coscribe.storage.migrate import upgrade
from coscribe.workers import Place, Workers

if TYPE_CHECKING:
    from coscribe.tracing import Tracing

_log = structlog.get_logger(__name__)

# Of the five seconds that a stop may take: open connections get three, rooms close meanwhile, and a busy machine
# needs the rest.
_GRACEFUL_S = 3
# A request may be on its way in the moment in which its connection is closed, and a proxy answers 502 then: whoever
# keeps connections closes them first. nginx does after 60 s, most clients sooner; uvicorn itself would after 5.
_KEEP_ALIVE_S = 65
# A peer that answers no ping for so long is gone: half a minute after its line went dead, at the most.
_PING_S = 15.0
_BACKLOG = 4096
# Either says where traces go (OpenTelemetry's own names); without one there are none.
_TRACES_GO_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
# Objects that are made before the collector looks through them, and how many of its rounds make one of the next size.
_GARBAGE = (20_000, 20, 20)


def serve(settings: Settings) -> None:
    """Bring the database up to date and serve until a signal says stop; raises CoscribeError when it cannot start."""
    telemetry.configure(settings.log_level, as_json=settings.log_json)
    _check_workers(settings)
    web = WebBuild.load()
    listeners = _listeners(settings)
    with ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        stack.enter_context(_alone(settings))
        has_key = settings.secret is not None or (data_dir(settings) / SECRET_FILE).exists()
        has_data = not upgrade(database_url(settings))
        asyncio.run(claim(database_url(settings)))
        cookie_key(settings)  # asked for now, so that a bad one is told before anything starts
        _tell_new(has_key=has_key, has_data=has_data)
        address = _address(listeners[0])
        if settings.workers == 1:
            _run(settings, web, listeners, ready=partial(_tell_ready, address))
        else:
            _run_workers(settings, web, listeners, address)


def _check_workers(settings: Settings) -> None:
    """Raises CoscribeError where several workers cannot serve."""
    if settings.workers == 1:
        return
    if database_url(settings).startswith("sqlite"):
        raise CoscribeError("SQLite is written by one process: several workers need PostgreSQL, --database-url.")
    if settings.redis_url is None:
        raise CoscribeError("Several workers ring each other by Redis: set COSCRIBE_REDIS_URL.")


def _run_workers(settings: Settings, web: WebBuild, listeners: Sequence[socket.socket], address: str) -> None:
    """Serve in several processes, each at a listener of its own on the address that all share."""
    with ExitStack() as stack:
        own = [stack.enter_context(_listener(HERE, 0)) for _ in listeners]
        ports = [listener.getsockname()[1] for listener in own]
        secret = token_hex(32).encode()

        def work(place: Place) -> None:
            team = Team(place.number, ports, secret)
            _run(settings, web, [listeners[place.number], own[place.number]], ready=place.tell_ready, of=(team, place))

        Workers(settings.workers, work, partial(_tell_ready, address)).run()


def _run(
    settings: Settings,
    web: WebBuild,
    listeners: list[socket.socket],
    *,
    ready: Callable[[], None],
    of: tuple[Team, Place] | None = None,
) -> None:
    stop = asyncio.Event()
    metrics = Metrics()
    watch = telemetry.watcher(metrics)
    # In the process that serves: what sends traces has a thread, which a new process does not inherit.
    tracing = _tracing(watch)
    app = create_app(settings, web=web, stop=stop, metrics=metrics, team=of[0] if of else None, tracing=tracing)
    config = uvicorn_config(app, settings, Door(settings, metrics, watch, in_team=of is not None))
    _Server(config, stop, ready, lifeline=of[1].lifeline if of else None).run(sockets=listeners)


def _tell_ready(address: str) -> None:
    _log.info("started", version=version("coscribe"), address=address)
    print(f"Coscribe is ready at {address}", flush=True)


def _tracing(watch: Watcher) -> Tracing | None:
    """What exports traces, where the environment asks for it; raises CoscribeError when that cannot be had."""
    named = next((name for name in _TRACES_GO_TO if os.environ.get(name)), None)
    if named is None:
        return None
    try:
        from coscribe.tracing import Tracing  # noqa: PLC0415 - the SDK, which few servers want
    except ImportError as error:
        raise CoscribeError(
            f"{named} is set, and OpenTelemetry is not installed: pip install 'coscribe[tracing]'"
        ) from error
    return Tracing(watch)


def _tell_new(*, has_key: bool, has_data: bool) -> None:
    """Both are new at the first start; one of them alone was lost, or this is another folder than was meant."""
    if has_data and not has_key:
        _log.warning("secret_made", reason="there was none: the guests of this database are signed out for good")
    elif has_key and not has_data:
        _log.warning("database_made", reason="there was none, only a secret: nothing that was written before is here")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the folder of a SQLite file: rooms of a second server would not hear what the first one writes.

    The system lets go of the lock however the process ends. Raises CoscribeError.
    """
    file = sqlite_file(database_url(settings))
    if file is None or not file.parent.is_dir():  # a folder that is missing is told when the file is opened
        yield
        return
    with folder_held(file.resolve().parent) as is_ours:  # where a link leads to: coscribe copy looks there too
        if not is_ours:
            raise CoscribeError(f"Another server is running on the data directory {file.parent}.")
        yield


def uvicorn_config(app: object, settings: Settings, door: Door) -> uvicorn.Config:
    """How uvicorn serves: our protocol classes, limits and pings."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        **door.protocols(),
        ws_max_size=settings.max_frame_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=_PING_S,
        ws_ping_timeout=_PING_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACEFUL_S,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        lifespan="on",
    )


class _Server(uvicorn.Server):
    """Sets `stop` in the moment of the signal: uvicorn ends the lifespan only when every stream is closed."""

    def __init__(
        self, config: uvicorn.Config, stop: asyncio.Event, ready: Callable[[], None], *, lifeline: int | None
    ) -> None:
        super().__init__(config)
        self._stop = stop
        self._ready = ready
        self._lifeline = lifeline
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start and say so."""
        self._loop = asyncio.get_running_loop()
        if self._lifeline is not None:
            self._loop.add_reader(self._lifeline, self._orphaned, self._loop, self._lifeline)
        await super().startup(sockets)
        _settle_garbage()
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let connections end and rooms close."""
        _log.info("stopping", connections=len(self.server_state.connections))
        await super().shutdown(sockets)
        _log.info("stopped")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take SIGTERM or SIGINT."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            # Also wakes the loop, which a signal alone does not.
            self._loop.call_soon_threadsafe(self._stop.set)

    def _orphaned(self, loop: asyncio.AbstractEventLoop, lifeline: int) -> None:
        """The process that keeps the workers is gone: nobody would end this one."""
        loop.remove_reader(lifeline)
        self.handle_exit(signal.SIGTERM, None)


def _settle_garbage() -> None:
    """Keep what was made at the start out of the garbage collector's sight, and let it come by less often.

    It looked through 300,000 objects of imports for 17 ms whenever some thousand people came, and finds next to
    nothing: what belongs to a connection goes with it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def _listeners(settings: Settings) -> list[socket.socket]:
    """A listening socket for each worker, between which the system spreads connections. Raises CoscribeError."""
    first = _listener(settings.host, settings.port)
    if settings.workers == 1:
        return [first]
    # The port is free and known: from now on only this account's sockets may share it.
    port = first.getsockname()[1]
    first.close()
    return [_listener(settings.host, port, is_shared=True) for _ in range(settings.workers)]


def _listener(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """A bound socket; raises CoscribeError when the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CoscribeError(f"The address {host} cannot be used: {error.strerror}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = f"Port {port} of {host} cannot be used: {error.strerror}. Choose another with --port."
        raise CoscribeError(reason) from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
