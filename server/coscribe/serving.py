"""One server process: uvicorn with our limits, the listening socket, and a prompt end."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import FrameType

import structlog
import uvicorn

from coscribe import telemetry
from coscribe.api.assets import WebBuild
from coscribe.api.door import Door
from coscribe.app import SECRET_FILE, cookie_key, create_app, data_dir, database_url
from coscribe.config import Settings
from coscribe.errors import CoscribeError
from coscribe.metrics import Metrics
from coscribe.storage.migrate import upgrade

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
# Objects that are made before the collector looks through them, and how many of its rounds make one of the next size.
_GARBAGE = (20_000, 20, 20)


def serve(settings: Settings) -> None:
    """Bring the database up to date and serve until a signal says stop; raises CoscribeError when it cannot start."""
    web = WebBuild.load()
    telemetry.configure(settings.log_level, as_json=settings.log_json)
    listener = _listener(settings.host, settings.port)
    with listener, _alone(settings):
        has_key = settings.secret is not None or (data_dir(settings) / SECRET_FILE).exists()
        cookie_key(settings)  # asked for now, so that a bad one is told before anything starts
        _tell_new(has_key=has_key, has_data=not upgrade(database_url(settings)))
        stop = asyncio.Event()
        metrics = Metrics()
        app = create_app(settings, web=web, stop=stop, metrics=metrics)
        config = uvicorn_config(app, settings, Door(settings, metrics, telemetry.watcher(metrics)))
        _Server(config, stop, _address(listener)).run(sockets=[listener])


def _tell_new(*, has_key: bool, has_data: bool) -> None:
    """Both are new at the first start; one of them alone was lost, or this is another folder than was meant."""
    if has_data and not has_key:
        _log.warning("secret_made", reason="there was none: the guests of this database are signed out for good")
    elif has_key and not has_data:
        _log.warning("database_made", reason="there was none, only a secret: nothing that was written before is here")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the data directory with SQLite in it: rooms of a second server would not hear what the first one writes.

    The system lets go of the lock however the process ends. Raises CoscribeError.
    """
    if settings.database_url is not None:
        yield
        return
    folder = data_dir(settings)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CoscribeError(f"Another server is running on the data directory {folder}.") from error
        yield
    finally:
        os.close(descriptor)


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

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event, address: str) -> None:
        super().__init__(config)
        self._stop = stop
        self._address = address
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start and say where."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        _settle_garbage()
        _log.info("started", version=version("coscribe"), address=self._address)
        print(f"Coscribe is ready at {self._address}", flush=True)

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


def _settle_garbage() -> None:
    """Keep what was made at the start out of the garbage collector's sight, and let it come by less often.

    It looked through 300,000 objects of imports for 17 ms whenever some thousand people came, and finds next to
    nothing: what belongs to a connection goes with it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def _listener(host: str, port: int) -> socket.socket:
    """A bound socket; raises CoscribeError when the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CoscribeError(f"The address {host} cannot be used: {error.strerror}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
