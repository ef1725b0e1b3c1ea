"""How often something may happen: so much a second on average, and so much at once (GCRA, ITU-T I.371)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_s` units a second for ever, `burst` of them at once."""

    per_s: float
    burst: float

    @property
    def burst_s(self) -> float:
        """How long the burst lasts at the rate."""
        return self.burst / self.per_s


class Meter:
    """What one of those who are measured has spent. Times are seconds of any clock that never goes back."""

    __slots__ = ("_rate", "_rested_at")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        # When all that was spent is made good again.
        self._rested_at = float("-inf")

    def is_rested(self, now: float) -> bool:
        """Whether nothing of what was spent counts any more."""
        return self._rested_at <= now

    def spend(self, cost: float, now: float) -> float:
        """Spend, also what is not there; gives the seconds until the debt is paid, 0 without one."""
        since = self._rested_at if self._rested_at > now else now
        self._rested_at = since + cost / self._rate.per_s
        owed_s = self._rested_at - now - self._rate.burst_s
        return owed_s if owed_s > 0 else 0.0

    def left(self, now: float) -> float:
        """How much can be spent without a debt."""
        return (self._rate.burst_s - max(0.0, self._rested_at - now)) * self._rate.per_s

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
