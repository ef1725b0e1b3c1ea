"""Worker processes of one server: started together, started again where one ends by itself, and ended together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from types import FrameType

import structlog

from coscribe.errors import CoscribeError

_log = structlog.get_logger(__name__)

# Nothing is read from a file twice, and sockets are inherited: a worker listens where the one before it did.
_CONTEXT = multiprocessing.get_context("fork")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# One that ends as soon as it is there, for want of memory for one, is not to take all of the machine.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0
_WELL_AFTER_S = 30.0
# A server ends within five seconds; what has not then is ended.
_END_WITHIN_S = 8.0


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is given: its number, whom to tell that it serves, and what is at its end when the others are."""

    number: int
    ready: int
    lifeline: int

    def tell_ready(self) -> None:
        """Tell that it serves."""
        os.write(self.ready, b"r")
        os.close(self.ready)


class _Worker:
    """One place, and the process that has it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: ForkProcess | None = None
        self.ready: int | None = None
        self.started_at = 0.0
        self.pause_s = _FIRST_PAUSE_S
        self.was_ready = False


class Workers:
    """Runs `work` in `count` processes until a signal says stop.

    `ready` is called once, when all of them serve. Raises CoscribeError where one of them ends before that.
    """

    def __init__(self, count: int, work: Callable[[Place], None], ready: Callable[[], None]) -> None:
        self._workers = [_Worker(number) for number in range(count)]
        self._work = work
        self._ready = ready
        self._caught: signal.Signals | None = None
        # Its writing end is open in this process only: however that ends, workers find out.
        self._lifeline = os.pipe()
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)

    def run(self) -> None:
        """Run them; a signal that ended it ends this process too, as signals do."""
        before = {number: signal.signal(number, self._catch) for number in _SIGNALS}
        signal.set_wakeup_fd(self._wake.fileno())
        try:
            self._keep()
        finally:
            self._end()
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._caught is not None:
            signal.raise_signal(self._caught)

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        self._caught = signal.Signals(number)

    def _keep(self) -> None:
        for worker in self._workers:
            self._start(worker)
        is_ready = False
        while self._caught is None:
            self._look()
            if not is_ready and all(worker.was_ready for worker in self._workers):
                is_ready = True
                self._ready()
            wait([self._woken, *self._ends()], timeout=self._rest_s())

    def _ends(self) -> list[int]:
        """What to wait for: the end of each process, or that it serves."""
        sentinels = [worker.process.sentinel for worker in self._workers if worker.process is not None]
        return sentinels + [worker.ready for worker in self._workers if worker.ready is not None]

    def _rest_s(self) -> float | None:
        """How long until the next of those that ended is to be started again."""
        now = time.monotonic()
        pauses = [w.started_at + w.pause_s - now for w in self._workers if w.process is None]
        return max(0.0, min(pauses)) if pauses else None

    def _look(self) -> None:
        """Note who serves, who has ended, and who is to be started again."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.ready is not None and wait([worker.ready], timeout=0):
                worker.was_ready |= bool(os.read(worker.ready, 1))
                os.close(worker.ready)
                worker.ready = None
            if worker.process is not None and worker.process.exitcode is not None:
                self._ended(worker, worker.process.exitcode, now)
            if worker.process is None and now >= worker.started_at + worker.pause_s:
                self._start(worker)

    def _ended(self, worker: _Worker, status: int, now: float) -> None:
        if not worker.was_ready:
            raise CoscribeError("A worker could not start; what it said stands above.")
        _log.error("worker_ended", worker=worker.number, status=status)
        is_well = now - worker.started_at > _WELL_AFTER_S
        worker.pause_s = _FIRST_PAUSE_S if is_well else min(2 * worker.pause_s, _LAST_PAUSE_S)
        worker.started_at = now
        worker.process = None

    def _start(self, worker: _Worker) -> None:
        if worker.ready is not None:
            os.close(worker.ready)
        worker.ready, told = os.pipe()
        worker.started_at = time.monotonic()
        place = Place(worker.number, told, self._lifeline[0])
        worker.process = _CONTEXT.Process(target=self._run, args=(place,), name=f"worker {worker.number}")
        # Until the new process has handlers of its own, a signal would be lost to those that it inherits.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        worker.process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(told)

    def _run(self, place: Place) -> None:
        """In the new process: what is the parent's is let go of, then the work."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(self._lifeline[1])
        self._work(place)

    def _end(self) -> None:
        """End all of them, within the time that a server has."""
        alive = [worker.process for worker in self._workers if worker.process is not None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + _END_WITHIN_S
        for process in alive:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
