"""The page, the dashboard and the alarms name what a server really measures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.support.server import CoscribeServer

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "watching.md").read_text("utf-8")
DASHBOARD = json.loads((DOCS / "grafana" / "coscribe.json").read_text("utf-8"))
RULES = yaml.safe_load((DOCS / "grafana" / "alarms.yaml").read_text("utf-8"))["groups"][0]["rules"]
ALARMS = {rule["alert"]: rule for rule in RULES}
# Not drawn: what a process has of addresses says nothing of a server's memory.
NOT_DRAWN = {"coscribe_process_virtual_memory_bytes"}
# What Prometheus itself adds to every series.
ITS_OWN = {"instance", "job"}

METRIC = re.compile(r"\b(coscribe_[a-z_]+)\b(?:\{([^}]*)\})?")
NAMED = re.compile(r"\b([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
GROUPED = re.compile(r"\b(?:by|on|group_left)\s*\(([^)]*)\)")

# By the name of a sample, the values of each of its labels.
Series = dict[str, dict[str, set[str]]]


@pytest.fixture(scope="module")
def series(server: CoscribeServer) -> Series:
    """What a server measures; `_created` is a time of the client library's."""
    found: Series = {}
    for family in text_string_to_metric_families(httpx.get(f"{server.url}/metrics").text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return {name: labels for name, labels in found.items() if not name.endswith("_created")}


def panels() -> Iterator[Mapping[str, Any]]:
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


DRAWN = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
RAISED = [(name, rule["expr"]) for name, rule in ALARMS.items()]


@pytest.mark.parametrize(("where", "expr"), [*DRAWN, *RAISED])
def test_an_expression_asks_for_what_is_measured(series: Series, where: str, expr: str) -> None:
    used = METRIC.findall(expr)
    assert used or expr == 'up{job="coscribe"} == 0', where
    for name, selector in used:
        assert name in series, where
        for label, value in NAMED.findall(selector):
            assert label in ITS_OWN | set(series[name]), where
            if label in series[name]:
                assert set(value.split("|")) <= series[name][label], where
    common = ITS_OWN.union(*(set(series[name]) for name, _ in used)) if used else ITS_OWN
    grouped = {label.strip() for labels in GROUPED.findall(expr) for label in labels.split(",") if label.strip()}
    assert grouped <= common, where


def test_everything_that_is_measured_is_drawn_or_left_out_on_purpose(series: Series) -> None:
    drawn = {name for _, expr in DRAWN for name, _ in METRIC.findall(expr)}
    families = {family(name) for name in series}
    assert families - {family(name) for name in drawn} == NOT_DRAWN


def family(sample: str) -> str:
    """The metric that a sample is of: a histogram has three kinds of them."""
    return re.sub(r"_(bucket|sum|count)$", "", sample)


def test_every_panel_asks_the_chosen_source_and_server() -> None:
    chosen = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert chosen == ["datasource", "instance"]
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            selectors = [selector for _, selector in METRIC.findall(target["expr"])]
            assert all('instance=~"$instance"' in selector for selector in selectors), panel["title"]


def test_the_panels_stand_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_page_has_every_metric_with_its_labels(series: Series) -> None:
    table = PAGE[PAGE.index("<!-- metrics") : PAGE.index("<!-- /metrics -->")]
    named = {
        name: {label.strip() for label in labels.split(",") if label.strip()}
        for row in table.splitlines()
        for name, labels in re.findall(
            r"`(coscribe_[a-z_]+)(?:\{([a-z_, ]*)\})?`", row.split("|")[1] if "|" in row else ""
        )
    }
    measured = {
        family(name): set(labels) - {"le"}
        for name, labels in series.items()
        if not name.startswith("coscribe_process_")
    }
    assert named == measured


def test_the_page_says_of_every_alarm_what_to_do() -> None:
    rows = [
        row.split("|")
        for row in PAGE[PAGE.index("## Alarms") : PAGE.index("## Traces")].splitlines()
        if row.startswith("| `")
    ]
    assert [row[1].strip(" `") for row in rows] == list(ALARMS)
    assert all(len(cell.strip()) > 20 for row in rows for cell in row[2:4])


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_how_bad_it_is_and_where(name: str) -> None:
    rule = ALARMS[name]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert "{{ $labels.instance }}" in rule["annotations"]["summary"]
