"""Ids are random, and every letter and digit comes equally often."""

from __future__ import annotations

import re
import secrets
from collections import Counter

import pytest

from coscribe.model import new_id


def test_ids_have_22_letters_and_digits_each_as_often_as_another() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert all(re.fullmatch("[A-Za-z0-9]{22}", each) for each in ids)
    assert len(set(ids)) == len(ids)
    counts = Counter("".join(ids))
    assert len(counts) == 62
    # 7,097 of each in the mean, 84 more or less: what lies 8 times as far away comes once in 10**13 runs.
    assert all(abs(count - 7_097) < 8 * 84 for count in counts.values())


def test_what_would_come_too_often_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [b"\xff" * 32, b"\x00" * 21 + b"\xf8" * 11, b"\x00" * 22 + b"\xf8" * 10]
    monkeypatch.setattr(secrets, "token_bytes", lambda count: drawn.pop(0))
    assert new_id() == "a" * 22
    assert not drawn
