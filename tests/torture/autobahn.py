"""Runs Autobahn's test suite against the WebSocket carrier and writes docs/autobahn.md: `make autobahn`.

The suite runs on Python 2.7 only; PYTHON2 names it where it is not found by itself. It wants a server that sends back
what it hears, so tests/support/echo.py stands in for our address, on the same handshake and line with the same limits.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]
PAPER = TOP / "docs" / "autobahn.md"
_LOCK = TOP / "requirements-autobahn.txt"
_WITHIN_S = 600.0

# Compression is off: it would cost memory for every socket (300 KB each way) and frames are small.
_NOT_ASKED = ("12.*", "13.*")
_GOOD = ("OK", "INFORMATIONAL")
_LATE = "broken UTF-8 is refused when its message is complete, not at the byte that breaks it"
# What may be other than "OK", and why; anything else fails the run.
REASONS: Mapping[str, str] = {
    **dict.fromkeys(("6.4.1", "6.4.2", "6.4.3", "6.4.4"), _LATE),
}
_PARTS = {
    1: "Framing", 2: "Pings and pongs", 3: "Reserved bits", 4: "Opcodes", 5: "Fragmentation", 6: "UTF-8",
    7: "Closing", 9: "Limits and sizes up to 16 MB", 10: "Cutting up",
}  # fmt: skip

_PAGE = """# The WebSocket carrier and RFC 6455

Autobahn's test suite, the usual judge of WebSocket servers, against the carrier of Coscribe: the same handshake, line
and limits as at `/ws`, with a room that sends back what it hears, texts too. `make autobahn` runs it again and writes
this page; it needs Python 2.7 (`PYTHON2=` names one). Our own cases against the real address are in
`tests/torture/test_handshakes.py` and `tests/torture/test_frames.py`.

Run on {date} with autobahntestsuite {suite}, websockets {websockets}, uvicorn {uvicorn}.

**{good} of {cases} cases end as the suite wants**; the other {others} are below with their reason. The parts 12 and 13
are about compression, which is switched off.

| Part | Cases | OK | Informational | Others |
| --- | --- | --- | --- | --- |
{parts}

| Case | The suite says | Why |
| --- | --- | --- |
{reasons}
"""

Outcomes = Mapping[str, Mapping[str, Any]]


def main() -> int:
    """Run the suite and write the page; 1 when a case went another way than it may, 2 without Python 2.7."""
    python = python2()
    if python is None:
        print("Autobahn's test suite needs Python 2.7: name one with PYTHON2=.", file=sys.stderr)
        return 2
    try:
        outcomes = _run(python, _installed(python))
    except subprocess.TimeoutExpired:
        print(f"Autobahn's test suite has not come to its end in {_WITHIN_S:.0f} s.", file=sys.stderr)
        return 1
    unexpected = unexplained(outcomes)
    for case in unexpected:
        print(f"case {case}: {outcomes[case]}", file=sys.stderr)
    if not unexpected:
        PAPER.write_text(page(outcomes), "utf-8")
    return 1 if unexpected else 0


def python2() -> str | None:
    """A Python 2.7 with pip: the one that PYTHON2 names, that of the path, or one of pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    named = [os.environ.get("PYTHON2"), shutil.which("python2.7")]
    for candidate in [*named, *map(str, sorted(root.glob("versions/2.7*/bin/python2.7")))]:
        if candidate and _succeeds([candidate, "-m", "pip", "--version"]):
            return candidate
    return None


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def unexplained(outcomes: Outcomes) -> list[str]:
    """The cases that went another way than they may."""
    return [case for case, outcome in outcomes.items() if outcome["behavior"] not in _GOOD and case not in REASONS]


def page(outcomes: Outcomes) -> str:
    """docs/autobahn.md."""
    good = sum(outcome["behavior"] in _GOOD for outcome in outcomes.values())
    other = [case for case, outcome in outcomes.items() if outcome["behavior"] not in _GOOD]
    return _PAGE.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        suite=_pin("autobahntestsuite"),
        websockets=version("websockets"),
        uvicorn=version("uvicorn"),
        good=good,
        cases=len(outcomes),
        others=len(other),
        parts="\n".join(_rows(outcomes)),
        reasons="\n".join(
            f"| {case} | {outcomes[case]['behavior'].lower()} | {REASONS.get(case, '')} |" for case in other
        ),
    )


def _rows(outcomes: Outcomes) -> Iterator[str]:
    for number, name in _PARTS.items():
        told = Counter(outcome["behavior"] for case, outcome in outcomes.items() if case.startswith(f"{number}."))
        others = told.total() - told["OK"] - told["INFORMATIONAL"]
        yield f"| {number} {name} | {told.total()} | {told['OK']} | {told['INFORMATIONAL']} | {others} |"


def _pin(name: str) -> str:
    pins = (line.partition("==") for line in _LOCK.read_text("utf-8").splitlines())
    return next(rest.split()[0] for found, _, rest in pins if found == name)


def _installed(python: str) -> Path:
    """The folder with the suite, installed when the lock file asks for another."""
    folder = TOP / ".venv" / f"autobahn-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        made = folder.with_suffix(".part")
        shutil.rmtree(made, ignore_errors=True)
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", str(made)]
        environment = os.environ | {"PIP_REQUIRE_VIRTUALENV": "0"}  # the Makefile asks for one
        subprocess.run([python, *install, "-r", str(_LOCK)], env=environment, stdout=sys.stderr, check=True)
        made.rename(folder)
    return folder


@contextmanager
def echo() -> Iterator[str]:
    """The address of a running echo."""
    command = [sys.executable, "-m", "tests.support.echo"]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.send_signal(signal.SIGTERM)


def _run(python: str, suite: Path) -> Outcomes:
    """The outcome of every case by its number."""
    with tempfile.TemporaryDirectory() as folder, echo() as url:
        spec = Path(folder, "spec.json")
        server = {"agent": "Coscribe", "url": url, "options": {"version": 18}}
        asked = {"cases": ["*"], "exclude-cases": _NOT_ASKED, "exclude-agent-cases": {}}
        spec.write_text(json.dumps({"outdir": folder, "servers": [server], **asked}))
        code = (
            f"import site, sys; site.addsitedir({str(suite)!r})\n"
            "sys.argv[1:] = ['-m', 'fuzzingclient', '-s', 'spec.json']\n"
            "from autobahntestsuite.wstest import run; run()"
        )
        subprocess.run([python, "-c", code], cwd=folder, stdout=subprocess.DEVNULL, timeout=_WITHIN_S, check=True)
        outcomes: Outcomes = json.loads(Path(folder, "index.json").read_text())["Coscribe"]
    return dict(sorted(outcomes.items(), key=lambda found: [int(part) for part in found[0].split(".")]))


if __name__ == "__main__":
    sys.exit(main())
