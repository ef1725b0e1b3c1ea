"""`coscribe bench transports`: one small run of all, what its figures have to be like, and what its page says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from coscribe.bench.captures import readable
from coscribe.bench.figures import TRANSPORTS
from coscribe.bench.machine import usage
from coscribe.bench.relay import Said

_KEYS, _READERS, _WRITERS = 5, 10, 3


def test_a_small_run_measures_what_it_says(tmp_path: Path) -> None:
    # One test for all of it: the run takes its time, and workers share no fixtures.
    # What is set for the server of this machine is none of its business.
    environment = {**os.environ, "COSCRIBE_DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:9/nothing"}
    done = subprocess.run(
        [
            sys.executable, "-m", "coscribe", "bench", "transports", "--short", "--seconds", "1",
            "--docs", str(tmp_path), "--results", str(tmp_path / "results.jsonl"),
        ],
        capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(name in done.stdout for name, _ in TRANSPORTS.values())
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    every_letter_has_reached_everybody_once(rows)
    who_asks_by_the_clock_has_waited_by_it(rows)
    what_has_heads_has_taken_more(rows)
    what_the_server_took_is_that_of_its_process(rows)
    page = (tmp_path / "transports.md").read_text("utf-8")
    the_page_has_a_row_of_every_transport_and_its_drawings(page, tmp_path)
    the_page_shows_what_went_over_the_wire(page)


def of(rows: list[dict[str, Any]], readers: int, what: str = "measured") -> dict[str, dict[str, Any]]:
    """The figures of each transport with so many readers."""
    found = {row["transport"]: row for row in rows if (row["what"], row["readers"]) == (what, readers)}
    assert list(found) == list(TRANSPORTS)
    return found


def every_letter_has_reached_everybody_once(rows: list[dict[str, Any]]) -> None:
    for readers, deliveries in ((1, _KEYS), (_READERS, _KEYS * _READERS), (0, _KEYS * _WRITERS * (_WRITERS - 1))):
        for row in of(rows, readers).values():
            assert (row["delivered"], row["lost"], row["doubled"]) == (deliveries, 0, 0), row
    assert all(row["lost"] == 0 for row in of(rows, _READERS, "held").values())


def who_asks_by_the_clock_has_waited_by_it(rows: list[dict[str, Any]]) -> None:
    found = of(rows, _READERS)
    assert 1000 < found["poll-5s"]["p50_ms"] < found["poll-5s"]["p99_ms"] < 6000
    assert 200 < found["poll-1s"]["p50_ms"] < 1000
    for transport in ("socket", "stream", "long-poll"):
        assert 0 < found[transport]["p50_ms"] < 200
        assert found[transport]["p50_ms"] <= found[transport]["p95_ms"] <= found[transport]["p99_ms"]
    back = of(rows, _READERS, "held")
    assert back["poll-5s"]["recovery_p50_ms"] > 1000
    assert back["socket"]["recovery_p50_ms"] < back["poll-1s"]["recovery_worst_ms"] < 3000


def what_has_heads_has_taken_more(rows: list[dict[str, Any]]) -> None:
    found = of(rows, _READERS)
    taken = {transport: row["bytes_per_character"] for transport, row in found.items()}
    # An update of one letter has some 20 bytes, and 2 of a WebSocket's frame; base64 and an event's fields are more.
    assert 15 < taken["socket"] < 40 < taken["stream"] < 100
    # Heads of HTTP in both directions, and nobody gets through with less of them than so many.
    assert 300 < taken["long-poll"] < 3000
    assert taken["socket"] < taken["poll-1s"]
    asked = {transport: row["requests_per_minute"] for transport, row in found.items()}
    assert asked["socket"] == asked["stream"] == 0
    assert asked["poll-5s"] < asked["poll-1s"] < asked["long-poll"]
    writing = of(rows, 0)
    assert writing["socket"]["bytes_per_character"] < writing["stream"]["bytes_per_character"]
    assert writing["stream"]["requests_per_minute"] > 0


def what_the_server_took_is_that_of_its_process(rows: list[dict[str, Any]]) -> None:
    one, ten = of(rows, 1), of(rows, _READERS)
    for transport in TRANSPORTS:
        # More than no work, and less than the whole core for the time that it took.
        for row in (one[transport], ten[transport]):
            assert 1 < row["cpu_us_per_character"] < row["seconds"] * 1e6 / row["delivered"]
        # What a letter costs once is shared by those who read it.
        assert ten[transport]["cpu_us_per_character"] < one[transport]["cpu_us_per_character"]
    assert all(0 < row["first_text_ms"] < 5000 for row in (*one.values(), *ten.values()))


def the_page_has_a_row_of_every_transport_and_its_drawings(page: str, folder: Path) -> None:
    assert "No letter was lost, and none was there twice." in page
    for name, _ in TRANSPORTS.values():
        assert len(re.findall(rf"(?m)^\| {re.escape(name)} \| [^|]+ \| [\d.,]+ / [\d.,]+ / [\d.,]+ \|", page)) == 3
    drawings = re.findall(r"!\[(.+)\]\((transports/\w+\.svg)\)", page)
    assert len(drawings) == 4
    for title, file in drawings:
        svg = ElementTree.parse(folder / file)
        assert svg.findtext("{http://www.w3.org/2000/svg}title") == title
    assert "{" not in re.sub(r'\{"session":"SESSION"\}|\{id\}', "", page)


def the_page_shows_what_went_over_the_wire(page: str) -> None:
    socket, stream, poll, polling = page.partition("## What they say")[2].split("\n### ")[1:]
    assert "HTTP/1.1 101 Switching Protocols" in socket
    assert re.search(r"00 02 .*an update, \d+ bytes and 2 of its head\n", socket)
    assert "of its head, masked" in socket
    assert "content-type: text/event-stream" in stream
    assert re.search(r"event: frame\nid: 0\.\d+\ndata: \S+\n +\(00 02 .*an update", stream)
    assert re.search(r"GET /poll/DOCUMENT\?session=SESSION\.\d+&wait=25 HTTP/1\.1", poll)
    assert re.search(r"00 02 .*an update", poll)
    assert "if-none-match: " in polling
    for told in (socket, stream, poll, polling):
        assert not re.search(r"(?<![\w/+=-])[A-Za-z0-9]{22}(?![\w/+=-])", told), "an id"


def test_work_is_told_in_less_than_the_ticks_of_the_system() -> None:
    before = usage(os.getpid()).cpu_s
    while (now := usage(os.getpid()).cpu_s) == before:
        pass
    assert now - before < 1 / os.sysconf("SC_CLK_TCK")


def test_what_signs_somebody_in_is_not_shown() -> None:
    said = [
        Said(1, True, bytearray(
            b"POST /frames/dddddddddddddddddddddd?session=ssssssssssssssssssssss&n=1 HTTP/1.1\r\nCookie: a=secret\r\n"
            b"authorization: Bearer secret\r\nContent-Length: 0\r\n\r\n"
        )),
        Said(1, False, bytearray(
            b'HTTP/1.1 200 OK\r\nSet-Cookie: a=secret; Path=/\r\nContent-Length: 36\r\n\r\n'
            b'{"session":"tttttttttttttttttttttt"}'
        )),
    ]  # fmt: skip
    told = "\n".join(text for _, text in readable(said, "d" * 22))
    assert "secret" not in told
    assert "POST /frames/DOCUMENT?session=SESSION&n=1 HTTP/1.1\nCookie: …\nauthorization: …\n" in told
    assert '{"session":"SESSION"}' in told
