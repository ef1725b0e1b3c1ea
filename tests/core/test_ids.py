"""Ids are random, and every letter and digit comes equally often."""

from __future__ import annotations

import re
from collections import Counter

from coscribe.model import new_id


def test_ids_have_22_letters_and_digits_each_as_often_as_another() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert all(re.fullmatch("[A-Za-z0-9]{22}", each) for each in ids)
    assert len(set(ids)) == len(ids)
    counts = Counter("".join(ids))
    assert len(counts) == 62
    # 7,097 of each in the mean, 84 more or less: what lies 8 times as far away comes once in 10**13 runs.
    assert all(abs(count - 7_097) < 8 * 84 for count in counts.values())
