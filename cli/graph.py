"""A workflow's jobs, how they are and which of them wait for which: as text, in the language of Graphviz, or as SVG.

Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prominence.cli import svg, view
from prominence.cli.render.text import clean

Statuses = Mapping[str, Mapping[str, int]]
"""By the name of a job: how many of its instances have which status."""

_ORDER = ("completed", "running", "idle", "deploying", "waiting", "deleted", "killed", "failed")


def statuses(nodes: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Of a workflow's nodes."""
    found: dict[str, Counter[str]] = {}
    for node in nodes:
        found.setdefault(view.text(node, "job"), Counter())[view.status(node)] += 1
    return {job: {word: counts[word] for word in sorted(counts, key=_place)} for job, counts in found.items()}


def text(workflow: Mapping[str, Any], known: Statuses) -> str:
    """A line for each job: how its instances are, and which jobs wait for it."""
    return "\n".join(_lines(workflow, known))


def dot(workflow: Mapping[str, Any], known: Statuses) -> str:
    """For Graphviz."""
    names = [f"  {_quoted(name)}{_labelled(name, known)};" for name in _names(workflow)]
    edges = [f"  {_quoted(parent)} -> {_quoted(child)};" for parent, child in _edges(workflow)]
    return "\n".join(["digraph {", *names, *edges, "}"])


def drawing(workflow: Mapping[str, Any], known: Statuses) -> str:
    """As SVG."""
    names = list(dict.fromkeys(_names(workflow)))
    there = set(names)
    edges = [(parent, child) for parent, child in _edges(workflow) if parent in there and child in there]
    return svg.svg(names, edges, known)


def _place(word: str) -> int:
    return _ORDER.index(word) if word in _ORDER else len(_ORDER)


def _lines(workflow: Mapping[str, Any], known: Statuses) -> Iterator[str]:
    children: dict[str, list[str]] = {}
    for parent, child in _edges(workflow):
        children.setdefault(parent, []).append(child)
    for name in _names(workflow):
        told = _told(name, known)
        job = f"{clean(name)} [{told}]" if told else clean(name)
        yield " -> ".join([job, *([", ".join(map(clean, children[name]))] if name in children else [])])


def _told(name: str, known: Statuses) -> str:
    """Such as "30 completed, 3 failed"; of one instance the status alone."""
    counts = known.get(name, {})
    if sum(counts.values()) == 1:
        return clean(next(iter(counts)))
    return ", ".join(f"{count} {clean(word)}" for word, count in counts.items())


def _labelled(name: str, known: Statuses) -> str:
    told = _told(name, known)
    label = "\n".join([clean(name), told])
    return f" [label={json.dumps(label, ensure_ascii=False)}]" if told else ""


def _names(workflow: Mapping[str, Any]) -> list[str]:
    return [view.text(job, "name") for job in (*view.mappings(workflow, "jobs"), *_at_the_end(workflow))]


def _edges(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each once: who depends on a job may be passed something by it, too."""
    yield from dict.fromkeys((*_of_dependencies(workflow), *_of_passing(workflow)))


def _of_dependencies(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for parent, children in view.mapping(workflow, "dependencies").items():
        for child in children if isinstance(children, list) else ():
            yield parent, str(child)


def _of_passing(workflow: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for job in view.mappings(workflow, "jobs"):
        for artifact in view.mappings(job, "artifacts"):
            if giver := view.text(artifact, "from"):
                yield giver, view.text(job, "name")


def _at_the_end(workflow: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [job for field in ("onFailure", "finally") if (job := view.mapping(workflow, field))]


def _quoted(name: str) -> str:
    return json.dumps(clean(name), ensure_ascii=False)
