"""What jobs of a workflow pass to each other: what cannot be is refused, and what can be has its place."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

import pytest
from builders import job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import instances, passing, workflow_problems
from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.validation import parse
from prominence.core.workflow import WorkflowSpec


def keeps(name: str, *files: str, **changes: Any) -> dict[str, Any]:
    return job_json(name=name, outputFiles=list(files), **changes)


def takes(name: str, *artifacts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return job_json(name=name, artifacts=list(artifacts), **changes)


def spec(*jobs: dict[str, Any], **fields: Any) -> WorkflowSpec:
    return parse(WorkflowSpec, {"jobs": list(jobs), **fields})


def problems(*jobs: dict[str, Any], **fields: Any) -> list[str]:
    of = spec(*jobs, **fields)
    return [str(one) for one in [*workflow_problems.problems(of, 100), *passing.problems(of), *instances.problems(of)]]


def zipped(*jobs: str, values: tuple[str, ...] = ("1", "2")) -> dict[str, Any]:
    return {"type": "zip", "jobs": list(jobs), "parameters": [{"name": "x", "values": list(values)}]}


def test_who_is_passed_something_waits_for_it() -> None:
    of = spec(keeps("a", "o"), takes("b", {"from": "a"}), takes("c", {"from": "a"}), dependencies={"b": ["c"]})
    assert of.children() == {"a": ("b", "c"), "b": ("c",)}
    assert problems(keeps("a", "o", artifacts=[{"from": "b"}]), keeps("b", "o", artifacts=[{"from": "a"}])) == [
        "dependencies: these wait for each other for ever: b -> a -> b"
    ]
    assert problems(keeps("a", "o", artifacts=[{"from": "b"}]), keeps("b", "o"), dependencies={"a": ["b"]}) == [
        "dependencies: these wait for each other for ever: a -> b -> a"
    ]


def test_what_nobody_can_pass_is_refused_with_its_place() -> None:
    told = problems(
        keeps("a", "out-*.txt", "log", outputDirs=["results"]),
        job_json(name="none"),
        takes(
            "b",
            {"from": "A"},
            {"from": "none"},
            {"from": "a", "select": "out.txt"},
            {"from": "a", "select": "results/log"},
            {"url": "x"},
            {"from": "b"},
        ),
    )
    assert told[1:] == [
        "jobs[2].artifacts[0].from: there is no job A",
        "jobs[2].artifacts[1].from: job none has neither outputFiles nor outputDirs to pass",
        "jobs[2].artifacts[2].select: job a has no such output; it has out-*.txt, log, results",
        "jobs[2].artifacts[3].select: job a has no such output; it has out-*.txt, log, results",
        "jobs[2].artifacts[5].from: is the job itself; what it keeps is there when it has ended",
    ]
    assert told[0].startswith("dependencies: these wait for each other for ever: b -> b")


def test_what_is_no_such_artifact_is_told_with_its_place() -> None:
    for artifact, told in (
        ({"from": "a", "url": "b"}, "jobs[1].artifacts[0].url: unknown field"),
        ({"from": 3}, "jobs[1].artifacts[0].from: must be a text"),
        ({"from": "a", "select": "../b"}, "jobs[1].artifacts[0].select: must be a path"),
        ({"from": "a", "directory": "/etc"}, "jobs[1].artifacts[0].directory: must be a path"),
        ({"job": "a"}, "jobs[1].artifacts[0].url: this field is required"),
    ):
        with pytest.raises(Rejected, match=re.escape(told)):
            spec(keeps("a", "o"), takes("b", artifact))


def test_a_job_of_its_own_is_passed_nothing() -> None:
    with pytest.raises(Rejected, match=re.escape("artifacts[0].from: unknown field")):
        parse(JobSpec, takes("b", {"from": "a"}))


def test_a_job_at_the_end_is_passed_what_others_keep_and_passes_nothing() -> None:
    last = takes("z", {"url": "x"}, {"from": "a"}, {"from": "b", "select": "o"}, outputFiles=["all"])
    jobs = (keeps("a", "o", "p"), keeps("b", "o"))
    of = spec(*jobs, onFailure=last, factories=[zipped("a")])
    assert problems(*jobs, onFailure=last, factories=[zipped("a")]) == []
    assert of.children() == {}
    assert [(way.instances, way.numbered, way.directory) for way in passing.passings(of, of.every[2])] == [
        (2, True, "a"),
        (1, False, ""),
    ]
    wrong = takes("z", {"from": "a", "select": "q"}, {"from": "z"}, {"from": "b"}, {"from": "A"}, {"from": "a"})
    assert problems(takes("b", {"from": "z"}), keeps("a", "o"), **{"finally": wrong}) == [
        "jobs[0].artifacts[0].from: z runs when all others have ended",
        "finally.artifacts[0].select: job a has no such output; it has o",
        "finally.artifacts[1].from: is the job itself; what it keeps is there when it has ended",
        "finally.artifacts[2].from: job b has neither outputFiles nor outputDirs to pass",
        "finally.artifacts[3].from: there is no job A",
    ]


def test_a_directory_is_selected_by_its_path_or_as_its_archive() -> None:
    for select in ("results", "results.tgz", "res*", "*"):
        taker = takes("b", {"from": "a", "select": select})
        assert problems(job_json(name="a", outputDirs=["results"]), taker) == []


def test_where_it_lands_depends_on_who_has_instances() -> None:
    def way(*factories: dict[str, Any], **artifact: Any) -> tuple[int, bool, bool, str]:
        of = spec(keeps("a", "o"), takes("b", {"from": "a", **artifact}), factories=list(factories))
        [found] = passing.passings(of, of.jobs[1])
        return found.instances, found.in_pairs, found.numbered, found.directory

    assert way() == (1, False, False, "")
    assert way(directory="in") == (1, False, False, "in")
    assert way(zipped("b")) == (1, False, False, "")
    assert way(zipped("a")) == (2, False, True, "a")
    assert way(zipped("a"), directory="in") == (2, False, True, "in")
    assert way(zipped("a", "b")) == (2, True, False, "")
    assert way(zipped("a"), zipped("b")) == (2, False, True, "a")


def test_a_directory_is_to_be_named_where_the_other_jobs_name_cannot_be_one() -> None:
    for name in ("..", "a//b", "/a", "a" * 256):
        jobs = keeps(name, "o"), takes("b", {"from": name})
        [told] = problems(*jobs, factories=[zipped(name)])
        assert told == f"jobs[1].artifacts[0].directory: is needed: no directory can be called {name}"
        assert problems(*jobs) == []
        jobs = keeps(name, "o"), takes("b", {"from": name, "directory": "in"})
        assert problems(*jobs, factories=[zipped(name)]) == []


def test_files_that_would_take_each_others_place_are_refused() -> None:
    jobs = keeps("a", "o", "p"), keeps("b", "o")
    told = "jobs[2].artifacts[1]: brings o, and so does jobs[2].artifacts[0]; say with directory where it goes"
    assert problems(*jobs, takes("c", {"from": "a"}, {"from": "b"})) == [told]
    assert problems(*jobs, takes("c", {"from": "a", "select": "p"}, {"from": "b"})) == []
    assert problems(*jobs, takes("c", {"from": "a"}, {"from": "b", "directory": "b"})) == []
    assert problems(*jobs, takes("c", {"from": "a"}, {"from": "b"}), factories=[zipped("a", "b")]) == []


def test_the_values_of_every_instance_must_make_something_that_can_be_selected() -> None:
    jobs = keeps("a", "out-$x"), takes("b", {"from": "a", "select": "out-$x", "directory": "in/$x"})
    assert problems(*jobs, factories=[zipped("b", values=("1", "2"))]) == []
    told = problems(*jobs, factories=[zipped("b", values=("1", "../.."))])
    assert [one.partition(":")[0] for one in told] == [
        "jobs[1].artifacts[0].select",
        "jobs[1].artifacts[0].select",
        "jobs[1].artifacts[0].directory",
    ]


def test_selects_beyond_measure_are_refused_and_not_compared() -> None:
    giver = keeps("a", *(f"o{number}" for number in range(1000)))
    takers = [takes(f"b{number}", *[{"from": "a", "select": "o1"}] * 100) for number in range(3)]
    told = problems(giver, *takers)
    assert any(one.endswith("the jobs select from more outputs than are compared") for one in told)


_part = st.text(st.sampled_from("ab.*?[]!"), min_size=1, max_size=6)


@given(_part, _part, st.text(st.sampled_from("ab."), max_size=8))
def test_patterns_that_some_name_matches_are_never_said_not_to_be_alike(one: str, other: str, name: str) -> None:
    if fnmatch.fnmatchcase(name, one) and fnmatch.fnmatchcase(name, other):
        assert passing.may_be_alike(one, other)
    assert passing.may_be_alike(one, other) == passing.may_be_alike(other, one)
    assert passing.may_be_alike(one, one)


def test_patterns_that_differ_before_or_behind_what_is_special_are_not_alike() -> None:
    for one, other in (("out.txt", "out-*.txt"), ("a*", "b*"), ("*.txt", "*.csv"), ("a/b", "a"), ("ab*ba", "aba")):
        assert not passing.may_be_alike(one, other)
