"""What a rolling restart leaves behind: people stay where they came to while their instance was away."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.scaling.placement import owner, salts
from tests.bench.scaling.world import Placed


@dataclass
class Tier:
    """Instances with their people: each is of a document, and at an instance."""

    instances: int
    people: Sequence[int]
    at: list[int] = field(init=False)
    moves: int = 0

    def __post_init__(self) -> None:
        self.salted = salts(self.instances)
        self.alive = list(range(self.instances))
        self.at = [self._home(document) for document in self.people]

    def _home(self, document: int) -> int:
        return owner(document, self.alive, self.salted)

    def restart(self, number: int) -> None:
        """One instance goes, its people move on, and it comes back empty."""
        self.alive = [one for one in range(self.instances) if one != number]
        for person, at in enumerate(self.at):
            if at == number:
                self.at[person] = self._home(self.people[person])
                self.moves += 1
        self.alive = list(range(self.instances))

    def churn(self, share: float, chance: random.Random) -> None:
        """A share of the people leaves; as many come to the same documents, each to the instance that owns it."""
        for person in range(len(self.at)):
            if chance.random() < share:
                self.at[person] = self._home(self.people[person])

    @property
    def placed(self) -> Placed:
        """Where people and documents are."""
        counts = [0] * self.instances
        homes: dict[int, set[int]] = {}
        for document, at in zip(self.people, self.at, strict=True):
            counts[at] += 1
            homes.setdefault(document, set()).add(at)
        return Placed(counts, [len(one) for one in homes.values()])


@dataclass(frozen=True)
class Rolled:
    """`spread` and `shared` of Placed right after the last restart, and the same once people have come and gone for so
    long as one stays; `moves` is how often somebody was moved on.
    """

    after: Placed
    later: Placed
    moves: float


def roll(tier: Tier, minutes_each: float, stay_s: float, chance: random.Random) -> Rolled:
    """Restart one instance after the other."""
    for number in range(tier.instances):
        tier.restart(number)
        tier.churn(minutes_each * 60 / stay_s, chance)
    after = tier.placed
    for _ in range(20):
        tier.churn(0.05, chance)
    return Rolled(after, tier.placed, tier.moves / len(tier.people))
