"""How often something may happen: so much a second on average, and so much at once (GCRA, ITU-T I.371)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_s` units a second for ever, `burst` of them at once."""

    per_s: float
    burst: float

    def spent(self, rested_at: float, cost: float, now: float) -> float:
        """When all is made good again, where it was to be at `rested_at` and so much more is spent now."""
        return (rested_at if rested_at > now else now) + cost / self.per_s

    def owed_s(self, rested_at: float, now: float) -> float:
        """The seconds until a debt is paid, 0 without one."""
        owed_s = rested_at - now - self.burst / self.per_s
        return owed_s if owed_s > 0 else 0.0

    def left(self, rested_at: float, now: float) -> float:
        """How much can be spent without a debt."""
        return self.burst - max(0.0, rested_at - now) * self.per_s


# Nothing was spent yet.
NEVER = float("-inf")


class Meter:
    """What one of those who are measured has spent. Times are seconds of any clock that never goes back."""

    __slots__ = ("_rate", "_rested_at")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._rested_at = NEVER

    def is_rested(self, now: float) -> bool:
        """Whether nothing of what was spent counts any more."""
        return self._rested_at <= now

    def spend(self, cost: float, now: float) -> float:
        """Spend, also what is not there; gives the seconds until the debt is paid, 0 without one."""
        self._rested_at = self._rate.spent(self._rested_at, cost, now)
        return self._rate.owed_s(self._rested_at, now)

    def left(self, now: float) -> float:
        """How much can be spent without a debt."""
        return self._rate.left(self._rested_at, now)

    def ask(self, cost: float, now: float) -> float:
        """Spend what is there and give 0, else spend nothing and give the seconds after which to ask again."""
        before = self._rested_at
        wait_s = self.spend(cost, now)
        if wait_s > 0:
            self._rested_at = before
        return wait_s


class Meters:
    """A meter a key. At most `most` are kept: those that are rested go first, then the oldest."""

    def __init__(self, rate: Rate, *, most: int = 10_000) -> None:
        self._rate = rate
        self._most = most
        self._meters: dict[str, Meter] = {}

    def __len__(self) -> int:
        return len(self._meters)

    def of(self, key: str, now: float) -> Meter:
        """The meter of a key."""
        meter = self._meters.get(key)
        if meter is None:
            if len(self._meters) >= self._most:
                self._make_room(now)
            meter = self._meters[key] = Meter(self._rate)
        return meter

    def _make_room(self, now: float) -> None:
        self._meters = {key: meter for key, meter in self._meters.items() if not meter.is_rested(now)}
        # A tenth at once, so that a flood of new keys does not look through all of them for each.
        while len(self._meters) > self._most * 9 // 10:
            del self._meters[next(iter(self._meters))]
