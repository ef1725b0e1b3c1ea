"""docs/reliability.md: what is written of a run, what makes a run fail, and that it names the proofs of the tree."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.support.promises import Promise, promises
from tests.torture.report import PAPER, Told, failures, page, read

_TEST = "tests/torture/test_kill.py::test_kill"
KILL = Promise("Nothing is lost", "F1 F9", "kill -9 | again", _TEST)
UNSYNCED = Promise("A missing fsync is found", "F2 mutation", "no fsync", "tests/torture/test_power.py::test_power")


def line(test: str = _TEST, *, passed: bool = True, rounds: int = 200) -> str:
    told = {"test": test, "rounds": rounds, "figures": {"acked_words": 12345}, "passed": passed, "seconds": 1.5}
    return json.dumps(told)


def test_a_proof_is_a_line_with_its_figures() -> None:
    paper = page([KILL, UNSYNCED], read([line(), line(UNSYNCED.test, rounds=1)]), 125)
    promised, _, mutations = paper.partition("## Can these proofs fail?")
    assert "| Nothing is lost | kill -9 / again | F1 F9 | 200 | held: acked words 12,345 |" in promised
    assert "| A missing fsync is found | no fsync | F2 mutation | 1 | held: acked words 12,345 |" in mutations
    assert "took 2 minutes" in paper


def test_each_parameter_of_a_proof_is_a_line() -> None:
    paper = page([KILL], read([line(f"{_TEST}[sqlite]"), line(f"{_TEST}[postgres]")]), 1)
    assert paper.index("Nothing is lost (sqlite)") < paper.index("Nothing is lost (postgres)")


def test_of_two_runs_the_last_one_counts() -> None:
    assert read([line(passed=False), line()]) == [Told(_TEST, "", 200, {"acked_words": 12345}, True)]


def test_the_paper_says_what_failed_and_what_was_not_run() -> None:
    paper = page([KILL, UNSYNCED], read([line(passed=False)]), 125)
    assert "| Nothing is lost | kill -9 / again | F1 F9 | 200 | **FAILED**: acked words 12,345 |" in paper
    assert "| A missing fsync is found | no fsync | F2 mutation | 0 | not run |" in paper


def test_what_failed_or_told_nothing_is_named() -> None:
    assert failures([KILL], read([line()])) == []
    assert failures([KILL, UNSYNCED], read([line(passed=False)])) == [
        f"{UNSYNCED.test} told nothing",
        f"{_TEST} failed",
    ]


def test_proofs_are_found_in_the_source_in_the_order_of_their_faults(tmp_path: Path) -> None:
    def written(name: str, faults: str) -> str:
        return f'@pytest.mark.proof(promise="It holds", faults={faults!r}, how="so")\nasync def {name}(): ...\n'

    (tmp_path / "test_it.py").write_text(written("test_late", "fuzz") + written("test_tenth", "F10") + "x = 1\n")
    (tmp_path / "test_more.py").write_text(written("test_second", "F25 F2"))
    found = [promise.test.rpartition(":")[2] for promise in promises(tmp_path)]
    assert found == ["test_second", "test_tenth", "test_late"]


def test_a_marker_that_says_too_little_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text('@pytest.mark.proof(promise="It holds")\ndef test_it(): ...\n')
    with pytest.raises(ValueError, match="test_it wants promise, faults and how"):
        promises(tmp_path)


def test_the_paper_names_the_proofs_of_the_tree() -> None:
    """After a change of proofs `make torture` writes it anew."""
    rows = [row.strip("| ").split(" | ") for row in PAPER.read_text("utf-8").splitlines() if row.startswith("|")]
    named = {tuple(cells[:3]) for cells in rows if cells[0] not in ("Promise", "What is shown", "---")}
    known = {(promise.promise, promise.how.replace("|", "/"), promise.faults) for promise in promises()}
    assert {(re.sub(r" \([^()]*\)$", "", what), how, faults) for what, how, faults in named} == known
