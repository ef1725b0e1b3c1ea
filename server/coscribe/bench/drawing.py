"""Small SVG drawings: bars, and lines over powers of ten. They follow the reader's light or dark scheme."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from statistics import median

Points = Sequence[tuple[float, float]]

# Okabe and Ito's colours, which people with colour blindness tell apart, in both schemes.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.small { font-size: 11px }
.grid { stroke: #d1d9e0 }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #d1d7e0 } .grid { stroke: #3d444d } }
"""
_WIDTH = 720
_LEFT, _RIGHT, _TOP = 70, 40, 40
_HEIGHT = 260


def shown(value: float) -> str:
    """A number in few characters: 3.7 M, 42,000, 0.25."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} M"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def bars(title: str, values: Mapping[str, Sequence[float]]) -> str:
    """A bar for each name: the median of its values, with a thin line from the least to the most.

    Who has none keeps his colour for the next drawing.
    """
    most = max(max(found) for found in values.values() if found) or 1
    label, step = 220, 30
    scale = (_WIDTH - label - 90) / most
    parts = [_text(10, 22, title)]
    there = [(name, _COLOURS[i % 6]) for i, name in enumerate(values) if values[name]]
    for i, (name, colour) in enumerate(there):
        y = _TOP + i * step
        middle, low, high = median(values[name]), min(values[name]), max(values[name])
        parts += [
            _text(label - 8, y + 15, name, "end"),
            f'<rect x="{label}" y="{y}" width="{max(1, middle * scale):.1f}" height="20" fill="{colour}"/>',
            _line(label + low * scale, y + 10, label + high * scale, y + 10, "grid"),
            _text(label + high * scale + 8, y + 15, shown(middle)),
        ]
    return _svg(title, _TOP + len(there) * step + 10, parts)


def lines(title: str, across: str, series: Mapping[str, Points], *, is_log: bool = True) -> str:
    """A line for each name; both axes by powers of ten, or across in plain steps where that is not wanted."""
    points = [point for found in series.values() for point in found]
    x = _axis([at for at, _ in points], _LEFT, _WIDTH - _RIGHT, is_log=is_log)
    y = _axis([value for _, value in points], _TOP + _HEIGHT, _TOP, is_log=True)
    parts = [_text(10, 22, title), _text(_WIDTH / 2, _TOP + _HEIGHT + 40, across, "middle")]
    for tick in _ticks([at for at, _ in points], is_log=is_log):
        parts += [_text(x(tick), _TOP + _HEIGHT + 18, shown(tick), "middle", "small")]
    for tick in _ticks([value for _, value in points], is_log=True):
        parts += [
            _line(_LEFT, y(tick), _WIDTH - _RIGHT, y(tick), "grid"),
            _text(_LEFT - 6, y(tick) + 4, shown(tick), "end", "small"),
        ]
    there = [(name, _COLOURS[i % 6]) for i, name in enumerate(series) if series[name]]
    for i, (name, colour) in enumerate(there):
        parts += _curve([(x(at), y(value)) for at, value in series[name]], colour)
        parts += _key(i, name, colour)
    return _svg(title, _TOP + _HEIGHT + 60 + 20 * math.ceil(len(there) / 3), parts)


def _curve(points: Points, colour: str) -> list[str]:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return [f'<polyline class="line" stroke="{colour}" points="{joined}"/>', *dots]


def _key(i: int, name: str, colour: str) -> list[str]:
    x, y = _LEFT + i % 3 * 215, _TOP + _HEIGHT + 64 + 20 * (i // 3)
    return [f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>', _text(x + 18, y, name)]


def _axis(values: Sequence[float], start: float, end: float, *, is_log: bool) -> Callable[[float], float]:
    """Where a value stands between two ends."""
    ticks = _ticks(values, is_log=is_log)
    place = math.log10 if is_log else float
    low, high = place(ticks[0]), place(ticks[-1])
    return lambda value: start + (end - start) * (place(value) - low) / (high - low)


def _ticks(values: Sequence[float], *, is_log: bool) -> list[float]:
    """Powers of ten around the values, or a few even steps."""
    if not is_log:
        step = max(1, math.ceil(max(values) / 10))
        return [float(tick) for tick in range(0, math.ceil(max(values)) + step, step)]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" class="{kind}"/>'


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )
