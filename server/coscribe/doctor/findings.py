"""What a look at a server found: one line for each thing that was tried, and what to change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How something was found to be."""

    WELL = "ok"
    # It works, but less well than it could.
    WORSE = "warn"
    BROKEN = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried, what came of it, and what to change where it is not well."""

    verdict: Verdict
    what: str
    found: str
    change: str = ""

    def __str__(self) -> str:
        line = f"{self.verdict.value:4}  {self.what}: {self.found}"
        return f"{line}\n      {self.change}" if self.change else line


def well(what: str, found: str) -> Finding:
    """Nothing to change."""
    return Finding(Verdict.WELL, what, found)


def worse(what: str, found: str, change: str) -> Finding:
    """It works all the same."""
    return Finding(Verdict.WORSE, what, found, change)


def broken(what: str, found: str, change: str) -> Finding:
    """People will notice."""
    return Finding(Verdict.BROKEN, what, found, change)


def summary(findings: Iterable[Finding]) -> str:
    """How the server stands as a whole, in a sentence."""
    verdicts = [finding.verdict for finding in findings]
    failed, warned = verdicts.count(Verdict.BROKEN), verdicts.count(Verdict.WORSE)
    if failed:
        return f"{failed} of {len(verdicts)} checks failed."
    return f"It works; {warned} of {len(verdicts)} could be better." if warned else "All is well."
