"""The few splices that make one text of another, so that carets and typing elsewhere in the document survive.

Lines are aligned first; what lies between equal lines is cut finer (at samples where much is left, then words,
then characters). All of it draws on one bounded stock of work: when that is used up, what is left is replaced whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import accumulate

from coscribe.core.alignment import Gap, Match, Work, align, common_prefix, common_suffix
from coscribe.core.sampling import sample
from coscribe.core.splices import Splice, canonical

# About a second; no more than there are characters to stand for tokens (0x110000), each of which takes a step.
_WORK_STEPS = 1_000_000
# A range longer than this (both sides) is first cut at samples, so that words are looked at only where it changed.
_LONG_RANGE = 100_000
# The longest range that is aligned by words: some 400,000 of them with the spaces.
_LONGEST_IN_WORDS = 2_000_000
# Of a range longer than this at least a quarter has to stay; otherwise it was written anew and is replaced whole.
_PARAGRAPHS = 4_000
# Ranges up to this are aligned by characters in the end: a few words. Longer ones without words are no prose.
_SHORT_RANGE = 400
# How far to the left an insert or a deletion may be moved to stand at the start of a line or word.
_SLIDE = 256

# Scripts written without spaces: every character is a word. Thai to Khmer, CJK with kana and Hangul, CJK extensions.
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
_WORDS = re.compile(rf"[^\W{_SPACELESS}]+|[^\S\n]+|.", re.DOTALL)


class _Grain(IntEnum):
    """How fine a range is cut; each range is cut once at a grain."""

    LINES = 0
    SAMPLES = 1
    WORDS = 2
    CHARACTERS = 3
    WHOLE = 4


def lines_of(text: str) -> list[str]:
    """The lines with their newlines; only LF ends a line, and an empty last line is none."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def diff(old: str, new: str) -> list[Splice]:
    """Splices that make `new` of `old`: small where the texts are alike, never many for texts that are not.

    Takes bounded time beyond reading both texts; a text that changed everywhere may be replaced in large pieces.
    """
    gap = Gap(0, len(old), 0, len(new))
    head = common_prefix(old, new, gap)
    tail = common_suffix(old, new, gap._replace(a=head, b=head))
    # Back to whole lines: a new "- b" before "- c" is a line of its own, not "b\n- " after the dash.
    head = old.rfind("\n", 0, head) + 1
    if tail:
        after = old.find("\n", len(old) - tail)
        tail = 0 if after < 0 else len(old) - after - 1
    work = Work(_WORK_STEPS)
    splices = _cut(old[head : len(old) - tail], new[head : len(new) - tail], head, _Grain.LINES, work)
    return _slid(old, splices)


def refine(text: str, splices: Iterable[Splice]) -> list[Splice]:
    """Splices of the same effect on `text` that keep what the given ones delete only to insert it again."""
    work = Work(_WORK_STEPS)
    # Replacing all of something brings the same pair over and over.
    known: dict[tuple[str, str], list[Splice]] = {}
    finer: list[Splice] = []
    for splice in splices:
        pair = text[splice.at : splice.end], splice.insert
        if pair not in known:
            known[pair] = _cut(*pair, 0, _Grain.LINES, work)
        finer += [Splice(splice.at + part.at, part.delete, part.insert) for part in known[pair]]
    return canonical(finer)


def _cut(old: str, new: str, at: int, grain: _Grain, work: Work) -> list[Splice]:
    """Splices for one changed range that starts at `at` in the original text."""
    if grain is not _Grain.LINES:
        old, new, head = _trimmed(old, new)
        at += head
    if not old or not new:
        return [Splice(at, len(old), new)] if old or new else []
    grain = _fitting(grain, old, new, work)
    if grain is _Grain.WHOLE:
        return [Splice(at, len(old), new)]
    matches = _matches(old, new, grain, work)
    if grain is _Grain.WORDS and _rewritten(old, new, matches):
        return [Splice(at, len(old), new)]
    splices: list[Splice] = []
    i = j = 0
    for match in (*matches, Match(len(old), len(new), 0)):
        splices += _cut(old[i : match.a], new[j : match.b], at + i, _Grain(grain + 1), work)
        i, j = match.a + match.length, match.b + match.length
    return _tidied(old, at, splices) if grain is _Grain.WORDS else splices


def _trimmed(old: str, new: str) -> tuple[str, str, int]:
    """Both without what is the same at their ends, and how much that is at the start."""
    gap = Gap(0, len(old), 0, len(new))
    head = common_prefix(old, new, gap)
    tail = common_suffix(old, new, gap._replace(a=head, b=head))
    return old[head : len(old) - tail], new[head : len(new) - tail], head


def _fitting(grain: _Grain, old: str, new: str, work: Work) -> _Grain:
    """`grain`, or the next finer one that suits the size of the range."""
    size = len(old) + len(new)
    if grain is _Grain.LINES and not 0 < old.count("\n") + new.count("\n") < work.left // 2:
        grain = _Grain.SAMPLES
    if grain is _Grain.SAMPLES and size <= _LONG_RANGE:
        grain = _Grain.WORDS
    if grain is _Grain.WORDS:
        return grain if work.left and size <= _LONGEST_IN_WORDS else _Grain.WHOLE
    if grain is _Grain.CHARACTERS and size > _SHORT_RANGE:
        return _Grain.WHOLE
    return grain


def _matches(old: str, new: str, grain: _Grain, work: Work) -> list[Match]:
    """What stays in a range, in code points; less the less work is left."""
    if grain is _Grain.CHARACTERS:
        return align(old, new, work)
    if grain is _Grain.SAMPLES:
        return sample(old, new)
    cut = lines_of if grain is _Grain.LINES else _WORDS.findall
    old_tokens, new_tokens = cut(old), cut(new)
    if not work.spend(len(old_tokens) + len(new_tokens)):
        return []
    names: dict[str, int] = {}
    a = "".join([chr(names.setdefault(token, len(names))) for token in old_tokens])
    b = "".join([chr(names.setdefault(token, len(names))) for token in new_tokens])
    return _in_code_points(align(a, b, work), old_tokens, new_tokens)


def _rewritten(old: str, new: str, matches: list[Match]) -> bool:
    if len(old) + len(new) <= _PARAGRAPHS:
        return False
    return 4 * sum(match.length for match in matches) < min(len(old), len(new))


def _in_code_points(matches: list[Match], old_tokens: Sequence[str], new_tokens: Sequence[str]) -> list[Match]:
    old_starts = list(accumulate(map(len, old_tokens), initial=0))
    new_starts = list(accumulate(map(len, new_tokens), initial=0))
    return [Match(old_starts[m.a], new_starts[m.b], old_starts[m.a + m.length] - old_starts[m.a]) for m in matches]


def _tidied(old: str, start: int, splices: list[Splice]) -> list[Splice]:
    """Joins replacements around a kept piece no longer than what either replaces: chance, not kinship.

    Of "foo bar" made "baz qux" the space is no anchor worth two operations; a word that gets brackets around it is.
    """
    groups: list[list[Splice]] = []
    replaced = 0
    for splice in splices:
        weight = min(splice.delete, len(splice.insert))
        if groups and splice.at - groups[-1][-1].end <= min(replaced, weight):
            replaced += splice.at - groups[-1][-1].end + weight
            groups[-1].append(splice)
        else:
            replaced = weight
            groups.append([splice])
    return [group[0] if len(group) == 1 else _one(old, start, group) for group in groups]


def _one(old: str, start: int, group: list[Splice]) -> Splice:
    parts: list[str] = []
    done = group[0].at
    for splice in group:
        parts += (old[done - start : splice.at - start], splice.insert)
        done = splice.end
    return Splice(group[0].at, done - group[0].at, "".join(parts))


def _slid(old: str, splices: list[Splice]) -> list[Splice]:
    """Moves inserts and deletions to the start of a line or a word where the text comes out the same."""
    moved: list[Splice] = []
    for splice in canonical(splices):
        pure = not splice.delete or not splice.insert
        floor = moved[-1].end + 1 if moved else 0
        moved.append(_to_boundary(old, splice, floor) if pure and splice.end < len(old) else splice)
    return moved


def _to_boundary(old: str, splice: Splice, floor: int) -> Splice:
    changed = splice.insert or old[splice.at : splice.end]
    has_line, has_space = "\n" in changed, any(map(str.isspace, changed[:_SLIDE]))
    word_start = None
    for back in range(min(_SLIDE, splice.at - floor) + 1):
        at = splice.at - back
        if back and old[at] != changed[-1 - (back - 1) % len(changed)]:
            break
        before = old[at - 1] if at else "\n"
        if has_line and before == "\n":
            return _moved(splice, changed, back)
        if has_space and word_start is None and before.isspace():
            word_start = back
    return _moved(splice, changed, word_start or 0)


def _moved(splice: Splice, changed: str, back: int) -> Splice:
    turn = back % len(changed)
    turned = changed[len(changed) - turn :] + changed[: len(changed) - turn]
    return Splice(splice.at - back, splice.delete, turned if splice.insert else "")
