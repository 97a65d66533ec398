"""A workflow's drawing: one that can be read, whatever its jobs are called and however they wait."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.layers import layout
from prominence.cli.svg import svg

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {f"{SVG}{name}" for name in ("svg", "rect", "g", "path", "title", "text")}

HOSTILE = [
    "</title><script>alert(1)</script>",
    '"><image href="http://evil.test/"/>',
    "]]>",
    "&lt;b&gt; &#x3c;",
    "<!-- -->",
    "a\x00\x1b[2J\ud800\ufffe",
    "'; fill: red",
    "e\u0301\u202eon",
    "a" * 255,
]


def titles(drawing: str) -> list[str]:
    return [str(one.text) for one in ElementTree.fromstring(drawing).iter(f"{SVG}title")]


def test_hostile_names_are_texts_and_nothing_else() -> None:
    drawing = svg(HOSTILE, list(zip(HOSTILE, HOSTILE[1:], strict=False)), {HOSTILE[0]: {"<b>": 1}})
    assert {one.tag for one in ElementTree.fromstring(drawing).iter()} <= ELEMENTS
    assert titles(drawing)[0] == f"{HOSTILE[0]}: 1 <b>"
    assert titles(drawing)[-1] == HOSTILE[-1]
    assert len(drawing.encode().decode()) == len(drawing)


def test_a_line_past_a_layer_goes_beside_the_jobs_in_it() -> None:
    made = layout(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    assert made.home == {"a": 0, "b": 1, "c": 2}
    assert set(made.layers[1]) == {("b", 1), ("a", 1)}
    assert (("a", 0), ("a", 1), ("c", 2)) in made.lines


def test_lines_that_need_not_cross_do_not() -> None:
    made = layout(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
    first, second = ([name for name, _ in layer] for layer in made.layers)
    assert (first.index("a") < first.index("b")) == (second.index("y") < second.index("x"))


_names = st.lists(st.text(max_size=5) | st.sampled_from(HOSTILE), unique=True, max_size=12)


@given(_names, st.data())
def test_every_job_is_drawn_once_and_behind_those_it_waits_for(names: list[str], data: st.DataObject) -> None:
    pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
    edges = data.draw(st.lists(st.sampled_from(pairs), max_size=20)) if pairs else []
    made = layout(names, edges)
    assert sorted(name for layer in made.layers for name, at in layer if made.home[name] == at) == sorted(names)
    assert all(made.home[parent] < made.home[child] for parent, child in edges)
    statuses: Mapping[str, Mapping[str, int]] = {name: {"failed": 1, "completed": 2} for name in names[::2]}
    assert len(titles(svg(names, edges, statuses))) == len(names)


def test_a_circle_that_a_strange_service_tells_of_is_drawn_all_the_same() -> None:
    assert titles(svg(["a", "b"], [("a", "b"), ("b", "a"), ("a", "a")], {})) == ["a", "b"]
