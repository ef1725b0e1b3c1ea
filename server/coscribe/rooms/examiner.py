"""The examiner: looks over one large update after another for its server, on its standard input and output.

A job is a header and blobs, an answer too. Jobs come pickled, from the server; answers go back as JSON and bytes, so
that nothing which hostile bytes could make of this process is ever executed over there.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
from collections.abc import Sequence
from typing import IO, Any

from coscribe.core.examination import Examined, examine, examine_plan
from coscribe.errors import EditConflict, InvalidInput, Malformed, UpdateRefused

# Of address space: reading 16 MB of one-letter structs takes some 700 MB.
_MOST_MEMORY = 2 * 2**30
# Of processor time for one job: 16 MB of one text take half a second, 300,000 structs four.
_MOST_CPU_S = 10
_LENGTH_BYTES = 4


def main() -> None:
    """Answer jobs until the input ends."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = _MOST_MEMORY if hard == resource.RLIM_INFINITY else min(_MOST_MEMORY, hard)  # an operator's own limit stays
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while prefix := source.read(_LENGTH_BYTES):
        kind, more, sizes = pickle.loads(source.read(int.from_bytes(prefix)))  # noqa: S301 - from our own server
        blobs = [source.read(size) for size in sizes]
        _limit_processor()
        header, pieces = _answer(kind, more, blobs)
        _write(sink, header, pieces)


def _limit_processor() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + _MOST_CPU_S
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _answer(kind: str, more: Any, blobs: list[bytes]) -> tuple[dict[str, Any], Sequence[bytes]]:
    """What comes of one job. Anything but an error of ours ends the process, and with it the job."""
    try:
        if kind == "plan":
            plan, client_id = more
            found = examine_plan(blobs[0], plan, client_id)
        else:
            state, update = blobs
            found = examine(state, update, more)
    except (Malformed, UpdateRefused, InvalidInput, EditConflict) as error:
        return {"error": type(error).__name__, "reason": str(error), "more": vars(error)}, ()
    return _told(found), found.pieces


def _told(found: Examined) -> dict[str, Any]:
    return {
        "verdict": found.verdict.name,
        "fragments": found.fragments,
        "growth": found.growth,
        "clients": found.clients,
        "sizes": [len(piece) for piece in found.pieces],
    }


def _write(sink: IO[bytes], header: dict[str, Any], pieces: Sequence[bytes]) -> None:
    raw = json.dumps(header).encode()
    sink.write(len(raw).to_bytes(_LENGTH_BYTES) + raw + b"".join(pieces))
    sink.flush()


if __name__ == "__main__":
    main()
