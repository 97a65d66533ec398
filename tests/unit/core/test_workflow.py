"""What is wrong with a workflow is told all at once, each with its place."""

from __future__ import annotations

from typing import Any

import pytest
from builders import job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import instances, workflow_problems
from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.validation import parse
from prominence.core.workflow import WorkflowSpec


def spec(*jobs: str | dict[str, Any], **fields: Any) -> WorkflowSpec:
    made = [job_json(name=one) if isinstance(one, str) else job_json(**one) for one in jobs]
    return parse(WorkflowSpec, {"jobs": made, **fields})


def problems(*jobs: str | dict[str, Any], most: int = 100, **fields: Any) -> list[str]:
    return [str(one) for one in workflow_problems.problems(spec(*jobs, **fields), most)]


def of_instances(job: dict[str, Any], *values: Any) -> list[str]:
    factory = {"type": "zip", "jobs": ["a"], "parameters": [{"name": "x", "values": list(values)}]}
    return [str(one) for one in instances.problems(spec({"name": "a", **job}, factories=[factory]))]


def test_names_are_there_and_each_once() -> None:
    assert problems("a", "a", "b/c d") == ["jobs[1].name: a is the name of another job"]
    with pytest.raises(Rejected) as refusal:
        parse(WorkflowSpec, {"jobs": [job_json(name=""), job_json()]})
    assert [one.path for one in refusal.value.mistakes] == ["jobs[0].name", "jobs[1].name"]


def test_parents_and_children_are_both_looked_for() -> None:
    assert problems("a", "b", dependencies={"a": ["b", "c", "b"], "d": []}) == [
        "dependencies.a[1]: there is no job c",
        "dependencies.a[2]: b is there twice",
        "dependencies.d: there is no job d",
    ]


def test_a_cycle_is_named() -> None:
    wait = {"a": ["b"], "b": ["c", "d"], "c": [], "d": ["b"]}
    assert problems(*"abcd", dependencies=wait) == ["dependencies: these wait for each other for ever: b -> d -> b"]
    assert problems("a", dependencies={"a": ["a"]}) == ["dependencies: these wait for each other for ever: a -> a"]


def test_more_names_than_there_may_be_jobs_are_refused_before_they_are_compared() -> None:
    for wait in ({"a": ["a"] * 1001}, {f"a{number}": [] for number in range(1001)}):
        with pytest.raises(Rejected, match="must be at most 1000 jobs, not 1001"):
            spec("a", dependencies=wait)


def test_each_wait_is_followed_once_however_long_the_way_to_it_is() -> None:
    compared = 0

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    names = [Name(f"a{number}") for number in range(100)]
    wait = {name: tuple(Name(other) for other in names[place + 1 :]) for place, name in enumerate(names)}
    assert list(workflow_problems.problems(spec(*map(str, names)).model_copy(update={"dependencies": wait}), 100)) == []
    assert compared < 10 * sum(map(len, wait.values()))


def test_a_job_is_in_one_factory_and_absurd_numbers_are_refused_before_any_instance_is_made() -> None:
    sweep = {"start": 0, "end": 999_999, "step": 1}
    huge = {"type": "parameterSweep", "jobs": ["a"], "parameters": [{"name": name, **sweep} for name in "xyz"]}
    again = {"type": "repeat", "jobs": ["a", "b"], "number": 2}
    assert problems("a", factories=[huge, again])[:2] == [
        "factories[1].jobs[0]: another factory makes instances of a, too; write one with all parameters",
        "factories[1].jobs[1]: there is no job b",
    ]
    assert problems("a", factories=[huge]) == [f"factories: make {10**18} jobs; at most 100 are taken in one workflow"]


def test_what_is_of_the_workflow_as_a_whole_is_not_said_of_a_job() -> None:
    told = problems({"name": "a", "group": "g"})
    assert [one.partition(":")[0] for one in told] == ["jobs[0].group"]


def test_of_jobs_with_many_instances_and_of_many_jobs_nobody_is_told_one_by_one() -> None:
    by_email = {"notifications": [{"event": "jobFinished", "type": "email"}]}
    factory = {"type": "repeat", "jobs": ["a"], "number": 2}
    [told] = problems({"name": "a", **by_email}, {"name": "b", **by_email}, factories=[factory])
    assert told.startswith("jobs[0].notifications: is for jobs without a factory")
    many = [{"name": f"j{number}", **by_email} for number in range(workflow_problems.MOST_TELLING + 1)]
    assert problems(*many) == ["jobs: at most 20 of them may have notifications, not 21"]
    assert problems(*many[1:]) == []
    of_all = {"event": "workflowFinished", "type": "email"}
    assert problems("a", notifications=[of_all]) == []
    assert problems("a", notifications=[of_all, of_all]) == ["notifications: one of them is there twice"]
    with pytest.raises(Rejected, match="workflowFinished"):
        spec("a", notifications=[{"event": "jobFinished", "type": "email"}])


def test_jobs_at_the_end_have_names_of_their_own_and_are_in_no_factory_and_no_dependency() -> None:
    ends = {"onFailure": job_json(name="a"), "finally": job_json(name="b", group="g")}
    assert problems(
        "a", **ends, dependencies={"a": ["b"]}, factories=[{"type": "repeat", "jobs": ["b"], "number": 2}]
    ) == [
        "onFailure.name: a is the name of another job",
        "finally.group: is said of the workflow as a whole: write it beside jobs",
        "finally: cannot be beside onFailure: one job runs at the end; write finally alone, and let it go by "
        "PROMINENCE_WORKFLOW_STATUS",
        "dependencies.a[0]: there is no job b",
        "factories[0].jobs[0]: there is no job b",
    ]
    of = spec("a", **{"finally": job_json(name="z")})
    assert (of.counts(), of.place_of("z"), of.path_of(1)) == ((1, 1), 1, "finally")
    assert of.as_written()["finally"]["name"] == "z"
    assert "onFailure" not in of.as_written()


def test_unknown_fields_and_mistakes_in_jobs_are_told_with_their_paths() -> None:
    with pytest.raises(Rejected) as refusal:
        parse(WorkflowSpec, {"jobs": [{"name": "a", "tasks": [], "resources": {}, "x": 1}], "y": 2, "dependencies": 3})
    told = {str(one) for one in refusal.value.mistakes}
    assert told >= {"jobs[0].tasks: at least one task is needed", "jobs[0].x: unknown field", "y: unknown field"}


def test_the_values_of_every_instance_must_make_a_job() -> None:
    image = {"tasks": [{"image": "python:$x"}]}
    assert of_instances(image, "3.12", "3.13") == []
    [told] = of_instances(image, "3.12", "no tag!", "3.12")
    assert told.startswith("jobs[0].tasks[0].image: not the name of a container image")
    assert told.endswith("(in instance 1)")
    [told] = of_instances({"tasks": [{"image": "$x"}]}, "python:3.12", "tool.sif")
    assert "must be of one kind in all instances" in told
    assert of_instances({"outputFiles": ["$x.txt"]}, "a", "../b")[0].startswith(
        "jobs[0].outputFiles[0]: must be a path"
    )
    assert "may not hold /" in of_instances({"outputFiles": ["$x.txt"]}, "a/b")[0]
    assert "may not change its kind" in of_instances({"artifacts": [{"url": "data/$x"}]}, "a", "b/c")[0]


def test_what_is_long_and_alike_in_all_instances_is_looked_at_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def noted(model: type[JobSpec], document: dict[str, Any]) -> JobSpec:
        sizes.append(len(str(document)))
        return parse(model, document)

    monkeypatch.setattr(instances, "parse", noted)
    task = {"image": "python", "cmd": "echo " + "x" * 5000, "env": {"A": "x" * 5000}}
    job = {"tasks": [task], "inputs": [{"filename": "f", "content": "A" * 5000}], "outputFiles": ["out_$x"]}
    assert of_instances(job, *range(4)) == []
    assert [size > 15_000 for size in sizes] == [True, False, False, False]
    assert max(sizes[1:]) < 1000


def test_values_are_as_long_as_they_are_in_an_ad_and_told_once_for_all_jobs() -> None:
    names = [f"x{number}" for number in range(8)]
    for long, fits in (("x" * 1000, "x" * 900), ("\U0001f600" * 100, "\U0001f600" * 70)):
        values = [{"name": name, "values": [fits, long]} for name in names]
        made = spec("a", "b", factories=[{"type": "zip", "jobs": ["a", "b"], "parameters": values}])
        [told] = map(str, instances.problems(made))
        assert told == "factories[0]: the values of an instance are longer than 8000 characters (in instance 1)"


def test_a_job_without_a_factory_has_no_parameters() -> None:
    [told] = [str(one) for one in instances.problems(spec({"name": "a", "tasks": [{"image": "python:$x"}]}))]
    assert told.startswith("jobs[0].tasks[0].image: not the name of a container image")


_names = st.sampled_from("abcdefgh")


@given(st.dictionaries(_names, st.lists(_names, unique=True)))
def test_a_cycle_is_found_exactly_when_there_is_one(wait: dict[str, list[str]]) -> None:
    found = [one for one in problems(*"abcdefgh", dependencies=wait) if "for ever" in one]
    left = {name: set(children) for name, children in wait.items()}
    while leaves := [name for name, children in left.items() if not children & left.keys()]:
        for name in leaves:
            del left[name]
    assert bool(found) == bool(left)
    if found:
        around = found[0].rpartition(": ")[2].split(" -> ")
        assert around[0] == around[-1]
        assert all(child in wait[parent] for parent, child in zip(around, around[1:], strict=False))


STORAGE = {
    "type": "webdav",
    "mountpoint": "/data",
    "webdav": {"url": "https://cloud.example.org/", "username": "u", "password": "p"},
}


def test_jobs_that_say_nothing_of_storage_have_the_workflows() -> None:
    own = {**STORAGE, "mountpoint": "/own"}
    jobs: list[dict[str, Any]] = [{"name": "a"}, {"name": "b", "storage": {}}, {"name": "c", "storage": own}]
    of = spec(*jobs, {"name": "d", "storage": None}, storage=STORAGE, onFailure=job_json(name="e")).spread()
    seen = [job.storage.mountpoint if job.storage is not None else None for job in of.every]
    assert seen == ["/data", "/data", "/own", None, "/data"]
    assert of.storage is None
    written = of.as_written()
    assert "storage" not in written
    assert written["jobs"][0]["storage"] == STORAGE
    assert parse(WorkflowSpec, written) == of
    assert spec("a").spread() == spec("a")


def test_what_does_not_go_with_the_workflows_storage_is_told_of_the_job() -> None:
    brought = {"url": "https://example.org/x.tgz", "mountpoint": "x:/data/x"}
    of = spec("a", {"name": "b", "artifacts": [brought]}, storage=STORAGE).spread()
    assert [str(one) for one in instances.problems(of)] == [
        "jobs[1]: storage.mountpoint: an artifact is mounted at /data/x"
    ]
