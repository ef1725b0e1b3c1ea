"""A server of the simulator: exchange, log and feed of a document, as the room puts them together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from tests.simulation.log import DOCUMENT, GENERATION, MemoryLog
from tests.simulation.words import WORD, Words, some_noise
from tests.support.people import NOW, ROOM

from coscribe.core.bounds import Limits
from coscribe.core.exchange import Exchange
from coscribe.core.following import Commit
from coscribe.core.intake import Intake
from coscribe.core.others import Told, strangers
from coscribe.core.replica import Replica
from coscribe.core.restoring import Restoring
from coscribe.core.rewriting import leads_to
from coscribe.core.splices import Splice
from coscribe.core.update import scan
from coscribe.model import Principal, PrincipalKind, Snapshot
from coscribe.rooms.feed import Feed, Position, Sources, TextChange
from coscribe.rooms.history import begin
from coscribe.rooms.replay import Replayer

REST = Principal("rest", PrincipalKind.TOKEN, "Script", 0)


class Server:
    """What is in memory goes with `crash`; the log stays. `is_alone` says that no other server writes it."""

    def __init__(self, rng: random.Random, words: Words, log: MemoryLog, *, is_alone: bool = True) -> None:
        self.log = log
        self.lost_answers = self.apart = self.rewritten = 0
        # Whether somebody reads another text than he was told.
        self.is_doubted = False
        self._is_alone = is_alone
        self._rng = rng
        self._words = words
        self._now = NOW
        self._written: list[tuple[int, str]] = []

    def clock(self) -> datetime:
        """The time, which jumps."""
        self._now += timedelta(seconds=self._rng.choice((0, 0, 0, 1, -86_400, 86_400)))
        return self._now

    async def start(self) -> None:
        """Open the document from its log, as the registry does."""
        replica = await self._replica_at(self.log.seq)
        limits = Limits(ROOM, ROOM)
        if self._is_alone:
            lost = self._words.acked - set(WORD.findall(replica.text))
            assert not lost, f"I1: acked before it was committed, and lost: {sorted(lost)}"
        else:
            self._words.check_stored([entry.payload for entry in self.log.entries])
        owners = await self.log.client_ids(DOCUMENT, GENERATION)
        intake = Intake(replica, seq=self.log.seq, owners=owners, limits=limits, now=self.clock)
        self.exchange = Exchange(GENERATION, intake)
        self.exchange.doubted = self._doubted
        replayer = Replayer(self.log, self.log, DOCUMENT, GENERATION)

        async def no_activities(_after: int, _seq: int) -> list[object]:
            return []

        sources = Sources(lambda: ("", str(intake.text)), list, replayer.changes, no_activities)
        self.feed = Feed(Position(GENERATION, self.log.seq, 0), sources)
        self._written.clear()

    async def _replica_at(self, seq: int, client_id: int | None = None) -> Replica:
        """The document at a seq as `restore` makes it, under a client id that the seed gives where none is given."""
        made = Restoring(Replica(client_id or self._rng.randrange(2, 2**32)))
        if (snapshot := await self.log.snapshot(DOCUMENT, GENERATION, upto=seq)) is not None:
            begin(made, snapshot)
        made.entries(await self.log.read(DOCUMENT, GENERATION, after=made.seq, upto=seq))
        made.finish(seq)
        return made.replica

    async def crash(self) -> None:
        """The process is gone; a commit that it was waiting for may have landed."""
        if self._rng.random() < 0.5:
            self.log.commit(self.exchange.intake.take(), self.exchange.intake.following.head)
        await self.start()

    async def commit(self) -> None:
        """The log finishes what it was given before, is given what there is, or its answer is lost."""
        intake = self.exchange.intake
        match self._rng.randrange(8):
            case 0 | 1:
                intake.take()
            case 2:
                self.lost_answers += bool(intake.take()) and self.log.commit(intake.take(), intake.following.head)
            case _:
                await self.finish()

    async def finish(self) -> None:
        """A commit and its answer: acks, events of the feed, answers to writers over REST."""
        intake = self.exchange.intake
        batches = intake.take()
        if not batches:
            return
        if self.log.commit(batches, intake.following.head):
            self._publish(intake.committed())
        elif self._is_alone:
            await self.follow(len(self.log.entries))

    def _publish(self, commits: Sequence[Commit]) -> None:
        intake = self.exchange.intake
        self.exchange.offers.acknowledge()
        for commit in commits:
            author = commit.authors[0] if len(commit.authors) == 1 else None
            self.feed.publish_text(TextChange(commit.before, commit.seq, author, commit.ops))
        self._words.acked |= {word for ticket, word in self._written if ticket <= intake.durable}

    @property
    def is_behind(self) -> bool:
        """Whether the log has what this server was not told of yet."""
        return not self._is_alone and self.exchange.intake.seq < self.log.seq

    async def follow(self, most: int) -> None:
        """Read some of what others have stored, or get the replica that goes by the log; as the follower does."""
        intake, following = self.exchange.intake, self.exchange.intake.following
        if following.wants_mirror:
            self.apart += 1
            self._publish(following.mirror(await self._replica_at(following.seq)))
            return
        entries = self.log.entries[following.head :][:most]
        own = next((at for at, entry in enumerate(entries) if intake.is_own(entry)), len(entries))
        if own:
            told = [Told(entry, scan(entry.payload), self.log.people[entry.principal_id]) for entry in entries[:own]]
            clients = strangers(told, intake) & self.log.owners.keys()
            intake.ownership.learn({client: self.log.owners[client] for client in clients})
            self._publish(self.exchange.follow(told))
        elif entries:
            self._publish(intake.committed())
        if intake.is_settled and self._rng.random() < 0.2:
            following.rejoin()

    async def snapshot(self) -> None:
        """A snapshot of some past position; a later one may be damaged, which leaves this one to be read."""
        await self.compact(self._rng.randrange(self.log.seq + 1))

    def _doubted(self) -> None:
        self.is_doubted = True

    async def compare(self) -> None:
        """What follows when somebody reads another text than he was told: a snapshot of all that there is."""
        if self.is_doubted:
            self.is_doubted = False
            await self.compact(self.log.seq)

    async def compact(self, seq: int) -> None:
        """As the Snapshotter does it: what reads otherwise than the log is not kept, and the text is written anew."""
        replica = await self._replica_at(seq, client_id=2**32 + seq)
        state, intake = replica.diff(), self.exchange.intake
        runs = intake.replica.runs if intake.is_settled and intake.seq == seq else None
        if (runs is None or replica.runs == runs) and leads_to([state], replica):
            kept = [one for one in self.log.snapshots if one.seq < seq]
            self.log.snapshots = [*kept, Snapshot(DOCUMENT, GENERATION, seq, "yjs-v1", "", state)]
        elif runs is not None and self.log.rewrite(replica.client_id, replica.write_anew(runs), after=seq):
            self.rewritten += 1
            if self._is_alone:
                await self.follow(len(self.log.entries))

    async def write(self, noise: list[str]) -> None:
        """A script edits over REST: the text as it is, or as it was at some seq."""
        word = self._words.next(REST)

        def plan(text: str) -> list[Splice]:
            start, stop = some_noise(self._rng, text)
            return [Splice(start, stop - start, self._rng.choice(noise) + word)]

        if self._rng.random() < 0.5:
            self.exchange.edit(REST, plan)
        else:
            base = await self._replica_at(self._rng.randrange(self.exchange.intake.seq + 1))
            self.exchange.submit(REST, base.edit(plan(base.text))[0])
        # Its writer has it told as saved or not at all, and does not try again.
        self._words.shelved.add(word)
        self._written.append((self.exchange.intake.tickets, word))
