"""Faults that are put into the product to see that the proofs find them. Each is one that somebody might write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from coscribe.core import intake, pairs, replica, session
from coscribe.core.update import Scan, Span
from coscribe.model import Append, Appended
from coscribe.ports import Meet
from coscribe.storage import engine
from coscribe.storage.update_log import SqlUpdateLog


def skip_the_fsync() -> None:
    """Trust the system to write in time: COMMIT returns before the log is on the disk."""
    engine._WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=OFF")


def sync_only_checkpoints() -> None:
    """What many recommend for speed: COMMIT does not wait, only folding the log into the file does."""
    engine._WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")


def ack_early() -> None:
    """Answer as if all were stored, and store it in the background half a second later."""
    original = SqlUpdateLog.append
    heads: dict[str, int] = {}
    writing: set[asyncio.Task[object]] = set()

    async def append(self: SqlUpdateLog, batch: Sequence[Append], meet: Meet | None = None) -> list[Appended | None]:
        if any(item.document_id not in heads for item in batch):
            answers = await original(self, batch, meet)
        else:
            answers = [Appended(heads[item.document_id] + 1, ()) for item in batch]
            task: asyncio.Task[object] = asyncio.create_task(_later(original, self, batch))
            writing.add(task)
            task.add_done_callback(writing.discard)
        for item, answer in zip(batch, answers, strict=True):
            if answer is not None:
                heads[item.document_id] = answer.first_seq + len(item.entries) - 1
        return answers

    SqlUpdateLog.append = append  # type: ignore[method-assign]


async def _later(append: Callable[..., object], log: SqlUpdateLog, batch: Sequence[Append]) -> None:
    await asyncio.sleep(0.5)
    await append(log, batch)  # type: ignore[misc]


def skip_the_scanner() -> None:
    """Believe every update: what its bytes hold is not looked at before the engine gets them."""

    def believed(update: bytes, *, most: int | None = None) -> Scan:
        return Scan((Span(len(update), 0, 1),), (), {}, 1, has_cr=False, things=1)

    session.scan = believed
    intake.is_causal = lambda *_: True
    intake.check_cuts = lambda *_: None
    pairs.Pairs.learn = lambda *_: None  # type: ignore[method-assign, assignment]
    replica.joined = lambda update: update


SERVER: dict[str, Callable[[], None]] = {
    "skip-the-fsync": skip_the_fsync,
    "sync-only-checkpoints": sync_only_checkpoints,
    "ack-early": ack_early,
    "skip-the-scanner": skip_the_scanner,
}
