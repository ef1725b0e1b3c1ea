"""Looks over a whole database: what stands in its rows, and what replaying them gives."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass

from coscribe.errors import CoscribeError, Unavailable, cause_of
from coscribe.model import Place
from coscribe.rooms.proving import replay_findings
from coscribe.storage.accepted import parted_by_acceptance
from coscribe.storage.engine import Database, opened
from coscribe.storage.quarantine import Quarantine
from coscribe.storage.update_log import SqlUpdateLog
from coscribe.storage.verify import Finding, check_schema, document_findings, places, whole_findings

# A long run says how far it has come, on standard error.
PROGRESS_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Looked:
    """How many documents were looked at, what is wrong with them, and what of it was accepted before."""

    count: int
    findings: list[Finding]
    known: list[Finding]

    @property
    def only_known(self) -> set[str]:
        """Ids of documents of which all that is wrong was accepted."""
        return {finding.document_id for finding in self.known if finding.document_id is not None} - {
            finding.document_id for finding in self.findings
        }

    def tell(self) -> None:
        """Print each finding on a line, and known ones together on one."""
        for finding in self.findings:
            print(finding)
        if self.known:
            print(f"{counted(len(self.known), 'finding')} known, accepted before.")


async def look_over(url: str, document_id: str | None = None) -> Looked:
    """Look a database over, or one document of it. Raises CoscribeError where there is none."""
    async with opened(url) as database:
        await check_schema(database, url)
        findings = await _readable(None, _of_whole(database))
        count, told_at = 0, time.monotonic()
        try:
            async for place in places(database):
                if document_id not in (None, place.document_id):
                    continue
                findings += await findings_of(database, place)
                count += 1
                if time.monotonic() - told_at >= PROGRESS_EVERY_S:
                    told_at = time.monotonic()
                    print(f"{counted(count, 'document')} verified so far", file=sys.stderr)
        except Unavailable as error:
            findings.append(Finding(None, f"its documents cannot be listed: {cause_of(error)}"))
        new, known = await _parted(database, findings)
    if document_id is not None and not count:
        raise CoscribeError(f"There is no document {document_id}.")
    return Looked(count, new, known)


async def _parted(database: Database, findings: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    try:
        return await parted_by_acceptance(database, findings)
    except Unavailable as error:
        unread = Finding(None, f"what was accepted cannot be read: {cause_of(error)}")
        return [*findings, unread], []


async def findings_of(database: Database, place: Place) -> list[Finding]:
    """What is wrong with one document, known or not."""
    return await _readable(place.document_id, _of_document(database, place))


async def _readable(document_id: str | None, looking: Awaitable[list[Finding]]) -> list[Finding]:
    """What was found; where not even looking is possible, that: all others are to be looked at, and to be backed up."""
    try:
        return await looking
    except Exception as error:  # noqa: BLE001 - a torn page or a time that is none; each driver has its own
        return [Finding(document_id, f"it cannot be read: {cause_of(error)}")]


async def _of_whole(database: Database) -> list[Finding]:
    return [finding async for finding in whole_findings(database)]


async def _of_document(database: Database, place: Place) -> list[Finding]:
    log = SqlUpdateLog(database, Quarantine(database, lambda _: None, copies=False))
    found = await document_findings(database, place.document_id)
    replayed = [Finding(place.document_id, reason) async for reason in replay_findings(log, place)]
    return found + [finding for finding in replayed if finding not in found]


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
