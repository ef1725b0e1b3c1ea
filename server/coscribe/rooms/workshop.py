"""The workshop: one examiner, a process of its own, for all that would hold the loop up; started when it is needed.

Its crash, its end by a limit, and its silence are the refusal of the one update that it was at; the next job gets a
new process.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Protocol

from coscribe import errors
from coscribe.core.examination import Examined, Plan
from coscribe.core.replica import Verdict
from coscribe.core.update import Span

_MODULE = "coscribe.rooms.examiner"
# The examiner has 10 s of processor time for a job (RLIMIT_CPU); this is for a busy machine, and for one that is stuck.
_DEADLINE_S = 30.0
# An idle examiner keeps the memory of its largest job.
_IDLE_S = 60.0
# Updates that wait for the examiner; whoever comes beyond is sent away for a while.
_MOST_WAITING_BYTES = 64 * 2**20
_LENGTH_BYTES = 4
_UNEXAMINED = "This change is too large to be examined; make it in smaller parts."

# The errors that an examiner may answer with, by name.
_ERRORS: Mapping[str, Callable[..., errors.CoscribeError]] = {
    "Malformed": errors.Malformed,
    "UpdateRefused": errors.UpdateRefused,
    "InvalidInput": errors.InvalidInput,
    "EditConflict": errors.EditConflict,
}


class Watch(Protocol):
    """Who hears of an examiner that failed."""

    def __call__(self, event: str, **fields: object) -> None:
        """Tell one event."""
        ...


class Workshop:
    """The examiner and the line before it."""

    def __init__(self, watch: Watch, *, deadline_s: float = _DEADLINE_S, idle_s: float = _IDLE_S) -> None:
        self._watch = watch
        self._deadline_s = deadline_s
        self._idle_s = idle_s
        self._turn = asyncio.Lock()
        # Held while a room takes in a piece of what was examined here: many rooms take no more of the loop than one.
        self.pieces = asyncio.Lock()
        self._waiting_bytes = 0
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The examiner's process id while there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def examine(
        self, state: Callable[[], bytes], update: bytes, foreign: Mapping[int, Span] = MappingProxyType({})
    ) -> Examined:
        """Examine an update on the state that `state` gives, and with what `foreign` holds, when its turn has come.

        Raises Malformed, UpdateRefused (also where the examiner failed), Unavailable when none can be started, and
        what `state` raises.
        """
        return await self._ask("update", lambda: dict(foreign), state, [update])

    async def plan(self, state: Callable[[], bytes], plan: Plan, client_id: int) -> Examined:
        """Make an edit by a plan that can be pickled. Raises as `examine` does, and what the plan raises."""
        return await self._ask("plan", lambda: (plan, client_id), state, [])

    async def close(self) -> None:
        """End the examiner, whatever it is at."""
        self._stay_awake()
        await self._end()
        await asyncio.gather(*self._ending)

    @contextmanager
    def line(self, size: int) -> Iterator[None]:
        """Stand in the line before the examiner with an update of so many bytes. Raises Unavailable when it is full."""
        if self._waiting_bytes + size > _MOST_WAITING_BYTES:
            raise errors.Unavailable("Too many large changes come at once; try again in a moment.")
        self._waiting_bytes += size
        try:
            yield
        finally:
            self._waiting_bytes -= size

    async def _ask(
        self, kind: str, more: Callable[[], object], state: Callable[[], bytes], blobs: list[bytes]
    ) -> Examined:
        try:
            async with self._turn:
                self._stay_awake()
                return await self._work(kind, more(), [state(), *blobs])
        finally:
            self._sleep_later()

    async def _examiner(self) -> asyncio.subprocess.Process:
        """The examiner that is there, if it still lives: one that ended while idle was at nobody's update."""
        if self._process is None or self._process.returncode is not None:
            try:
                self._process = await _started()
            except OSError as error:
                raise errors.Unavailable("The server has no room for a large change now; try again.") from error
        return self._process

    async def _work(self, kind: str, more: object, blobs: list[bytes]) -> Examined:
        process = await self._examiner()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await _exchanged(process, pickle.dumps((kind, more, [len(blob) for blob in blobs])), blobs)
        except TimeoutError:
            raise await self._failed("deadline") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._failed("crash") from None
        except asyncio.CancelledError:
            await self._end()  # the next answer would be to this question
            raise

    async def _failed(self, reason: str) -> errors.UpdateRefused:
        await self._end()
        self._watch("heavy_failed", reason=reason)
        return errors.UpdateRefused(_UNEXAMINED, limit="work")

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _ended(process)

    def _stay_awake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _sleep_later(self) -> None:
        self._stay_awake()
        if self._process is not None and not self._turn.locked():
            self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._sleep)

    def _sleep(self) -> None:
        self._idle = None
        # Whoever comes from now on gets another: this one would be ended at his update.
        process, self._process = self._process, None
        if process is None:
            return
        ending = asyncio.create_task(_ended(process), name="end examiner")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    # To the end of its output, too: else its pipe may be open when the loop is closed.
    await process.communicate()


async def _started() -> asyncio.subprocess.Process:
    # A process of its own and no fork of ours, which holds sockets and locks. -P: nothing from the folder it starts
    # in. A session of its own: Ctrl-C on a terminal is for the server, which ends its examiner itself.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        _MODULE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _exchanged(process: asyncio.subprocess.Process, header: bytes, blobs: list[bytes]) -> Examined:
    """Put one job and read its answer. Raises IncompleteReadError and ConnectionError when the process is gone."""
    source, sink = process.stdout, process.stdin
    if source is None or sink is None:
        raise ConnectionError("the examiner was started without pipes")
    sink.write(len(header).to_bytes(_LENGTH_BYTES) + header)
    for blob in blobs:
        sink.write(blob)
    await sink.drain()
    length = int.from_bytes(await source.readexactly(_LENGTH_BYTES))
    answer: dict[str, Any] = json.loads(await source.readexactly(length))
    if "error" in answer:
        raise _ERRORS[answer["error"]](answer["reason"], **answer["more"])
    pieces = [await source.readexactly(size) for size in answer["sizes"]]
    return Examined(
        Verdict[answer["verdict"]], answer["fragments"], answer["growth"], tuple(answer["clients"]), tuple(pieces)
    )
