"""What was measured, a JSON line each: scenario, server, round and figures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `error` says why there are no figures."""

    scenario: str
    server: str
    round: int
    figures: dict[str, Any]
    error: str | None = None


class Results:
    """The lines of a file, old and new. `abouts` is what each run said of itself: machine, date, versions, command."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._old = 0
        self.abouts: list[dict[str, Any]] = []
        self.rows: list[Row] = []
        for line in file.read_text("utf-8").splitlines() if file.exists() else []:
            found = json.loads(line)
            if "about" in found:
                self.abouts.append(found["about"])
            else:
                self.rows.append(Row(**found))

    def begin(self, about: dict[str, Any]) -> None:
        """Say what the lines from here on are of."""
        self.abouts.append(about)
        self._old = len(self.rows)
        self._write({"about": about})

    def add(self, row: Row) -> None:
        """Keep a line."""
        self.rows.append(row)
        self._write(asdict(row))

    def newest(self, scenario: str, server: str) -> Row | None:
        """The last line with figures of a scenario on a server since the run began."""
        found = [row for row in self.rows[self._old :] if (row.scenario, row.server) == (scenario, server)]
        return next((row for row in reversed(found) if row.error is None), None)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
