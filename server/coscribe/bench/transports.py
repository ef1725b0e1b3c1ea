"""The comparison of transports: the same people write and read over each of them, and what that takes is counted."""

from __future__ import annotations

import asyncio
import json
import math
import string
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from coscribe.bench.figures import KEYS_PER_S, TRANSPORTS, Held, Measured, Plan
from coscribe.bench.machine import busy_s, usage
from coscribe.bench.own_server import OwnServer
from coscribe.bench.people import WITHIN_S, Clock, Person
from coscribe.bench.relay import Passed, Relay, Said
from coscribe.bench.wire import Http
from coscribe.errors import Unavailable

_TEXT = "Minutes of the meeting.\n" * 20
# Who comes before those whose memory is counted: what a server loads once is nobody's.
_BEFORE = 10
_RECORD_BYTES = 8192

Tell = Callable[[Measured | Held], None]


@dataclass(frozen=True, slots=True)
class _Look:
    """What was taken up to a moment."""

    at: float
    passed: Passed
    cpu_s: float
    clients_cpu_s: float
    busy_s: float
    requests: int


class Comparison:
    """Measures every transport, each on a server of its own. `tell` hears each figure as it is found."""

    def __init__(self, plan: Plan, tell: Tell) -> None:
        self._plan = plan
        self._tell = tell
        # The beginning of one reader's conversation, and the id of his document.
        self.captures: dict[str, tuple[list[Said], str]] = {}

    async def run(self) -> list[Measured | Held]:
        """All figures, in the order of the transports. Raises CoscribeError where one cannot be had."""
        if self._plan.is_at_once:
            found = await asyncio.gather(*map(self._one, TRANSPORTS))
        else:
            found = [await self._one(transport) for transport in TRANSPORTS]
        return [one for several in found for one in several]

    async def _one(self, transport: str) -> list[Measured | Held]:
        async with OwnServer() as server:
            run = _Run(transport, server, self._plan)
            try:
                # First: memory that others have used before would hide what these take.
                found: list[Measured | Held] = [await run.hold()]
                self._tell(found[-1])
                for readers, writers in self._plan.shapes:
                    found.append(await run.measure(readers, writers))
                    self._tell(found[-1])
            except TimeoutError as error:
                raise Unavailable(f"{TRANSPORTS[transport][0]}: no text came within {WITHIN_S:g} s.") from error
            except OSError as error:
                raise Unavailable(f"{TRANSPORTS[transport][0]}: the server is not to be reached.") from error
        self.captures[transport] = run.capture
        return found


class _Run:
    """One transport on one server."""

    def __init__(self, transport: str, server: OwnServer, plan: Plan) -> None:
        self._transport = transport
        self._server = server
        self._plan = plan
        self.capture: tuple[list[Said], str] = [], ""

    async def measure(self, readers: int, writers: int) -> Measured:
        """So many people for as long as the plan says."""
        clock, document_id = Clock(), await self._document()
        is_first = (readers, writers) == self._plan.shapes[0]
        async with Relay(self._server.port, _RECORD_BYTES if is_first else 0) as relay:
            # Counted are those who read; where nobody only reads, all who write.
            reading = await self._come(readers, relay.url, clock, document_id)
            writing = await self._come(writers, self._server.url if readers else relay.url, clock, document_id)
            counted = reading or writing
            await asyncio.sleep(self._plan.settle_s)
            before = self._look(relay, counted)
            await self._type(writing)
            expected = clock.letters * (readers or writers - 1)
            await clock.complete(expected)
            after = self._look(relay, counted)
            relay.stop_recording()
            await _leave([*reading, *writing])
        if is_first:
            self.capture = relay.recorded, document_id
        return _figures(self._transport, (readers, writers), (before, after), expected, clock, counted)

    async def hold(self) -> Held:
        """What each of many readers takes, and how they come back."""
        clock, document_id, plan = Clock(), await self._document(), self._plan
        async with Relay(self._server.port) as relay:
            [writer] = await self._come(1, self._server.url, clock, document_id, "socket")
            reading = await self._come(_BEFORE, relay.url, clock, document_id)
            await asyncio.sleep(plan.settle_s)
            before = usage(self._server.pid).memory_bytes
            reading += await self._come(plan.held, relay.url, clock, document_id)
            await asyncio.sleep(plan.settle_s)
            bytes_each = (usage(self._server.pid).memory_bytes - before) / plan.held
            relay.is_down = True
            relay.cut()
            await self._type([writer], plan.cut_s)
            relay.is_down = False
            back = time.monotonic()
            expected = clock.letters * len(reading)
            await clock.complete(expected)
            await _leave([writer, *reading])
        # Who has not come back by now has taken at least as long.
        at = [person.heard_at if person.has(clock.letters) else back + WITHIN_S for person in reading]
        times = [(one - back) * 1000 for one in at]
        return Held(
            self._transport, plan.held, plan.cut_s, bytes_each, expected - len(clock.late_ms),
            median(times), max(times),
        )  # fmt: skip

    async def _document(self) -> str:
        http, made = Http(self._server.url), {"text": _TEXT, "access": "editor"}
        answer = await http.ask("POST", "/api/v1/documents", ("application/json", json.dumps(made).encode()))
        http.close()
        return str(json.loads(answer.body)["id"])

    async def _come(
        self, count: int, url: str, clock: Clock, document_id: str, transport: str | None = None
    ) -> list[Person]:
        """So many open the document, one after the other: nobody's first text waits for that of somebody else."""
        kind = TRANSPORTS[transport or self._transport][1]
        people = [Person(clock, _TEXT) for _ in range(count)]
        for number, person in enumerate(people):
            await person.come(kind, url, document_id, (number + 0.5) / count)
        return people

    async def _type(self, writing: Sequence[Person], seconds: float | None = None) -> None:
        """Every writer presses his key so many times a second, each a little after the one before him."""
        began = time.monotonic()
        for number in range(round((seconds or self._plan.seconds) * KEYS_PER_S)):
            for place, person in enumerate(writing):
                due = began + (number + place / len(writing)) / KEYS_PER_S
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                person.type(string.ascii_uppercase[place])

    def _look(self, relay: Relay, people: Sequence[Person]) -> _Look:
        requests = sum(person.client.requests for person in people)
        cpu_s = usage(self._server.pid).cpu_s
        return _Look(time.monotonic(), relay.passed, cpu_s, time.process_time(), busy_s(), requests)


async def _leave(people: Sequence[Person]) -> None:
    for person in people:
        await person.client.stop()


def _figures(
    transport: str, shape: tuple[int, int], looks: tuple[_Look, _Look], expected: int, clock: Clock,
    people: Sequence[Person],
) -> Measured:  # fmt: skip
    before, after = looks
    late, passed = sorted(clock.late_ms), after.passed.since(before.passed)
    if not late:
        raise Unavailable(f"{TRANSPORTS[transport][0]}: nothing that was typed has arrived.")
    cpu_s, clients_s = after.cpu_s - before.cpu_s, after.clients_cpu_s - before.clients_cpu_s
    minutes = (after.at - before.at) / 60 * len(people)
    return Measured(
        transport=transport, readers=shape[0], writers=shape[1], seconds=after.at - before.at,
        delivered=len(late), lost=expected - len(late), doubled=sum(person.doubled for person in people),
        p50_ms=_share(late, 0.5), p95_ms=_share(late, 0.95), p99_ms=_share(late, 0.99),
        bytes_per_character=passed.total_bytes / len(late),
        requests_per_minute=(after.requests - before.requests) / minutes,
        connections_per_minute=passed.connections / minutes,
        cpu_us_per_character=cpu_s / len(late) * 1e6,
        clients_share=clients_s / (after.at - before.at),
        others_share=max(0.0, after.busy_s - before.busy_s - clients_s - cpu_s) / (after.at - before.at),
        first_text_ms=median(person.first_text_ms for person in people),
    )  # fmt: skip


def _share(values: Sequence[float], share: float) -> float:
    """The value that so great a share of sorted ones does not pass, the nearest rank of them."""
    return values[math.ceil(share * len(values)) - 1]
