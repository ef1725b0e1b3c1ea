"""docs/scaling.md: what of it is written by the command, between markers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.bench.packages import TOP
from tests.bench.scaling.figures import Figure
from tests.bench.scaling.scenes import FAILOVER_S, MINUTES_EACH, PAUSES, Played

from coscribe.bench.drawing import shown

PAPER = TOP / "docs" / "scaling.md"
_GIB = 2**30


def fill(paper: str, blocks: Mapping[str, str]) -> str:
    """The page with other text between the markers of each block. Raises ValueError where one has none."""
    for name, text in blocks.items():
        found = re.findall(rf"<!-- {name}: [^>]*-->\n(.*?)<!-- /{name} -->", paper, re.DOTALL)
        if len(found) != 1:
            raise ValueError(f"docs/scaling.md has {len(found)} blocks {name}")
        end = f"<!-- /{name} -->"
        head, tail = paper.split(end)
        paper = f"{head.removesuffix(found[0])}{text.strip()}\n{end}{tail}"
    return paper


def simulated(played: Played, figures: Mapping[str, Figure]) -> dict[str, str]:
    """All blocks that come from the simulation."""
    return {
        "figures": _joined(_figures(figures)),
        "assumed": _joined(_assumed(played)),
        "tier": _joined(_tier(played)),
        "placement": _joined(_placement(played)),
        "order": _joined(_order(played)),
        "hot": _joined(_hot(played)),
        "storms": _joined(_storms(played)),
        "restart": _restart(played),
        "cost": _joined(_cost(played)),
    }


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def rows(heads: Sequence[str], cells: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for one in cells:
        yield f"| {' | '.join(one)} |"


def _figures(figures: Mapping[str, Figure]) -> Iterator[str]:
    told = ((one.what, f"{shown(one.value)} {one.unit}".strip(), one.source) for one in figures.values())
    yield from rows(("", "measured", "by"), told)


def _assumed(played: Played) -> Iterator[str]:
    world = played.world
    yield (
        f"{shown(world.documents)} documents, popular by Zipf's law with the exponent {world.exponent}; "
        f"{shown(world.connections)} connections, {played.days['everyday peak'].rooms:,} documents open, the most "
        f"popular with {played.largest:,} people. {world.typing_share:.0%} of the people type at a moment, "
        f"{world.keys_per_s:g} keys a second each, {shown(world.keys)} keys a second in all; {world.writing_share:.0%} "
        f"have typed within ten minutes; somebody stays for {world.stay_s / 60:g} minutes. On Monday at nine all come "
        f"within ten minutes. Nothing is planned above {world.core_share:.0%} of a core. One PostgreSQL primary with "
        f"{world.postgres_cores} cores, {world.wal_bytes_per_s / 1e6:g} MB/s for its log, "
        f"{world.postgres_connections} connections, {shown(world.postgres_commits)} commits a second and "
        f"{world.commit_s * 1000:g} ms for one; one Redis; "
        f"{shown(world.proxy_connections)} connections a proxy."
    )


def _tier(played: Played) -> Iterator[str]:
    days = played.days.values()
    yield from rows(
        ("", *played.days),
        (
            ("instances", *(f"{one.instances}" for one in days)),
            ("cores of all instances", *(shown(one.cores) for one in days)),
            ("memory of all instances", *(f"{shown(one.memory_bytes / _GIB)} GiB" for one in days)),
            ("open rooms", *(f"{one.rooms:,}" for one in days)),
            ("PostgreSQL, cores", *(shown(one.postgres_cores) for one in days)),
            ("heads that the lookouts ask for, a second", *(shown(one.heads) for one in days)),
            ("PostgreSQL, log", *(f"{shown(one.wal_bytes / 1e6)} MB/s" for one in days)),
            ("PostgreSQL, commits a second at most", *(shown(one.commits) for one in days)),
            ("Redis, messages a second", *(shown(one.messages) for one in days)),
            ("Redis, core", *(shown(one.redis_cores) for one in days)),
        ),
    )


def _placement(played: Played) -> Iterator[str]:
    yield from rows(
        ("", "fullest instance over the mean", "documents at two instances or more", "rooms of all instances"),
        ((name, f"{one.spread:.2f}", f"{one.shared:.1%}", f"{one.copies:,}") for name, one in played.placed.items()),
    )


def _order(played: Played) -> Iterator[str]:
    world = played.world
    yield from rows(
        ("", f"at {shown(world.connections)} connections", "planned for", "full at so many connections", "then"),
        (
            (
                f"{place}. {one.what}", *(f"{shown(value)} {one.unit}".strip() for value in (one.wanted, one.there)),
                shown(world.connections / one.share), one.then,
            )
            for place, one in enumerate(played.limits, 1)
        ),
    )  # fmt: skip


def _hot(played: Played) -> Iterator[str]:
    yield from rows(
        ("readers of one document", "events a second", "cores", "instances", "memory of the streams"),
        (
            (f"{one.readers:,}", shown(one.events_per_s), shown(one.cores), f"{one.instances}", f"{shown(one.gib)} GiB")
            for one in played.hot
        ),
    )


def _storms(played: Played) -> Iterator[str]:
    heads = ("", "", "half are back after", "99 % after", "all after", "attempts in the busiest second", "given up")
    yield from rows(heads, _stormed(played))


def _stormed(played: Played) -> Iterator[Sequence[str]]:
    for name, by_pause in played.storms.items():
        for pause, came in by_pause.items():
            yield (
                name if pause == next(iter(PAUSES)) else "", pause, f"{came.at(0.5):.1f} s", f"{came.at(0.99):.1f} s",
                f"{came.back[-1]:.1f} s", f"{came.busiest:,}", f"{came.given_up:,}",
            )  # fmt: skip


def _restart(played: Played) -> str:
    after, later = played.rolled.after, played.rolled.later
    unsaved = shown(played.unsaved_each_bytes / 2**20)
    return (
        f"Twenty instances are restarted one after the other, {MINUTES_EACH * 60:g} s each. Somebody is moved on "
        f"{played.rolled.moves:.2f} times on the average. Right after it the fullest instance has {after.spread:.2f} "
        f"times the mean and {after.shared:.1%} of the documents are at two instances or more; once people have come "
        f"and gone for as long as one stays, {later.spread:.2f} times and {later.shared:.1%}.\n\n"
        f"A database that is away for {FAILOVER_S:g} s leaves {unsaved} MiB unsaved at each instance, of the 256 "
        f"that it may hold; once it is back PostgreSQL has taken in what waited after {shown(played.drained_s)} s, "
        "beside what goes on. Whoever is in a document goes on typing; whoever comes to one that is closed waits."
    )


def _cost(played: Played) -> Iterator[str]:
    world, peak = played.world, played.days["everyday peak"]
    thousands = world.connections / 1000
    cores = peak.cores / world.core_share / thousands
    gib = peak.memory_bytes / _GIB / thousands
    postgres = peak.postgres_cores / world.core_share / thousands
    usd = (cores + postgres) * world.usd_per_core + gib * world.usd_per_gib
    yield from rows(
        ("a thousand people at the peak", ""),
        (
            ("instances' cores, planned", f"{cores:.3f}"), ("instances' memory", f"{gib:.3f} GiB"),
            ("PostgreSQL's cores, planned", f"{postgres:.4f}"),
            (f"a month, at {world.usd_per_core:g} USD a core and {world.usd_per_gib:g} USD a GiB (assumed)",
             f"{usd:.2f} USD"),
        ),
    )  # fmt: skip
