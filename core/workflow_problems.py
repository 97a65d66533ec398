"""What is wrong with a workflow as a whole: what cannot be seen in one of its fields alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from prominence.core.errors import Mistake
from prominence.core.workflow import WorkflowSpec

MOST_TELLING = 20
"""Jobs of a workflow of whose end their user is told."""


def problems(spec: WorkflowSpec, most: int) -> Iterator[Mistake]:
    """All that is wrong with it as a whole. most: instances that all its jobs may have together."""
    yield from _of_names(spec)
    yield from _of_notifications(spec)
    if len(spec.at_the_end) > 1:  # DAGMan has one last node
        yield Mistake("finally", _ONE_END)
    yield from _of_dependencies(spec)
    yield from _of_factories(spec)
    total = sum(spec.counts())
    if total > most:
        yield Mistake("factories", f"make {total} jobs; at most {most} are taken in one workflow")


_ONE_END = (
    "cannot be beside onFailure: one job runs at the end; write finally alone, and let it go by "
    "PROMINENCE_WORKFLOW_STATUS"
)


def _of_names(spec: WorkflowSpec) -> Iterator[Mistake]:
    seen: set[str] = set()
    for place, job in enumerate(spec.every):
        path = spec.path_of(place)
        if job.name in seen:
            yield Mistake(f"{path}.name", f"{job.name} is the name of another job")
        seen.add(job.name)
        if job.group is not None:
            yield Mistake(f"{path}.group", "is said of the workflow as a whole: write it beside jobs")


def _of_notifications(spec: WorkflowSpec) -> Iterator[Mistake]:
    if len(spec.notifications) != len(set(spec.notifications)):
        yield Mistake("notifications", "one of them is there twice")
    of_one = {place: spec.factory_of(job.name) is None for place, job in enumerate(spec.every) if job.notifications}
    for place in (place for place, alone in of_one.items() if not alone):
        sentence = "is for jobs without a factory: of many instances nobody is told one by one; write workflowFinished"
        yield Mistake(f"{spec.path_of(place)}.notifications", f"{sentence} in the workflow's own notifications")
    if len(of_one) > MOST_TELLING:
        yield Mistake("jobs", f"at most {MOST_TELLING} of them may have notifications, not {len(of_one)}")


def _of_dependencies(spec: WorkflowSpec) -> Iterator[Mistake]:
    names = {job.name for job in spec.jobs}
    for parent, children in spec.dependencies.items():
        path = f"dependencies.{parent}"
        if parent not in names:
            yield Mistake(path, f"there is no job {parent}")
        seen: set[str] = set()
        for place, child in enumerate(children):
            if child not in names:
                yield Mistake(f"{path}[{place}]", f"there is no job {child}")
            elif child in seen:
                yield Mistake(f"{path}[{place}]", f"{child} is there twice")
            seen.add(child)
    cycle = _cycle(spec.children())
    if cycle:
        yield Mistake("dependencies", f"these wait for each other for ever: {' -> '.join(cycle)}")


def _cycle(children: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The names along one, the first again at its end; none if there is none."""
    try:
        TopologicalSorter(children).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _of_factories(spec: WorkflowSpec) -> Iterator[Mistake]:
    names = {job.name for job in spec.jobs}
    seen: set[str] = set()
    for place, factory in enumerate(spec.factories):
        for number, job in enumerate(factory.jobs):
            path = f"factories[{place}].jobs[{number}]"
            if job not in names:
                yield Mistake(path, f"there is no job {job}")
            elif job in seen:
                yield Mistake(path, f"another factory makes instances of {job}, too; write one with all parameters")
            seen.add(job)
