"""docs/transports.md: what each transport is for, with the figures and the bytes of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill

from coscribe.bench.captures import readable
from coscribe.bench.drawing import bars, lines, shown
from coscribe.bench.figures import KEYS_PER_S, TRANSPORTS, Held, Measured
from coscribe.bench.relay import Said
from coscribe.bench.transports_words import HANDSHAKES, PAGE, overview

_FOLDER = "transports"
_WIDTH = 120
_HEADINGS = (
    "", "people", "p50 / p95 / p99, ms", "bytes a letter", "requests a minute", "connections a minute", "core, µs",
    "first text, ms",
)  # fmt: skip
_HELD_HEADINGS = ("", "memory each, KiB", "back after, ms: median", "the last of them, ms")


def write(
    folder: Path,
    found: Sequence[Measured | Held],
    captures: Mapping[str, tuple[Sequence[Said], str]],
    about: Mapping[str, str],
) -> None:
    """Write the page and its drawings into a folder of documents. `about` has date, machine and command."""
    measured = [one for one in found if isinstance(one, Measured)]
    held = [one for one in found if isinstance(one, Held)]
    (folder / _FOLDER).mkdir(parents=True, exist_ok=True)
    page = PAGE.format(
        **about,
        keys=KEYS_PER_S,
        shapes=_shapes(measured),
        overview=overview(),
        table="\n".join(_rows(_HEADINGS, map(_cells, measured))),
        held_table="\n".join(_rows(_HELD_HEADINGS, map(_held_cells, held))),
        held=held[0].readers,
        cut=f"{held[0].cut_s:g}",
        busiest=f"{max(one.clients_share for one in measured):.0%}",
        others=f"{max(one.others_share for one in measured):.0%}",
        lost=_lost(found),
        compared=_compared(measured),
        drawings="\n\n".join(_drawings(folder, measured)),
        captures="\n".join(_captures(captures)),
    )
    (folder / "transports.md").write_text(page, "utf-8")


def _name(one: Measured | Held) -> str:
    return TRANSPORTS[one.transport][0]


def _people(one: Measured) -> str:
    if not one.readers:
        return f"{one.writers} write"
    return f"1 writes, {one.readers} {'reads' if one.readers == 1 else 'read'}"


def _shapes(measured: Sequence[Measured]) -> str:
    readers = sorted({one.readers for one in measured if one.readers})
    writers = max(one.writers for one in measured)
    told = ", ".join(map(str, readers[:-1])) + f" or {readers[-1]}"
    return f"one person types {KEYS_PER_S} letters a second and {told} read, or {writers} people write together"


def _rows(headings: Sequence[str], cells: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for row in cells:
        yield f"| {' | '.join(row)} |"


def _cells(one: Measured) -> Sequence[str]:
    return (
        _name(one), _people(one), " / ".join(map(shown, (one.p50_ms, one.p95_ms, one.p99_ms))),
        shown(one.bytes_per_character), shown(one.requests_per_minute), shown(one.connections_per_minute),
        shown(one.cpu_us_per_character), shown(one.first_text_ms),
    )  # fmt: skip


def _held_cells(one: Held) -> Sequence[str]:
    return _name(one), shown(one.bytes_each / 1024), shown(one.recovery_p50_ms), shown(one.recovery_worst_ms)


def _lost(found: Sequence[Measured | Held]) -> str:
    lost = sum(one.lost for one in found)
    doubled = sum(one.doubled for one in found if isinstance(one, Measured))
    if lost or doubled:
        return f"**{lost} letters were lost and {doubled} were there twice.**"
    return "No letter was lost, and none was there twice."


def _middle(measured: Sequence[Measured]) -> list[Measured]:
    """Those with the second smallest number of readers, by which drawings and sentences compare."""
    readers = sorted({one.readers for one in measured if one.readers})[1]
    return [one for one in measured if one.readers == readers]


def _compared(measured: Sequence[Measured]) -> str:
    """Each transport against the first, in a sentence."""
    first, *others = _middle(measured)
    told = [
        f"{_name(one)}: {shown(one.bytes_per_character / first.bytes_per_character)} times the bytes, "
        f"{shown(one.cpu_us_per_character / first.cpu_us_per_character)} times the core, "
        f"{shown(one.p50_ms / first.p50_ms)} times the wait"
        for one in others
    ]
    return f"Beside a {_name(first)}, with {first.readers} readers:\n\n" + "\n".join(f"- {line}" for line in told)


def _drawings(folder: Path, measured: Sequence[Measured]) -> Iterator[str]:
    readers = _middle(measured)[0].readers
    drawn: dict[str, tuple[str, Callable[[Measured], float]]] = {
        "bytes": (f"Bytes for each letter that reached one of {readers} readers", lambda one: one.bytes_per_character),
        "requests": (f"Requests a minute of each of {readers} readers", lambda one: one.requests_per_minute),
    }
    for name, (title, figure) in drawn.items():
        values = {_name(one): [figure(one)] for one in _middle(measured)}
        yield _kept(folder, name, bars(title, values), title)
    curves: dict[str, tuple[str, Callable[[Measured], float]]] = {
        "latency": ("From the key to the readers, median, ms", lambda one: one.p50_ms),
        "core": ("The server's core for each letter that reaches a reader, µs", lambda one: one.cpu_us_per_character),
    }
    for name, (title, figure) in curves.items():
        series = {
            shown_name: [(one.readers, figure(one)) for one in measured if one.readers and one.transport == transport]
            for transport, (shown_name, _) in TRANSPORTS.items()
        }
        yield _kept(folder, name, lines(title, "readers", series), title)


def _kept(folder: Path, name: str, drawing: str, title: str) -> str:
    (folder / _FOLDER / f"{name}.svg").write_text(drawing, "utf-8")
    return f"![{title}]({_FOLDER}/{name}.svg)"


def _captures(captures: Mapping[str, tuple[Sequence[Said], str]]) -> Iterator[str]:
    """Those transports that have words of their own: one that only asks less often looks the same."""
    for transport, words in HANDSHAKES.items():
        said, document_id = captures[transport]
        yield f"### {words[0]}\n\n{fill(words[1], _WIDTH)}\n"
        for who, text in readable(said, document_id):
            yield f"{who}:\n\n```http\n{text}\n```\n"
