"""The simulator can fail: a core that is broken on purpose breaks a law within a few seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from tests.simulation.lives import live
from tests.simulation.log import MemoryLog
from tests.support.proof import Proof

from coscribe.core import exchange, outbox
from coscribe.core.following import Following, Stretch
from coscribe.core.replica import Replica, Verdict
from coscribe.core.session import Session
from coscribe.core.unsaved import Batch
from coscribe.core.update import EMPTY_UPDATE
from coscribe.rooms.feed import Feed

SEEDS = range(20)
Patch = pytest.MonkeyPatch


def ack_early(patch: Patch) -> None:
    settle = Session.settle
    patch.setattr(Session, "settle", lambda session, durable, seq: settle(session, 2**60, seq))


def forget_what_was_dropped(patch: Patch) -> None:
    patch.setattr(outbox, "_miss", lambda missing, spans: None)


def skip_the_gate(patch: Patch) -> None:
    patch.setattr(Replica, "judge", lambda replica, found: Verdict.NEW)


def lose_a_commit(patch: Patch) -> None:
    commit = MemoryLog.commit

    def losing(log: MemoryLog, batches: Sequence[Batch], after: int) -> bool:
        is_kept = commit(log, batches, after)
        if is_kept and after > 4:
            log.entries[-1] = log.entries[-1]._replace(payload=EMPTY_UPDATE)
        return is_kept

    patch.setattr(MemoryLog, "commit", losing)


def drop_an_event(patch: Patch) -> None:
    publish = Feed.publish_text
    patch.setattr(Feed, "publish_text", lambda feed, change: change.seq % 7 and publish(feed, change))


def store_without_looking(patch: Patch) -> None:
    """Append behind whatever the log has."""
    commit = MemoryLog.commit
    patch.setattr(MemoryLog, "commit", lambda log, batches, after: commit(log, batches, log.seq))


def go_by_the_live_order(patch: Patch) -> None:
    others = Following.others
    patch.setattr(Following, "others", lambda following, stretch, is_apart: others(following, stretch, is_apart=False))


def skip_what_others_stored(patch: Patch) -> None:
    patch.setattr(
        exchange,
        "follow",
        lambda told, intake: (
            [],
            intake.following.others(
                Stretch(told[-1].entry.seq, [one.entry for one in told], (), []), is_apart=not intake.is_settled
            ),
        ),
    )


@pytest.mark.parametrize("broken_by", [store_without_looking, go_by_the_live_order, skip_what_others_stored])
def test_servers_that_follow_the_log_wrongly_are_found(broken_by: Callable[[Patch], None], monkeypatch: Patch) -> None:
    broken_by(monkeypatch)

    broken, _ = live(SEEDS, servers=3)

    assert any(reason.startswith("AssertionError") for reason in broken.values()), broken


@pytest.mark.proof(
    promise="The simulator finds a core that acks early, skips the gate, drops an update or loses a commit",
    faults="mutation",
    how="each fault put into the core, twenty seeds",
)
@pytest.mark.parametrize("broken_by", [ack_early, forget_what_was_dropped, skip_the_gate, lose_a_commit, drop_an_event])
def test_a_broken_core_is_found(proof: Proof, broken_by: Callable[[Patch], None], monkeypatch: Patch) -> None:
    broken_by(monkeypatch)

    broken, _ = live(SEEDS)
    proof.told(seeds_that_found_it=len(broken))

    assert any(reason.startswith("AssertionError") for reason in broken.values()), broken
