"""What other servers have stored of a document, taken into the live one behind what was accepted here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coscribe.core.following import Commit, Stretch
from coscribe.core.forks import check_same, repeated, stored_since
from coscribe.core.intake import Accepted, Intake
from coscribe.core.replica import EngineFailed, Verdict
from coscribe.core.update import Scan
from coscribe.errors import UpdateRefused
from coscribe.model import Entry, Principal


class Told(NamedTuple):
    """An entry that somebody else stored, scanned; `author` is who its principal is now."""

    entry: Entry
    scan: Scan
    author: Principal


def strangers(told: Sequence[Told], intake: Intake) -> set[int]:
    """The client ids that belong to somebody else than who brought them, as far as is known here."""
    return {
        span.client
        for one in told
        for span in one.scan.structs
        if intake.ownership.of(span.client) != one.entry.principal_id
    }


def follow(told: Sequence[Told], intake: Intake) -> tuple[list[Accepted], list[Commit]]:
    """Apply entries that stand right behind the head in one transaction; what was accepted is applied.

    Gives those that were new here, for delivery, and what became readable. Raises EngineFailed where this replica
    cannot follow, and another is to be made from the log: something is missing, or what is unsaved here says something
    else for the same clocks. The log was first, and whoever is not acked brings his again (rule D10).
    """
    was_settled = intake.is_settled
    clocks = {} if was_settled else dict(intake.replica.clocks)
    new: list[Accepted] = []
    for one in told:
        verdict = intake.replica.judge(one.scan)
        if verdict is Verdict.GAP:
            raise EngineFailed("an entry of the log builds on what is not here")
        _compare(one, clocks, intake)
        if verdict is Verdict.NEW:
            new.append(intake.admit_stored(one.entry, one.scan, one.author))
    delta = intake.replica.apply([item.update for item in new]) if new else []
    authors = tuple({one.author.id: one.author for one in told}.values())
    stretch = Stretch(told[-1].entry.seq, [one.entry for one in told], authors, delta)
    return new, intake.following.others(stretch, is_apart=not was_settled)


def _compare(one: Told, clocks: dict[int, int], intake: Intake) -> None:
    """Raises EngineFailed where an entry says something else than what stands here and may be unsaved."""
    first = repeated(one.scan, clocks)
    if not first:
        return
    try:
        check_same(one.entry.payload, first, stored_since(intake.replica, first))
    except UpdateRefused as refusal:
        raise EngineFailed(str(refusal)) from refusal
