"""Writes the figures of docs/scaling.md, in half a minute:

    .venv/bin/python -m tests.bench.scaling [test-results/scaling.jsonl]

With the results of `python -m tests.bench instances` it takes the measured figures from them and writes the table of
instances; without, it plays the simulation with the figures that are kept in figures.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench.results import Results
from tests.bench.scaling import figures, instances_table, page
from tests.bench.scaling.scenes import play
from tests.bench.scaling.world import World


def main(*files: str) -> None:
    """Write the page."""
    known, blocks = figures.load(), dict[str, str]()
    if files:
        results = Results(Path(files[0]))
        known |= figures.measured(figures.rows_of(results))
        figures.save(known)
        blocks["instances"] = instances_table.table(results)
        instances_table.draw(results)
    blocks |= page.simulated(play(World(), known), known)
    page.PAPER.write_text(page.fill(page.PAPER.read_text("utf-8"), blocks), "utf-8")
    print(f"{page.PAPER} is written")


if __name__ == "__main__":
    main(*sys.argv[1:])
