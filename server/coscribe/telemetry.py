"""Logs: one event a line on standard error, for people or as JSON, with secrets and control characters taken out."""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor

from coscribe.metrics import Metrics
from coscribe.rooms.troubles import Watcher

# A name or a reason may come from anybody; no event may take more of a log than this (threat: log forging).
MOST_CHARACTERS = 8_000

_HIDDEN = "***"
# What may open something: bearer tokens, link secrets, signed cookies, also where they stand in an address.
_SECRETS = re.compile(
    r"""(?xi)
    (\bcs[tl]_) [\w-]+
    | ((?:^|[\s"'/])[rs]/) [\w-]{20,}
    | (coscribe\.token\.) [^\s"',;]+
    | (coscribe_session=) [^\s"',;]+
    | ([?&](?:token|ticket|secret)=) [^\s"'&]+
    | (://[^\s:/@]*:) [^\s/@]+ (?=@)
    """
)
# C0, C1 and what turns text around or ends lines in some viewers.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NOISY = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio", "aiosqlite", "sqlalchemy", "alembic")

# What hostile peers or one busy person can make happen many times a second: counted, and told only when debugging.
_FREQUENT = frozenset({"refused", "throttled"})


def configure(level: str, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Route structlog and the standard library's logging to `stream` (standard error), from `level` upwards.

    uvicorn and the drivers speak only from warning upwards: at info uvicorn writes addresses with their query.
    """
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_shared(), processors=_last(as_json=as_json))
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _shared() -> list[Processor]:
    """What happens to every event, wherever it comes from."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last(*, as_json: bool) -> list[Processor]:
    """From an event to its line. Tracebacks become text before they are cleaned."""
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    first: list[Processor] = [remove_meta, structlog.processors.format_exc_info, _without_secrets]
    return [*first, structlog.processors.JSONRenderer()] if as_json else [*first, _as_line]


def without_secrets(text: str) -> str:
    """The text with every secret hidden, cut at `MOST_CHARACTERS`."""
    text = _SECRETS.sub(lambda found: next(part for part in found.groups() if part is not None) + _HIDDEN, text)
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "..."


def _without_secrets(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {
        key: value if isinstance(value, bool | int | float | None) else without_secrets(str(value))
        for key, value in event.items()
    }


def _on_one_line(value: object) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), str(value))


def _as_line(_logger: object, _method: str, event: EventDict) -> str:
    """`time level event key=value ...`; a traceback follows, each line marked so that it cannot pass for an event."""
    time, level, name = (event.pop(key, "") for key in ("timestamp", "level", "logger"))
    message, trace = event.pop("event", ""), event.pop("exception", "")
    rest = "".join(f" {key}={_on_one_line(value)}" for key, value in event.items())
    traced = "".join(f"\n  | {_on_one_line(line)}" for line in trace.splitlines())
    return f"{time} {level:<7} {_on_one_line(message)}{rest} [{name}]{traced}"


def watcher(metrics: Metrics) -> Watcher:
    """Who hears of what went wrong or met a limit: all is counted, what an operator should see is written down."""
    log = structlog.get_logger("coscribe")

    def watch(event: str, **fields: object) -> None:
        metrics.count(event, fields)
        if event in _FREQUENT:
            log.debug(event, **fields)
        else:
            log.warning(event, **fields)

    return watch
