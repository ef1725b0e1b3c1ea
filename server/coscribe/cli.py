"""The command `coscribe`. Libraries are loaded by the commands that need them, so that --help answers at once."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from coscribe.errors import CoscribeError, Unavailable

if TYPE_CHECKING:
    from coscribe.config import Settings

# Databases and secrets are for the account that runs the server, also in a folder that was there before.
_NOBODY_ELSE = 0o077
_LONGEST_S = 3600

Command = Callable[["Settings", argparse.Namespace], None]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 1 after an error that is told in a sentence, 2 for a wrong call."""
    parser = _parser()
    options = parser.parse_args(arguments)
    run: Command | None = getattr(options, "run", None)
    if run is None:
        parser.print_help()
        return 2
    os.umask(_NOBODY_ELSE)
    try:
        run(_settings(options), options)
    except CoscribeError as error:
        print(f"coscribe: {_told(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _told(error: CoscribeError) -> str:
    """The error's sentence; where storage failed also the first line of what its driver said, without passwords."""
    from coscribe.telemetry import without_secrets  # noqa: PLC0415

    cause = getattr(error.__cause__, "orig", error.__cause__)
    if not isinstance(error, Unavailable) or cause is None:
        return str(error)
    return without_secrets(f"{error} ({str(cause).strip().partition(chr(10))[0]})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="coscribe",
        description="A collaborative text editor that people host themselves.",
        epilog="Every option is also in the environment, --port as COSCRIBE_PORT; docs/operations.md has all settings.",
    )
    parser.add_argument("--version", action="version", version=f"coscribe {version('coscribe')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    _add_serving(commands)
    _add_upkeep(commands)
    _add_copy(commands)
    _add_doctor(commands)
    _add_bench(commands)
    _add_token(commands)
    return parser


def _add_serving(commands: Commands) -> None:
    serve = commands.add_parser("serve", help="bring the database up to date and serve")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port to listen on, 0 for a free one (default 8000)")
    serve.add_argument("--workers", type=int, help="processes that serve, with PostgreSQL and Redis (default 1)")
    _add_places(serve)
    serve.set_defaults(run=_serve)

    migrate = commands.add_parser("migrate", help="bring the database up to date")
    _add_places(migrate)
    migrate.set_defaults(run=_migrate)

    openapi = commands.add_parser("openapi", help="print the OpenAPI document")
    openapi.set_defaults(run=_openapi)


def _add_upkeep(commands: Commands) -> None:
    verify = commands.add_parser("verify", help="look for damage in the database, beside a running server too")
    verify.add_argument("--document", help="look at this document only")
    verify.add_argument("--accept", action="store_true", help="record what is wrong with documents as known")
    _add_places(verify)
    verify.set_defaults(run=_verify)

    backup = commands.add_parser("backup", help="write a verified copy of the database while people type")
    backup.add_argument("file", type=Path, help="the file to write or replace")
    _add_places(backup)
    backup.set_defaults(run=_backup)

    restore = commands.add_parser("restore", help="bring back what a backup holds, beside a running server too")
    restore.add_argument("file", type=Path, help="the file that coscribe backup has written")
    restore.add_argument("--damaged", action="store_true", help="bring back what can be read of a damaged file too")
    _add_places(restore)
    restore.set_defaults(run=_restore)


def _add_copy(commands: Commands) -> None:
    copy = commands.add_parser("copy", help="move the database to PostgreSQL or to SQLite, exactly as it is")
    place = "its URL, or the path of a SQLite file or of a data directory"
    copy.add_argument("--from", dest="source", required=True, help=f"the database to copy: {place}")
    copy.add_argument("--to", dest="target", required=True, help="the database to make, in the same words")
    copy.set_defaults(run=_copy)


def _add_token(commands: Commands) -> None:
    token = commands.add_parser("token", help="bearer tokens for scripts")
    actions = token.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token and print it, this once")
    create.add_argument("--name", required=True, help="the name that people see the token's work under")
    _add_places(create)
    create.set_defaults(run=_create_token)


def _add_doctor(commands: Commands) -> None:
    doctor = commands.add_parser("doctor", help="look at a running server from outside, through its proxy")
    doctor.add_argument("url", help="its address as people type it: https://docs.example.org")
    doctor.add_argument("--token", help="a bearer token, where guests may not make documents")
    doctor.add_argument(
        "--patience", type=_seconds, default=70.0, help="seconds that a quiet connection is held (default 70)"
    )
    doctor.set_defaults(run=_doctor)


def _add_bench(commands: Commands) -> None:
    bench = commands.add_parser("bench", help="measure what this program does on this machine")
    subjects = bench.add_subparsers(title="subjects", metavar="SUBJECT", required=True)
    transports = subjects.add_parser("transports", help="compare WebSocket, event stream, long poll and polling")
    transports.add_argument(
        "--seconds", type=_seconds, default=20.0, help="how long people type over each (default 20)"
    )
    transports.add_argument("--short", action="store_true", help="few people and all transports at once, as a trial")
    transports.add_argument("--docs", type=Path, help="folder to write transports.md and its drawings into")
    transports.add_argument("--results", type=Path, help="file for the figures, a JSON line each")
    transports.set_defaults(run=_bench_transports)


def _seconds(text: str) -> float:
    """A time of an option. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0 and up to {_LONGEST_S}")
    return value


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help="folder of the SQLite file and the secret (default data)")
    parser.add_argument("--database-url", help="another database, postgresql+asyncpg://user:password@host/name")


def _settings(options: argparse.Namespace) -> Settings:
    """The settings of the environment, overridden by the options that were given."""
    from pydantic import ValidationError  # noqa: PLC0415 - a tenth of a second that --help does not pay
    from pydantic_settings import SettingsError  # noqa: PLC0415 - see above

    from coscribe.config import PREFIX, Settings  # noqa: PLC0415 - see above

    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in Settings.model_fields:
            print(f"coscribe: There is no setting {name}; it does nothing.", file=sys.stderr)
    names = ("host", "port", "workers", "data_dir", "database_url")
    given = {name: getattr(options, name) for name in names if getattr(options, name, None) is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CoscribeError(f"A setting cannot be used: {wrong}.") from error
    except SettingsError as error:
        # Its words name classes; a list is all that it reads itself.
        field = re.findall(r'field "(\w+)"', str(error))
        what = f'{PREFIX}{field[0].upper()} must be a JSON list: ["..."]' if field else str(error)
        raise CoscribeError(f"A setting cannot be used: {what}.") from error


def _serve(settings: Settings, _options: argparse.Namespace) -> None:
    from coscribe.serving import serve  # noqa: PLC0415 - loads the whole server

    serve(settings)


def _migrate(settings: Settings, _options: argparse.Namespace) -> None:
    from coscribe.app import database_url  # noqa: PLC0415 - loads the whole server
    from coscribe.storage.migrate import upgrade  # noqa: PLC0415

    upgrade(database_url(settings))


def _verify(settings: Settings, options: argparse.Namespace) -> None:
    from coscribe.upkeep.commands import verify  # noqa: PLC0415 - loads the engine

    verify(settings, options.document, accepting=options.accept)


def _backup(settings: Settings, options: argparse.Namespace) -> None:
    from coscribe.upkeep.commands import backup  # noqa: PLC0415 - loads the engine

    backup(settings, options.file)


def _restore(settings: Settings, options: argparse.Namespace) -> None:
    from coscribe.upkeep.commands import restore  # noqa: PLC0415 - loads the engine

    restore(settings, options.file, damaged=options.damaged)


def _copy(_settings: Settings, options: argparse.Namespace) -> None:
    from coscribe.upkeep.copying import copy  # noqa: PLC0415 - loads the engine

    copy(options.source, options.target)


def _doctor(_settings: Settings, options: argparse.Namespace) -> None:
    import asyncio  # noqa: PLC0415

    from coscribe.doctor.command import examine  # noqa: PLC0415 - loads an HTTP client

    if not asyncio.run(examine(options.url, options.token, options.patience)):
        raise CoscribeError("Something is to be changed, see above.")


def _bench_transports(_settings: Settings, options: argparse.Namespace) -> None:
    if sys.platform != "linux":
        raise CoscribeError("What a server takes is read from /proc, which only Linux has.")
    from coscribe.bench.command import transports  # noqa: PLC0415 - loads clients and the engine
    from coscribe.bench.figures import Plan  # noqa: PLC0415 - see above

    plan = Plan.short(options.seconds) if options.short else Plan(options.seconds)
    call = f"coscribe bench transports --seconds {options.seconds:g}{' --short' if options.short else ''}"
    transports(plan, options.docs, options.results, call)


def _openapi(settings: Settings, _options: argparse.Namespace) -> None:
    import json  # noqa: PLC0415

    from coscribe.app import create_app  # noqa: PLC0415 - loads the whole server

    print(json.dumps(create_app(settings).openapi(), indent=2, ensure_ascii=False))


def _create_token(settings: Settings, options: argparse.Namespace) -> None:
    import asyncio  # noqa: PLC0415

    from coscribe.app import add_token, database_url  # noqa: PLC0415 - loads the whole server
    from coscribe.storage.copies import claim  # noqa: PLC0415
    from coscribe.storage.migrate import upgrade  # noqa: PLC0415

    upgrade(database_url(settings))
    asyncio.run(claim(database_url(settings)))
    print(asyncio.run(add_token(settings, options.name)))
