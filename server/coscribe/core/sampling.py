"""Aligning two long strings at samples: cheap where they are alike, whatever they consist of."""

from __future__ import annotations

from coscribe.core.alignment import Gap, Match, Work, common_prefix

# Samples of 48 characters are seldom the same by chance. They are 512 characters apart or more, at most some 4,000.
_SAMPLE = 48
_LEAST_APART = 512
_MOST_SAMPLES = 4_000
# A fifth of a second for samples that are not near where they should be: 40 of them in texts of 5 MB.
_FAR_STEPS = 400_000


def sample(a: str, b: str) -> list[Match]:
    """Matches in ascending order of two long strings that are alike, whatever they consist of.

    Samples of the one are looked up in the other: near where they should be, and a bounded number of times anywhere.
    """
    matches: list[Match] = []
    apart = max(_LEAST_APART, len(a) // _MOST_SAMPLES)
    far = Work(_FAR_STEPS)
    i_done = j_done = 0
    i = step = _SAMPLE
    while i + _SAMPLE <= len(a):
        j = _look_up(a, b, i, Gap(i_done, i_done + 4 * apart, j_done, j_done + 4 * apart), far)
        if j < 0:
            i, step = i + step, min(2 * step, apart)
            continue
        length = common_prefix(a, b, Gap(i, len(a), j, len(b)))
        matches.append(Match(i, j, length))
        i_done, j_done, step = i + length, j + length, _SAMPLE
        i = i_done + step
    return matches


def _look_up(a: str, b: str, i: int, done: Gap, far: Work) -> int:
    """Where in b, from `done.b` on, the sample at i is; -1 if not found. The length of `done` is how near is near."""
    wanted = a[i : i + _SAMPLE]
    near = done.b_end - done.b
    expected = done.b + i - done.a
    if b.startswith(wanted, expected):
        return expected
    for start, end in ((max(done.b, expected - near), expected + near), (done.b, done.b_end)):
        j = b.find(wanted, start, end)
        if j >= 0:
            return j
    # Far away only what occurs once in both is the same thing: a find reads some 1,000 characters in 0.5 us.
    if not far.spend((len(a) + len(b)) // 1000):
        return -1
    j = b.find(wanted, done.b)
    lone = j >= 0 and b.find(wanted, j + 1) < 0 and a.find(wanted) == i and a.find(wanted, i + 1) < 0
    return j if lone else -1
