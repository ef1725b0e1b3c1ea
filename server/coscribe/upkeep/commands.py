"""The commands: verify, backup and restore."""

from __future__ import annotations

import asyncio
from pathlib import Path

from coscribe.app import data_dir, database_url
from coscribe.config import Settings
from coscribe.errors import CoscribeError
from coscribe.storage.accepted import accept
from coscribe.storage.copies import claim
from coscribe.storage.copying import copy_sqlite, keep, sqlite_file
from coscribe.storage.engine import opened
from coscribe.storage.migrate import upgrade
from coscribe.storage.scratch import scratch_beside
from coscribe.storage.verify import Finding, check_schema
from coscribe.upkeep.looking import Looked, counted, look_over
from coscribe.upkeep.restoring import copied, restored


def verify(settings: Settings, document_id: str | None, *, accepting: bool = False) -> None:
    """Verify a database, or one document of it, and print each finding on a line. Raises CoscribeError when any is new.

    With `accepting` what is wrong with documents is recorded as known: it is no reason to fail from then on.
    """
    url = database_url(settings)
    looked = asyncio.run(look_over(url, document_id))
    looked.tell()
    left = looked.findings
    if accepting and left:
        left = asyncio.run(_accepted(url, left))
    verified = f"{counted(looked.count, 'document')} verified"
    if left:
        raise CoscribeError(f"{verified}, {counted(len(left), 'finding')}.")
    if looked.findings:
        print(f"{verified}, {counted(len(looked.findings), 'finding')} accepted.")
    else:
        print(f"{verified}, nothing {'new ' if looked.known else ''}is wrong.")


async def _accepted(url: str, findings: list[Finding]) -> list[Finding]:
    """Record what can be accepted; gives the rest."""
    await claim(url)
    async with opened(url) as database:
        await accept(database, findings)
    return [finding for finding in findings if finding.document_id is None]


def backup(settings: Settings, file: Path) -> None:
    """Write a consistent copy of the database, verified, into one SQLite file. Raises CoscribeError.

    The file is replaced only by a whole one, and never by one with new damage: that is kept beside it.
    """
    url = database_url(settings)
    if file.is_dir():
        raise CoscribeError(f"{file} is a folder; name a file in it.")
    _require_other(file, url)
    with scratch_beside(file) as folder:
        made = folder / "copy.db"
        looked = asyncio.run(copied(url, made))
        if looked.findings and file.exists():
            file = file.with_name(f"{file.name}.damaged")
        keep(made, file)
    looked.tell()
    if looked.findings:
        damaged = f"{counted(len(looked.findings), 'thing')} {'is' if len(looked.findings) == 1 else 'are'} damaged"
        raise CoscribeError(f"{file} holds what the database holds, and in that {damaged}.")
    print(f"{file}: {counted(looked.count, 'document')}, verified.")


def _require_other(file: Path, url: str) -> None:
    """Raise CoscribeError where the database itself is named as its backup: what is typed meanwhile would be lost."""
    source = sqlite_file(url)
    if source is not None and source.exists() and file.exists() and file.samefile(source):
        raise CoscribeError(f"{file} is the database itself; name another file.")


def restore(settings: Settings, file: Path, *, damaged: bool = False) -> None:
    """Bring back what a backup holds, beside a running server too; with `damaged` what can be read of a damaged one.

    Raises CoscribeError.
    """
    if not file.is_file():
        raise CoscribeError(f"There is no backup at {file}.")
    url = database_url(settings)
    _require_other(file, url)
    folder = data_dir(settings)
    with scratch_beside(folder / "restore") as scratch:
        copy = scratch / "copy.db"
        copy_sqlite(file, copy)
        looked = _check_copy(copy, file, damaged=damaged)
        upgrade(url)
        asyncio.run(claim(url))
        asyncio.run(restored(url, f"sqlite:///{copy}", folder, looked.only_known))


def _check_copy(copy: Path, file: Path, *, damaged: bool) -> Looked:
    """Raise CoscribeError for a backup that is damaged or none; an old one is brought up to date, as a copy."""
    url = f"sqlite:///{copy}"
    asyncio.run(_check_origin(url))
    upgrade(url)
    looked = asyncio.run(look_over(url))
    looked.tell()
    if looked.findings and not damaged:
        raise CoscribeError(f"{file} is damaged; nothing was restored. What can be read of it comes with --damaged.")
    return looked


async def _check_origin(url: str) -> None:
    async with opened(url) as database:
        await check_schema(database, url, older=True)
