"""What a job may look like, and what its author is told when it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builders import a_job, a_task, job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import units
from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.policies import Policies
from prominence.core.resources import Resources
from prominence.core.validation import parse


def complaints(job: Any) -> list[str]:
    """What is said of a job that is wrong."""
    with pytest.raises(Rejected) as caught:
        parse(JobSpec, job)
    return [str(mistake) for mistake in caught.value.mistakes]


def complaints_about_task(**changes: Any) -> list[str]:
    return complaints(job_json(tasks=[a_task(**changes)]))


def test_a_job_needs_tasks_and_resources_only() -> None:
    job = parse(JobSpec, {"tasks": [{"image": "busybox"}], "resources": {}})
    assert (job.name, job.labels, job.tasks[0].cmd, job.tasks[0].env) == ("", {}, None, {})
    assert job.resources.model_dump(exclude_none=True) == {"nodes": 1}
    assert job.policies == Policies()


def test_five_mistakes_are_all_named_at_once() -> None:
    job = {
        "name": "what?",
        "tasks": [{"image": "Not An Image", "runtime": "lxc"}, {"cmd": "true"}],
        "resources": {"cpus": "four"},
        "colour": "red",
    }
    assert sorted(complaints(job)) == [
        "colour: unknown field",
        "name: may hold letters (a to z), digits, spaces and _ . / - only",
        "resources.cpus: must be a whole number",
        "tasks[0].image: not the name of a container image, such as python:3.12 or registry.example.org/group/tool:1.0",
        "tasks[0].runtime: must be one of 'apptainer', 'singularity', 'docker', 'podman', 'udocker' or 'process'",
        "tasks[1].image: this field is required",
    ]


def test_an_empty_list_of_tasks_is_told_so() -> None:
    assert complaints(job_json(tasks=[])) == ["tasks: at least one task is needed"]


def test_a_wrong_task_is_not_called_a_missing_one() -> None:
    assert complaints(job_json(tasks=["true"])) == ["tasks[0]: must be an object"]


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        ([], "must be an object"),
        (None, "must be an object"),
        ({"resources": {}}, "tasks: this field is required"),
        (job_json(tasks="true"), "tasks: must be a list"),
        (job_json(tasks={"image": "busybox"}), "tasks: must be a list"),
        (job_json(resources=[]), "resources: must be an object"),
        (job_json(name=5), "name: must be a text"),
        (job_json(name="x" * 513), "name: must have at most 512 characters"),
        (job_json(name="a\n"), "name: may hold letters (a to z), digits, spaces and _ . / - only"),
        (job_json(labels=["a"]), "labels: must be an object"),
        (
            job_json(labels={"a-b": "c"}),
            "labels.a-b: the name of a label must be letters (a to z) and digits only, at least one",
        ),
        (
            job_json(labels={"": "c"}),
            "labels.: the name of a label must be letters (a to z) and digits only, at least one",
        ),
        (job_json(labels={"a": ""}), "labels.a: must be letters (a to z), digits and _ . / - only, at least one"),
        (job_json(labels={"a": "ü"}), "labels.a: must be letters (a to z), digits and _ . / - only, at least one"),
        (job_json(cpus=0), "resources.cpus: must be at least 1"),
        (job_json(cpus=1.5), "resources.cpus: must be a whole number"),
        (job_json(cpus=True), "resources.cpus: must be a whole number"),
        (job_json(cpus=2**31), "resources.cpus: must be at most 2147483647"),
        (job_json(nodes=101), "resources.nodes: must be at most 100"),
        (job_json(memory=0), "resources.memory: must be more than 0"),
        (job_json(memory="1"), "resources.memory: must be a number"),
        (job_json(memory=float("nan")), "resources.memory: must be a finite number"),
        (job_json(memory=2_000_001), "resources.memory: must be at most 2000000"),
        (job_json(disk=-1), "resources.disk: must be more than 0"),
        (job_json(disk=1e300), "resources.disk: must be at most 2000000"),
        (job_json(resources={"cpusRange": [4, 2]}), "resources.cpusRange: must be two numbers, the smaller one first"),
        (job_json(resources={"cpusRange": [4]}), "resources.cpusRange: must be two numbers, the smaller one first"),
        (
            job_json(resources={"cpusOptions": [1, 2, 3]}),
            "resources.cpusOptions: must be two numbers, the smaller one first",
        ),
        (job_json(resources={"cpusOptions": 2}), "resources.cpusOptions: must be a list"),
        (job_json(resources={"cpusOptions": [0, 2]}), "resources.cpusOptions[0]: must be at least 1"),
        (job_json(resources={"cpusRange": [1, 2.5]}), "resources.cpusRange[1]: must be a whole number"),
        (job_json(resources={"cpusRange": [1, True]}), "resources.cpusRange[1]: must be a whole number"),
        (job_json(resources={"cpusRange": ["1", 2]}), "resources.cpusRange[0]: must be a whole number"),
        (job_json(cpusRange=[1, 2]), "resources.cpusRange: cannot be given together with cpus"),
        (
            job_json(resources={"cpusRange": [1, 2], "cpusOptions": [1, 2]}),
            "resources.cpusOptions: cannot be given together with cpusRange",
        ),
        (
            job_json(resources={"cpus": 2, "nodes": 2, "totalCpusRange": [4, 8]}),
            "resources.totalCpusRange: cannot be given together with nodes",
        ),
        (
            job_json(resources={"totalCpusRange": [4, 8]}),
            "resources.totalCpusRange: needs cpus: the cores of each node",
        ),
        (
            job_json(resources={"cpus": 1, "totalCpusRange": [8, 4]}),
            "resources.totalCpusRange: must be two numbers, the smaller one first",
        ),
        (
            job_json(resources={"cpus": 4, "totalCpusRange": [5, 7]}),
            "resources.totalCpusRange: no number of nodes with 4 cores each has as many",
        ),
        (
            job_json(resources={"cpus": 1, "totalCpusRange": [101, 200]}),
            "resources.totalCpusRange: more than 100 nodes would be needed",
        ),
        (job_json(memoryPerCpu=1), "resources.memoryPerCpu: cannot be given together with memory"),
        (job_json(resources={"memoryPerCpu": 0}), "resources.memoryPerCpu: must be more than 0"),
        (
            job_json(resources={"memoryPerCpu": 2_000_000, "cpusRange": [1, 2]}),
            "resources.memoryPerCpu: must be at most 2000000 GB for all 2 cores together",
        ),
        (job_json(gpus={}), "resources.gpus.count: this field is required"),
        (job_json(gpus={"count": 0}), "resources.gpus.count: must be at least 1"),
        (job_json(gpus={"count": 1, "minimumMemory": 0}), "resources.gpus.minimumMemory: must be more than 0"),
        (job_json(gpus={"count": 1, "capability": 1001}), "resources.gpus.capability: must be at most 1000"),
        (job_json(policies={"maximumRetries": 7}), "policies.maximumRetries: must be at most 6"),
        (job_json(policies={"maximumTaskRetries": -1}), "policies.maximumTaskRetries: must be at least 0"),
        (job_json(policies={"maximumTimeInQueue": -2}), "policies.maximumTimeInQueue: must be at least -1"),
        (job_json(policies={"maximumTimeInQueue": 44641}), "policies.maximumTimeInQueue: must be at most 44640"),
        (job_json(policies={"priority": -1}), "policies.priority: must be at least 0"),
        (job_json(policies={"ignoreTaskFailures": "yes"}), "policies.ignoreTaskFailures: must be true or false"),
        (job_json(policies={"autoScalingType": "dedicated"}), "policies.autoScalingType: unknown field"),
        (job_json(walltime=0), "resources.walltime: must be at least 1"),
        (job_json(tasks=[a_task(type="sidecar")]), "tasks: at least one task is needed that is no sidecar"),
        (job_json(tasks=[a_task(), *[a_task(type="sidecar")] * 17]), "tasks: at most 16 can be sidecars"),
        (
            job_json(tasks=[{"image": "a", "type": "openmpi"}]),
            "tasks[0].cmd: needed for a task of the type openmpi",
        ),
        (
            job_json(tasks=[a_task(cmd="/opt/mpirun -n 2 fit", type="intelmpi")]),
            "tasks[0].cmd: /opt/mpirun is put before it; write what it is to run",
        ),
        (
            job_json(tasks=[a_task(cmd="fit", type="mpich", procsPerNode=3)], cpus=2),
            "tasks[0].procsPerNode: must be at most resources.cpus, 2",
        ),
        (job_json(walltime=10**30), "resources.walltime: must be at most 35000000"),
    ],
)
def test_a_mistake_is_a_sentence_with_its_path(job: Any, complaint: str) -> None:
    assert complaints(job) == [complaint]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"image": ""},
            "image: not the name of a container image, such as python:3.12 or registry.example.org/group/tool:1.0",
        ),
        ({"cmd": "echo 'a"}, "cmd: cannot be split into words: no closing quotation"),
        ({"cmd": " "}, "cmd: is empty; leave it out to run the image's own entry point"),
        ({"cmd": "a\0"}, "cmd: a NUL character cannot be passed to a program"),
        ({"cmd": ["true"]}, "cmd: must be a text"),
        ({"workdir": ""}, "workdir: is empty; leave it out to start in the job's home"),
        ({"workdir": "/\0"}, "workdir: a NUL character cannot be passed to a program"),
        ({"type": "pmi"}, "type: must be one of 'basic', 'sidecar', 'openmpi', 'mpich' or 'intelmpi'"),
        ({"procsPerNode": 0, "type": "mpich"}, "procsPerNode: must be at least 1"),
        ({"procsPerNode": 1}, "procsPerNode: is for tasks of the types openmpi, mpich, intelmpi"),
        (
            {"stdout": "a", "type": "sidecar"},
            "stdout: is for tasks that are no sidecars; what those write is kept apart",
        ),
        ({"app": "--help"}, "app: must be the name of an app: letters (a to z), digits, _ . and - only"),
        ({"app": "../a"}, "app: must be the name of an app: letters (a to z), digits, _ . and - only"),
        ({"app": "a", "runtime": "docker"}, "app: is for Apptainer; docker has none"),
        ({"app": "a", "runtime": "udocker"}, "app: is for Apptainer; udocker has none"),
        *(
            (
                {"stdout": path},
                "stdout: must be a path in the job's home, or in what is mounted, "
                'without "." or "..", // and control characters',
            )
            for path in ("", "/", "../a", "a/../b", "/data/../etc/passwd", "a//b", "a/", "//a", "a\n", "a\0")
        ),
        ({"env": {"A": "\0"}}, "env.A: a NUL character cannot be passed to a program"),
        ({"env": {"A": None}}, "env.A: must be a text"),
        ({"env": {"A": True}}, "env.A: must be a text"),
        (
            {"env": {"A=B": ""}},
            "env.A=B: the name of an environment variable must not be empty, nor hold =, NUL or line breaks",
        ),
    ],
)
def test_a_mistake_in_a_task_is_a_sentence_with_its_path(changes: dict[str, Any], complaint: str) -> None:
    assert complaints_about_task(**changes) == [f"tasks[0].{complaint}"]


@pytest.mark.parametrize(
    ("job", "path"),
    [
        (job_json(name="a\ud800"), "name"),
        (job_json(labels={"a": "\udfff"}), "labels.a"),
        (job_json(labels={"\ud800": "a"}), r"labels.\ud800"),
        (job_json(tasks=[a_task(image="\ud800")]), "tasks[0].image"),
        (job_json(tasks=[a_task(cmd="echo \ud800")]), "tasks[0].cmd"),
        (job_json(tasks=[a_task(workdir="\ud800")]), "tasks[0].workdir"),
        (job_json(tasks=[a_task(env={"A": "\ud800"})]), "tasks[0].env.A"),
        (job_json(tasks=[a_task(env={"\ud800": "A"})]), r"tasks[0].env.\ud800"),
        (job_json(**{"\ud800": "a"}), r"\ud800"),
    ],
)
def test_half_a_surrogate_pair_is_refused_in_every_text(job: Any, path: str) -> None:
    assert complaints(job) == [f"{path}: holds half of a surrogate pair, which is not a character"]


def test_half_a_surrogate_pair_does_not_hide_other_mistakes() -> None:
    assert complaints(job_json(name="\ud800", cpus=0)) == [
        "name: holds half of a surrogate pair, which is not a character",
        "resources.cpus: must be at least 1",
    ]


@pytest.mark.parametrize("text", ["two\nlines", "日本 \U0001f600", 'say "it\'s" ok', "$(rm) `x` \\\\ %s {x}", "a\tb\r"])
def test_commands_and_environments_may_hold_any_character(text: str) -> None:
    task = parse(
        JobSpec, job_json(tasks=[a_task(cmd=f'echo "{text}"' if '"' not in text else "true", env={"A": text})])
    )
    assert task.tasks[0].env["A"] == text


def test_numbers_in_env_are_texts_as_old_clients_send_them() -> None:
    assert a_job(tasks=[a_task(env={"A": 3, "B": 0.5})]).tasks[0].env == {"A": "3", "B": "0.5"}


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "python:3.12",
        "registry.example.org/group/tool:1.0",
        "localhost:5000/a/b_c.d--e",
        "docker://python:3.12",
        "Registry.Example.org/tool@sha256:" + "0" * 64,
    ],
)
def test_names_of_images_are_accepted(image: str) -> None:
    assert a_job(tasks=[a_task(image=image)]).tasks[0].image == image


@pytest.mark.parametrize(
    "image", ["-v/:/host", "UPPER", "a b", "a\n", "a:", "a@sha256:12", "/a", "a//b", "--privileged", "a;b", "../a"]
)
def test_what_is_no_name_of_an_image_is_refused(image: str) -> None:
    assert len(complaints_about_task(image=image)) == 1


def test_a_job_too_large_for_any_machine_is_accepted() -> None:
    job = a_job(cpus=2**31 - 1, memory=2_000_000, disk=2_000_000, walltime=35_000_000)
    assert units.memory_mib(job.resources.memory or 0) < 2**31
    assert units.disk_kib(job.resources.disk or 0) // 1024 < 2**31
    assert units.seconds(job.resources.walltime or 0) < 2**31


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TASKS = st.fixed_dictionaries({"image": JSON}, optional={"cmd": JSON, "env": JSON, "runtime": JSON, "workdir": JSON})
RESOURCES = st.fixed_dictionaries({}, optional={key: JSON for key in Resources.model_fields})
POLICIES = st.fixed_dictionaries({}, optional={key: JSON for key in Policies.model_fields})
JOBS = st.fixed_dictionaries(
    {"tasks": JSON | st.lists(TASKS, max_size=2), "resources": JSON | RESOURCES},
    optional={"name": JSON, "labels": JSON, "policies": JSON | POLICIES, "other": JSON},
)


@given(JSON | JOBS)
def test_whatever_arrives_is_a_job_or_a_list_of_sentences(data: Any) -> None:
    try:
        job = parse(JobSpec, data)
    except Rejected as rejected:
        assert rejected.mistakes
        for mistake in rejected.mistakes:
            assert str(mistake).encode()
            assert "Input should" not in mistake.message
            assert "{" not in mistake.message
    else:
        assert parse(JobSpec, json.loads(job.model_dump_json())) == job


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_every_value_of_env_survives_the_way(value: str) -> None:
    job = a_job(tasks=[a_task(env={"A": value})])
    assert parse(JobSpec, json.loads(job.model_dump_json())).tasks[0].env == {"A": value}


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (job_json(tasks=[a_task()] * 1001), "tasks: must be at most 1000 tasks, not 1001"),
        (job_json(labels={f"a{n}": "b" for n in range(101)}), "labels: must be at most 100 labels, not 101"),
        (job_json(tasks=[a_task(image="a" * 513)]), "tasks[0].image: must have at most 512 characters"),
        (job_json(tasks=[a_task(workdir="é" * 2048)]), "tasks[0].workdir: must have at most 4095 bytes"),
        (
            job_json(tasks=[a_task(cmd=f"echo {'é' * 65536}")]),
            "tasks[0].cmd: a word of it has 131072 bytes; no program can be given more than 131071",
        ),
        (
            job_json(tasks=[a_task(env={"A": "b" * 131070})]),
            "tasks[0].env: a variable has 131072 bytes; no program can be given more than 131071",
        ),
        (
            job_json(tasks=[a_task(cmd="x " * 100_000, env={"A": "b" * 48_575})]),
            "tasks[0]: command and environment have 1048586 bytes together; no more than 1048576 can be passed",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_too_much_for_any_program_is_refused_with_its_limit(job: Any, said: str) -> None:
    assert complaints(job) == [said]


def test_as_much_as_a_program_can_be_given_is_taken() -> None:
    task = a_task(cmd="x" * 131_071, env={"A": "b" * 131_069}, image="a" * 512, workdir="w" * 4095)
    parse(JobSpec, job_json(tasks=[task] * 1000, labels={f"a{n}": "b" for n in range(100)}))


def test_of_very_many_mistakes_the_first_are_told() -> None:
    said = complaints({str(number): 1 for number in range(1000)})
    assert len(said) == 101
    assert said[-1] == "and 902 more mistakes"
    said = complaints(["\ud800"] * 1000)
    assert len(said) == 101


MOUNTED = [{"url": "data.tgz", "mountpoint": "data:/data"}]


@pytest.mark.parametrize("path", ["a", "logs/a.txt", "/data/a", "/data/logs/a"])
def test_output_has_a_place_in_the_home_and_in_what_is_mounted(path: str) -> None:
    job = parse(JobSpec, job_json(tasks=[a_task(stdout=path)], artifacts=MOUNTED))
    assert job.tasks[0].stdout == path


@pytest.mark.parametrize("path", ["/a", "/data", "/datas/a", "/home/user/a", "/etc/passwd"])
def test_output_has_no_place_elsewhere(path: str) -> None:
    with pytest.raises(Rejected, match=r"tasks\[0\].stdout: nothing that the job fetches is mounted there"):
        parse(JobSpec, job_json(tasks=[a_task(stdout=path)], artifacts=MOUNTED))


def test_without_a_container_there_is_no_image_and_a_command() -> None:
    said = 'tasks[0]: a task with the runtime "process"'
    assert complaints_about_task(runtime="process") == [f'{said} has no image; write "scratch"']
    without = complaints_about_task(runtime="process", image="scratch", cmd=None)
    assert without == [f"{said} needs a command; it has no image with one"]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"resources": {"gpus": {"count": 1}}}, 'tasks[0].runtime: "process" gives no GPUs'),
        (
            {"artifacts": [{"url": "data.tgz", "mountpoint": "data:/data"}]},
            'tasks[0].runtime: with "process" no artifact can have a mountpoint',
        ),
    ],
)
def test_what_only_a_container_can_show_is_refused_without_one(fields: dict[str, Any], complaint: str) -> None:
    job = job_json(tasks=[{"runtime": "process", "image": "scratch", "cmd": "true"}])
    job["resources"] |= fields.pop("resources", {})
    with pytest.raises(Rejected) as caught:
        parse(JobSpec, {**job, **fields})
    assert [str(mistake) for mistake in caught.value.mistakes] == [complaint]
