"""Runs every proof in full and writes docs/reliability.md and docs/autobahn.md: `make torture`."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.torture import autobahn, report

TOP = autobahn.TOP
_KEPT = TOP / "test-results"
_PROOFS = _KEPT / "proofs.jsonl"
# Half an hour of people who come and go takes a quarter of a core: it runs beside those that measure no time.
_SOAK = "tests/torture/test_soak.py"
_PYTEST = [sys.executable, "-m", "pytest", "-q", "-rs", "-m"]


def main() -> int:
    """0 when every proof held; what did not is told."""
    _KEPT.mkdir(exist_ok=True)
    _PROOFS.unlink(missing_ok=True)
    began = time.monotonic()
    environment = os.environ | {"COSCRIBE_PROOFS": str(_PROOFS)}
    log = _KEPT / "soak.log"
    with log.open("w") as output:
        soak = subprocess.Popen([*_PYTEST, "proof", _SOAK], cwd=TOP, env=environment, stdout=output, stderr=output)
        others = [*_PYTEST, "proof and not alone", "-n", "2", "--dist", "worksteal", f"--ignore={_SOAK}", "tests"]
        statuses = [subprocess.run(others, cwd=TOP, env=environment, check=False).returncode, soak.wait()]
    print(log.read_text())
    alone = [*_PYTEST, "proof and alone", "tests"]
    statuses.append(subprocess.run(alone, cwd=TOP, env=environment, check=False).returncode)
    statuses.append(_autobahn())
    statuses.append(report.main(str(_PROOFS), str(time.monotonic() - began)))
    return max(map(abs, statuses))


def _autobahn() -> int:
    if autobahn.python2() is None:
        print("There is no Python 2.7 for Autobahn's test suite: docs/autobahn.md stays as it was.")
        return 0
    return autobahn.main()


if __name__ == "__main__":
    sys.exit(main())
