"""Damage that an operator knows of and cannot mend: told as known from then on, so that new damage stands out."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from coscribe.storage.engine import Database, insert_into
from coscribe.storage.quarantine import clean_reason
from coscribe.storage.readable import Clock, utc_now
from coscribe.storage.tables import accepted
from coscribe.storage.verify import Finding


async def accept(database: Database, findings: Iterable[Finding], *, now: Clock = utc_now) -> None:
    """Record findings of documents as known; what concerns the database as a whole cannot be accepted."""
    rows = [
        {"document_id": finding.document_id, "reason": clean_reason(finding.reason), "at": now()}
        for finding in findings
        if finding.document_id is not None
    ]
    if rows:
        async with database.write() as connection:
            await connection.execute(insert_into(connection, accepted).on_conflict_do_nothing(), rows)


async def parted_by_acceptance(database: Database, findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """The findings that are new, and those that were accepted."""
    async with database.read() as connection:
        rows = await connection.execute(select(accepted.c.document_id, accepted.c.reason))
        known = {(row.document_id, row.reason) for row in rows}
    new, old = list[Finding](), list[Finding]()
    for finding in findings:
        (old if (finding.document_id, clean_reason(finding.reason)) in known else new).append(finding)
    return new, old
