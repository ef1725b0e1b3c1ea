"""Rates: so much at once, so much a second, and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coscribe.core.rate import Meter, Meters, Rate

TEN = Rate(per_s=10, burst=20)


def test_a_burst_costs_no_time_and_the_next_one_does() -> None:
    meter = Meter(TEN)
    assert [meter.spend(1, 100.0) for _ in range(20)] == [0.0] * 20
    assert round(meter.spend(1, 100.0), 6) == 0.1
    assert round(meter.spend(4, 100.0), 6) == 0.5


def test_whoever_asks_in_vain_has_spent_nothing() -> None:
    meter = Meter(TEN)
    meter.spend(20, 0.0)
    assert [round(meter.ask(1, 0.0), 6) for _ in range(3)] == [0.1] * 3
    assert meter.ask(1, 0.1000001) == 0.0
    assert meter.ask(1, 0.1000001) > 0.0


def test_who_rests_has_the_burst_again_but_not_more() -> None:
    meter = Meter(TEN)
    meter.spend(20, 0.0)
    assert not meter.is_rested(1.9)
    assert meter.is_rested(2.0)
    assert meter.ask(20, 1000.0) == 0.0
    assert meter.ask(1, 1000.0) > 0.0


@given(st.lists(st.floats(0, 1), max_size=200))
def test_nobody_gets_more_than_the_rate_and_one_burst(pauses: list[float]) -> None:
    meter = Meter(TEN)
    now, granted = 0.0, 0
    for pause in pauses:
        now += pause
        granted += meter.ask(1, now) == 0.0
    assert granted <= TEN.burst + TEN.per_s * now + 1e-6


def test_many_keys_are_forgotten_and_those_that_still_owe_are_kept_longest() -> None:
    meters = Meters(TEN, most=100)
    busy = meters.of("busy", 0.0)
    busy.spend(1000, 0.0)
    for number in range(1000):
        meters.of(f"other {number}", 1.0)
        assert len(meters) <= 100
    assert meters.of("busy", 1.0) is busy


def test_also_of_keys_that_all_owe_there_are_only_so_many() -> None:
    meters = Meters(TEN, most=100)
    for number in range(1000):
        meters.of(str(number), 0.0).spend(1000, 0.0)
        assert len(meters) <= 100
