"""An instance of a workflow's job: the API describes it, the worker runs it, and both mean the same."""

from __future__ import annotations

from typing import Any

from builders import job_json
from builders_restapi import SITE
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import commandline
from prominence.core.instances import instance
from prominence.core.job import JobSpec
from prominence.core.substitution import any_value, read_values, referred, substitute, with_values, write_values
from prominence.core.validation import parse
from prominence.restapi.translate.plan import plan as plan_of

TEMPLATE = {
    "name": "a",
    "tasks": [
        {
            "image": "registry.example.org/tool:1",
            "cmd": "run --x $x '${y} and $z' $HOME",
            "env": {"A": "$x$y"},
            "workdir": "in-$x",
        }
    ],
    "inputs": [{"filename": "$x.in", "content": ""}],
    "artifacts": [{"url": "data-$x.tgz", "mountpoint": "data-$x:/data/$x"}],
    "outputFiles": ["out-$x.txt"],
    "outputDirs": ["dir-$x"],
}


def template(**changes: Any) -> JobSpec:
    return parse(JobSpec, job_json(**{**TEMPLATE, **changes}))


def test_parameters_are_put_in_everywhere_and_other_names_are_left() -> None:
    found = instance(template(), {"x": "3", "y": "b"})
    [task] = found.tasks
    assert task.cmd == "run --x 3 'b and $z' $HOME"
    assert (task.env, task.workdir) == ({"A": "3b"}, "in-3")
    assert [one.filename for one in found.inputs] == ["3.in"]
    assert [(one.url, one.mountpoint) for one in found.artifacts] == [("data-3.tgz", "data-3:/data/3")]
    assert (found.outputFiles, found.outputDirs) == (("out-3.txt",), ("dir-3",))


def test_a_value_that_looks_like_a_parameter_is_none() -> None:
    assert substitute("$x ${x} $xy $$x", {"x": "$y", "y": "1"}) == "$y $y $xy $$y"
    assert referred(["$a ${b} $1 $ {c}"]) == {"a", "b"}
    assert any_value("out-$x/${y}.txt") == "out-*/*.txt"


def test_tasks_are_told_the_values_whatever_their_own_environment_says() -> None:
    job = template(tasks=[{"image": "python", "env": {"PROMINENCE_PARAMETER_x": "mine"}}])
    [task] = with_values(plan_of(job, "UID", SITE), {"x": "3"}).tasks
    assert task.env == {"PROMINENCE_PARAMETER_x": "3"}


_values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(x=st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True), y=_values)
def test_the_worker_does_what_the_description_of_the_instance_says(x: str, y: str) -> None:
    job, values = template(), {"x": x, "y": y}
    described = plan_of(instance(job, values), "UID", SITE)
    done = with_values(plan_of(job, "UID", SITE), values)
    told = {f"PROMINENCE_PARAMETER_{name}": value for name, value in values.items()}
    tasks = tuple(task._replace(env={**task.env, **told}) for task in described.tasks)
    assert done == described._replace(tasks=tasks)


@given(_values)
def test_a_value_stays_in_its_word_of_the_command(value: str) -> None:
    [task] = instance(template(), {"x": value, "y": value}).tasks
    assert task.cmd is not None
    assert commandline.split(task.cmd) == ("run", "--x", value, f"{value} and $z", "$HOME")


@given(st.dictionaries(st.from_regex(r"[a-z_]\w{0,5}", fullmatch=True), _values))
def test_values_travel_as_they_are(values: dict[str, str]) -> None:
    assert read_values(write_values(values)) == values
