"""Which parts of two strings are the same, in bounded time.

Anchors are characters that occur once on both sides (patience diff); between them Myers' greedy algorithm ("An O(ND)
Difference Algorithm and Its Variations", 1986) runs with a bound on D. Each "character" may stand for a token.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

# Below this many characters in a gap Myers alone is fast and minimal; above it anchors are looked for first.
_SMALL_GAP = 128
# Myers takes D**2 / 2 steps of about 0.5 us and keeps D vectors of 2 D: 8,000 steps, 32,000 integers.
_MAX_D = 128


class Match(NamedTuple):
    """`length` characters at `a` in the one string that are those at `b` in the other."""

    a: int
    b: int
    length: int


class Gap(NamedTuple):
    """The ranges a:a_end and b:b_end, still to be aligned."""

    a: int
    a_end: int
    b: int
    b_end: int


class Work:
    """How many steps may still be made: about 0.5 us each. Shared by all alignments of one request."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int) -> bool:
        """Takes `steps`; False, and nothing is left, when there are not so many."""
        enough = steps <= self.left
        self.left = self.left - steps if enough else 0
        return enough


def common_prefix(a: str, b: str, gap: Gap) -> int:
    """How many characters at the start of the gap are the same."""
    if gap.a == gap.a_end or gap.b == gap.b_end or a[gap.a] != b[gap.b]:
        return 0

    def same(done: int, step: int) -> bool:
        i, j = gap.a + done, gap.b + done
        return a[i : i + step] == b[j : j + step]

    return _reach(min(gap.a_end - gap.a, gap.b_end - gap.b), same)


def common_suffix(a: str, b: str, gap: Gap) -> int:
    """How many characters at the end of the gap are the same."""
    if gap.a == gap.a_end or gap.b == gap.b_end or a[gap.a_end - 1] != b[gap.b_end - 1]:
        return 0

    def same(done: int, step: int) -> bool:
        i, j = gap.a_end - done, gap.b_end - done
        return a[i - step : i] == b[j - step : j]

    return _reach(min(gap.a_end - gap.a, gap.b_end - gap.b), same)


def _reach(limit: int, same: Callable[[int, int], bool]) -> int:
    """How far, up to `limit`, `same(done, step)` holds; compares slices, in doubling and halving steps."""
    done, step = 0, 8
    while done + step <= limit and same(done, step):
        done += step
        step *= 2
    while step:
        if done + step <= limit and same(done, step):
            done += step
        step //= 2
    return done


def align(a: str, b: str, work: Work) -> list[Match]:
    """Matches in ascending order, none touching the next; the fewer and the shorter the less `work` is left."""
    matches: list[Match] = []
    gaps = [Gap(0, len(a), 0, len(b))]
    while gaps:
        gap = _trim(a, b, gaps.pop(), matches)
        size = gap.a_end - gap.a + gap.b_end - gap.b
        if gap.a == gap.a_end or gap.b == gap.b_end or not work.spend(size):
            continue
        anchors = _anchors(a, b, gap) if size > _SMALL_GAP else []
        if anchors:
            matches += anchors
            gaps += _between(gap, anchors)
        else:
            matches += _walk(a, b, gap, work)
    return _joined(matches)


def _trim(a: str, b: str, gap: Gap, matches: list[Match]) -> Gap:
    """The gap without what is the same at its ends, which becomes matches."""
    head = common_prefix(a, b, gap)
    if head:
        matches.append(Match(gap.a, gap.b, head))
        gap = gap._replace(a=gap.a + head, b=gap.b + head)
    tail = common_suffix(a, b, gap)
    if tail:
        gap = gap._replace(a_end=gap.a_end - tail, b_end=gap.b_end - tail)
        matches.append(Match(gap.a_end, gap.b_end, tail))
    return gap


def _anchors(a: str, b: str, gap: Gap) -> list[Match]:
    """The longest ascending run of characters that occur once in either side of the gap."""
    once_in_b = {c: gap.b + j for j, c in _once(b[gap.b : gap.b_end])}
    pairs = [(gap.a + i, once_in_b[c]) for i, c in _once(a[gap.a : gap.a_end]) if c in once_in_b]
    # Longest increasing subsequence of the places in b, O(n log n): ends[k] is the lowest end of a run of k + 1.
    ends: list[int] = []
    end_pairs: list[int] = []
    before: list[int] = []
    for index, (_, j) in enumerate(pairs):
        k = bisect_left(ends, j)
        before.append(end_pairs[k - 1] if k else -1)
        ends[k : k + 1] = [j]
        end_pairs[k : k + 1] = [index]
    index = end_pairs[-1] if end_pairs else -1
    run: list[Match] = []
    while index >= 0:
        run.append(Match(*pairs[index], 1))
        index = before[index]
    run.reverse()
    return _joined(run)


def _once(text: str) -> list[tuple[int, str]]:
    counts = Counter(text)
    return [(i, c) for i, c in enumerate(text) if counts[c] == 1]


def _between(gap: Gap, anchors: list[Match]) -> list[Gap]:
    """The gaps before, between and after ascending anchors."""
    gaps: list[Gap] = []
    i, j = gap.a, gap.b
    for match in (*anchors, Match(gap.a_end, gap.b_end, 0)):
        if i < match.a and j < match.b:
            gaps.append(Gap(i, match.a, j, match.b))
        i, j = match.a + match.length, match.b + match.length
    return gaps


def _joined(matches: list[Match]) -> list[Match]:
    """The matches in order, those that touch as one."""
    joined: list[Match] = []
    for match in sorted(matches):
        if joined:
            last = joined[-1]
            if last.a + last.length == match.a and last.b + last.length == match.b:
                joined[-1] = Match(last.a, last.b, last.length + match.length)
                continue
        joined.append(match)
    return joined


def _walk(a: str, b: str, gap: Gap, work: Work) -> list[Match]:
    """Matches of a gap by Myers, after leaving out the characters that only one side has."""
    in_a, in_b = set(a[gap.a : gap.a_end]), set(b[gap.b : gap.b_end])
    a_places = [i for i in range(gap.a, gap.a_end) if a[i] in in_b]
    b_places = [j for j in range(gap.b, gap.b_end) if b[j] in in_a]
    a_part = "".join([a[i] for i in a_places])
    b_part = "".join([b[j] for j in b_places])
    matches: list[Match] = []
    i = j = 0
    while i < len(a_part) and j < len(b_part) and work.left:
        # Where D runs out, the furthest path is taken as it is and the walk starts anew from its end.
        found, i, j = _Paths(a_part, b_part, i, j).run(work)
        matches += [Match(a_places[x], b_places[y], 1) for m in found for x, y in _cells(m)]
    return matches


def _cells(match: Match) -> zip[tuple[int, int]]:
    return zip(range(match.a, match.a + match.length), range(match.b, match.b + match.length), strict=True)


class _Paths:
    """Myers' furthest reaching paths from (x0, y0); diagonal k holds the points with x - y = k, counted from there."""

    def __init__(self, a: str, b: str, x0: int, y0: int) -> None:
        self._a, self._b = a, b
        self._x0, self._y0 = x0, y0
        self._width, self._height = len(a) - x0, len(b) - y0
        # reach[k + _MAX_D + 1] is the furthest x on diagonal k, -1 where no path has come yet.
        self._reach = [-1] * (2 * _MAX_D + 3)
        self._reach[_MAX_D + 2] = 0
        self._history: list[list[int]] = []

    def run(self, work: Work) -> tuple[list[Match], int, int]:
        """The matches on the best path found, and the point in the strings where it ends."""
        best = 0
        for d in range(_MAX_D + 1):
            self._history.append(self._reach.copy())
            best = self._extend(d)
            x = self._reach[best + _MAX_D + 1]
            if (x == self._width and x - best == self._height) or not work.spend(d + 1):
                break
        matches = self._back(best)
        x = self._reach[best + _MAX_D + 1]
        return matches, self._x0 + x, self._y0 + x - best

    def _extend(self, d: int) -> int:
        """Lengthens all paths by one difference; answers the diagonal of the one that came furthest."""
        best, best_sum = 0, -1
        for k in range(-d, d + 1, 2):
            x = self._start(self._reach, k)
            if x >= 0:
                x += self._run_length(x, x - k)
                if 2 * x - k > best_sum:
                    best, best_sum = k, 2 * x - k
            self._reach[k + _MAX_D + 1] = x
        return best

    def _start(self, reach: list[int], k: int) -> int:
        """Where a path comes to diagonal k: by a step down (insert) or to the right (delete); -1 if it cannot."""
        down = reach[k + _MAX_D + 2]
        right = reach[k + _MAX_D]
        if down - k > self._height:
            down = -1
        right = right + 1 if 0 <= right < self._width else -1
        return max(down, right)

    def _run_length(self, x: int, y: int) -> int:
        gap = Gap(self._x0 + x, len(self._a), self._y0 + y, len(self._b))
        return common_prefix(self._a, self._b, gap)

    def _back(self, k: int) -> list[Match]:
        matches: list[Match] = []
        x = self._reach[k + _MAX_D + 1]
        for reach in reversed(self._history):
            start = self._start(reach, k)
            if x > start:
                matches.append(Match(self._x0 + start, self._y0 + start - k, x - start))
            k, x = (k + 1, start) if reach[k + _MAX_D + 2] == start else (k - 1, start - 1)
        return matches
