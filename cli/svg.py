"""A workflow as a drawing in SVG: a box for each job with how its instances are, lines to the jobs that wait for it.

Pure. Names are texts in it and nothing else: no text of a user's becomes an element, an attribute or a style.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from prominence.cli.layers import Layout, Spot, layout
from prominence.cli.render.text import clean

Counts = Mapping[str, int]
"""How many instances of a job have which status."""

WIDTH, HEIGHT = 190, 46
"""Of a box."""
_GAP_X, _GAP_Y, _MARGIN = 70, 18, 20
_PAST = 14
"""How high the place is where a line leads past a layer."""
_LONGEST_NAME = 24

_COLOURS = {
    "completed": "#4c9a5b",
    "failed": "#c8473d",
    "killed": "#c8473d",
    "deleted": "#8a6d3b",
    "running": "#3d78c8",
}
_WAITS = "#c9ccd1"

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    ' font-family="sans-serif" font-size="12">'
)


def svg(names: list[str], edges: list[tuple[str, str]], statuses: Mapping[str, Counts]) -> str:
    """The drawing. statuses: by the names of jobs, where they are known."""
    made = layout(names, edges)
    places, height = _places(made)
    width = 2 * _MARGIN + max(1, len(made.layers)) * (WIDTH + _GAP_X) - _GAP_X
    boxes = (line for name in names for line in _box(name, places[name, made.home[name]], statuses.get(name, {})))
    lines = (_line(line, places) for line in made.lines)
    return "\n".join(
        [
            _HEAD.format(width=width, height=height),
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            '<g fill="none" stroke="#7a808a" stroke-width="1.5">',
            *lines,
            "</g>",
            *boxes,
            "</svg>",
        ]
    )


def _places(made: Layout) -> tuple[dict[Spot, tuple[float, float]], int]:
    """The left edge and the middle of each spot's height, and how high all of it is."""
    heights = [sum(_height(spot, made) + _GAP_Y for spot in layer) - _GAP_Y for layer in made.layers]
    tallest = max(heights, default=0)
    places: dict[Spot, tuple[float, float]] = {}
    for number, (layer, height) in enumerate(zip(made.layers, heights, strict=True)):
        top = _MARGIN + (tallest - height) / 2
        for spot in layer:
            own = _height(spot, made)
            places[spot] = (_MARGIN + number * (WIDTH + _GAP_X), top + own / 2)
            top += own + _GAP_Y
    return places, tallest + 2 * _MARGIN


def _height(spot: Spot, made: Layout) -> int:
    name, layer = spot
    return HEIGHT if made.home[name] == layer else _PAST


def _line(line: tuple[Spot, ...], places: Mapping[Spot, tuple[float, float]]) -> str:
    """From the right edge of each spot to the left edge of the next, and straight through those between."""
    (x, y), *others = (places[spot] for spot in line)
    parts = [f"M{x + WIDTH:g} {y:g}"]
    for number, (left, middle) in enumerate(others):
        bend = left - _GAP_X / 2
        parts.append(f"C{bend:g} {y:g} {bend:g} {middle:g} {left:g} {middle:g}")
        if number < len(others) - 1:
            parts.append(f"H{left + WIDTH:g}")
        y = middle
    return f'<path d="{"".join(parts)}"/>'


def _box(name: str, place: tuple[float, float], counts: Counts) -> Iterator[str]:
    x, y = place[0], place[1] - HEIGHT / 2
    shown = clean(name)
    short = shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"
    told = ", ".join(f"{count} {clean(word)}" for word, count in counts.items())
    yield "<g>"
    yield f"<title>{escape(f'{shown}: {told}' if told else shown)}</title>"
    yield f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="#f6f7f9" stroke="#7a808a"/>'
    yield f'<text x="{x + 10:g}" y="{y + 18:g}">{escape(short)}</text>'
    if told:
        less = told if len(told) <= _LONGEST_NAME + 8 else f"{sum(counts.values())} instances"
        yield f'<text x="{x + 10:g}" y="{y + 33:g}" font-size="10" fill="#555">{escape(less)}</text>'
    yield from _bar(x, y + HEIGHT - 6, counts)
    yield "</g>"


def _bar(x: float, y: float, counts: Counts) -> Iterator[str]:
    """As much of each colour as there are instances of that status."""
    total = sum(counts.values())
    begun = 0
    for word, count in counts.items():
        left, wide = x + WIDTH * begun / total, WIDTH * count / total
        yield f'<rect x="{left:g}" y="{y:g}" width="{wide:g}" height="6" fill="{_COLOURS.get(word, _WAITS)}"/>'
        begun += count
