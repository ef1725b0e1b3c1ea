"""The benchmark's own parts: how a capacity is searched, what a page and its drawings say, and one small run of all."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.bench import __main__ as bench
from tests.bench import report
from tests.bench.generator import Generator
from tests.bench.instances import Instances
from tests.bench.metrics import METRICS, spread
from tests.bench.results import Results, Row
from tests.bench.scenarios.capacity import Search

from coscribe.bench.drawing import bars, lines


@pytest.mark.parametrize(("capacity", "first"), [(3.0, 1.0), (700.0, 5.0), (40.0, 100.0)])
def test_a_search_ends_within_a_twentieth_below_the_capacity(capacity: float, first: float) -> None:
    search = Search(first)
    while (rate := search.next()) is not None:
        search.note(rate, is_good=rate <= capacity)
    assert search.good is not None
    assert 0.9 * capacity < search.good <= capacity


def test_a_search_goes_no_further_than_what_one_person_may_type() -> None:
    search, tried = Search(10.0, most=200.0), list[float]()
    while (rate := search.next()) is not None:
        tried.append(rate)
        search.note(rate, is_good=True)
    assert tried[-1] == search.good == 200.0
    assert sorted(tried) == tried
    search = Search(10.0, most=200.0)
    while (rate := search.next()) is not None:
        search.note(rate, is_good=rate < 190)
    assert search.good is not None
    assert 0.9 * 190 < search.good < 190


def test_a_server_that_bears_nothing_is_let_go() -> None:
    search = Search(10)
    while (rate := search.next()) is not None:
        search.note(rate, is_good=False)
    assert search.good is None


def test_drawings_are_xml_with_their_title() -> None:
    drawn = [
        bars("Bars & more", {"one": [2, 1, 3], "two": [], "three": [0]}),
        lines("Lines <1", "people", {"one": [(1, 0.5), (1000, 70)], "two": []}),
        lines("Minutes", "minutes", {"one": [(0.5, 3), (10, 4)]}, is_log=False),
    ]
    titles = [ElementTree.fromstring(svg).findtext("{http://www.w3.org/2000/svg}title") for svg in drawn]
    assert titles == ["Bars & more", "Lines <1", "Minutes"]


def test_a_cell_has_the_median_and_how_far_it_was_apart() -> None:
    assert spread([3, 1, 2_500_000], "/s") == "3/s (1–2.5 M)"
    assert spread([4]) == "4"


def test_who_could_not_be_measured_is_named_with_the_reason(tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl")
    results.begin({"date": "", "machine": "", "software": "", "commit": "", "command": ""})
    results.add(Row("latency", "ours", 1, {"p50": 1.0, "p99": 50.0, "cpu_share": 0.05}))
    results.add(Row("latency", "hocus", 1, {}, "it is not installed"))
    page = report.page(Results(tmp_path / "results.jsonl"))
    assert "- Hocuspocus, in memory: latency: it is not installed" in page
    assert "| Key to the others, 99th percentile | at most 2.5 ms | **50 ms** |" in page


@pytest.mark.node
def test_the_generator_counts_as_yjs_does() -> None:
    check = Path(__file__).parent / "load" / "check.mjs"
    done = subprocess.run(["node", str(check)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.node
def test_a_small_run_measures_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    bench.main(["latency", "--small", "--out", str(file)])
    [row] = Results(file).rows
    assert row.error is None
    assert row.figures["lost"] == 0
    assert row.figures["p50"] > 0
    assert all(metric.values([row], "ours") for metric in METRICS if metric.scenario == "latency")
    assert "machine" in json.loads(file.read_text().splitlines()[0])["about"]


@pytest.mark.node
@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.parametrize("is_spread", [False, True])
def test_people_of_a_document_meet_at_one_instance_or_go_round_all(is_spread: bool) -> None:
    with Instances(2, {}, is_spread=is_spread) as fleet, Generator() as generator:
        names = fleet.documents(4)
        before = fleet.counted(generator.pid)
        how = {"url": fleet.url, "dialect": fleet.dialect, "ways": fleet.ways(names)}
        generator.ask("gather", **how, documents=names, people=4, typists=2)
        typed = generator.ask("type", rate=5, seconds=1)
        counted = fleet.counted(generator.pid).since(before)
    assert not fleet.folder.exists()
    assert typed["lost"] == 0
    assert typed["delivered"] == 4 * 2 * 3 * 5
    # Of the three others of a typist two are at the other instance.
    assert typed["across"]["count"] == (2 * typed["delivered"] / 3 if is_spread else 0)
    assert all(counted["cores"][name] > 0 for name in ("server 1", "server 2", "postgres", "redis"))
    assert counted["publishes_per_s"] > 0
