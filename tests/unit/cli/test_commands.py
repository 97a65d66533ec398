"""The commands, from words to output and exit code."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import yaml
from builders_cli import (
    NOON,
    URL,
    FakeApi,
    PretendClock,
    Turn,
    a_described_job,
    answer,
    failing,
    refused,
    refusing,
    run_command,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.cli.commands import job_options
from prominence.cli.commands.submit import create
from prominence.cli.render.jobs import WIDE_COLUMNS
from prominence.core.job import JobSpec
from prominence.core.notifications import Notification
from prominence.core.policies import PlacementPolicy, Policies, PreferredPlaces, RequiredPlaces
from prominence.core.resources import Gpus, Resources
from prominence.core.task import Task
from prominence.core.validation import parse

DEPLOYING = a_described_job(status="deploying", statusReason="Worker w-1 (small) is starting for it.")
RUNNING = a_described_job(status="running")
COMPLETED = a_described_job(status="completed", exitCode=0)
FAILED = a_described_job(status="failed", exitCode=3, statusReason="Task 0 ended with exit code 3.")

_OPTIONS_OF = [parameter.name for parameter in create.params]
_EVERYTHING = {
    **{name: 1 for name in _OPTIONS_OF},
    **dict(image="a", command=["true"], env=[("a", "b")], label=[("a", "b")], inputs=[Path(__file__)], artifacts=["a"]),
    **dict(output_files=["a"], output_dirs=["b"], cpus_range=[1, 2], cpus_options=[1, 2]),
    **dict.fromkeys(("sites", "regions", "preferred_sites", "preferred_regions"), ["a"]),
}


def sent(api: FakeApi) -> object:
    body = next(request.body for request in api.asked if request.method == "POST")
    assert isinstance(body, bytes)
    return json.loads(body)


def test_create_asks_to_be_told() -> None:
    api = FakeApi()
    assert run_command(api, "create", "--notify", "a").exit_code == 0
    body = sent(api)
    assert isinstance(body, dict)
    assert parse(JobSpec, body).notifications == (Notification(event="jobFinished", type="email"),)


def test_create_sends_what_was_said() -> None:
    api = FakeApi()
    sizes = ["--cpus", "2", "--memory", "4", "--disk", "20", "--walltime", "5"]
    words = ["--name", "n", "--env", "A=b=c", "--label", "k=v", "--workdir", "/tmp", "--runtime", "docker"]
    result = run_command(api, "create", *sizes, *words, "python:3.12", "echo 1")
    assert (result.exit_code, result.stdout) == (0, "Job created with id 12\n")
    assert sent(api) == {
        "name": "n",
        "labels": {"k": "v"},
        "tasks": [
            {"image": "python:3.12", "cmd": "echo 1", "runtime": "docker", "env": {"A": "b=c"}, "workdir": "/tmp"}
        ],
        "resources": {"nodes": 1, "cpus": 2, "memory": 4, "disk": 20, "walltime": 5},
    }


def test_create_sends_an_app_and_a_file_for_what_it_prints() -> None:
    api = FakeApi()
    run_command(api, "create", "--app", "greet", "--stdout", "logs/a", "tool.sif")
    assert sent(api)["tasks"] == [{"image": "tool.sif", "app": "greet", "stdout": "logs/a"}]


def test_create_sends_ranges_and_policies() -> None:
    api = FakeApi()
    sizes = ["--cpus-range", "2, 8", "--memory-per-cpu", "1.5"]
    words = ["--retries", "3", "--task-retries", "1", "--max-time-in-queue", "60", "--priority", "0"]
    assert run_command(api, "create", *sizes, *words, "a").exit_code == 0
    assert sent(api) == {
        "tasks": [{"image": "a"}],
        "resources": {"nodes": 1, "cpusRange": [2, 8], "memoryPerCpu": 1.5},
        "policies": {"maximumRetries": 3, "maximumTaskRetries": 1, "maximumTimeInQueue": 60, "priority": 0},
    }


def test_create_says_what_is_saved_of_the_job() -> None:
    api = FakeApi()
    words = ["--checkpoint", "state", "--checkpoint-interval", "2.5", "a"]
    assert run_command(api, "create", *words).exit_code == 0
    document = sent(api)
    assert document["policies"] == {"checkpoint": {"path": "state", "interval": 2.5}}
    assert parse(JobSpec, document).as_written() == document


REGISTRY = ("--registry-username", "robot", "registry.example.org/tool:1", "true")
KNOWN = {"PROMINENCE_URL": URL, "PROMINENCE_TOKEN": "t"}


def test_create_shows_a_registry_what_the_environment_holds() -> None:
    api = FakeApi()
    result = run_command(api, "create", *REGISTRY, environment={**KNOWN, "PROMINENCE_REGISTRY_TOKEN": "se cret"})
    assert result.exit_code == 0, result.stderr
    document = sent(api)
    assert parse(JobSpec, document).as_written() == document
    assert document["tasks"][0]["imagePullCredential"] == {"username": "robot", "token": "se cret"}  # type: ignore[index]
    assert "se cret" not in result.stdout + result.stderr


def test_what_is_only_printed_does_not_hold_it() -> None:
    environment = {**KNOWN, "PROMINENCE_REGISTRY_TOKEN": "se cret"}
    result = run_command(FakeApi(), "create", "--dry-run", *REGISTRY, environment=environment)
    assert json.loads(result.stdout)["tasks"][0]["imagePullCredential"] == {"username": "robot", "token": "***"}
    assert "se cret" not in result.stderr


STORAGE = {"type": "webdav", "mountpoint": "/data", "webdav": {"url": "https://a/", "username": "b", "password": "c d"}}


@pytest.mark.parametrize("form", ["{}", '{{"storage": {}}}', '"storage": {}', '  "storage": {},\n'])
def test_create_takes_storage_from_a_file_as_older_clients_have_it_too(form: str, tmp_path: Path) -> None:
    file = tmp_path / "storage"
    file.write_text(form.format(json.dumps(STORAGE)))
    api = FakeApi()
    assert run_command(api, "create", "--storage", str(file), "a").exit_code == 0
    assert sent(api)["storage"] == STORAGE
    shown = run_command(api, "create", "--dry-run", "--storage", str(file), "a").stdout
    assert json.loads(shown)["storage"]["webdav"] == {"url": "https://a/", "username": "b", "password": "***"}


def test_where_nobody_can_be_asked_for_it_the_variable_is_named() -> None:
    api = FakeApi()
    result = run_command(api, "create", *REGISTRY)
    assert (result.exit_code, api.asked) == (125, [])
    assert "PROMINENCE_REGISTRY_TOKEN" in result.stderr


def test_create_sends_everything_that_a_job_of_one_task_may_hold(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    api = FakeApi()
    sizes = ["--cpus-options", "2,4", "--memory", "8", "--disk", "1.5", "--walltime", "5"]
    gpus = ["--gpus", "1", "--gpu-memory", "16", "--gpu-capability", "8.6"]
    files = ["--input", str(tmp_path / "words.txt"), "--artifact", "a.tgz:a:/opt/a", "--artifact", "https://x.org/b"]
    kept = ["--output", "out*.txt", "--output", "log", "--outputdir", "results"]
    policies = ["--leave-in-queue", "--report-success-on-task-failure", "--task-retries", "2", "--no-preemptible"]
    words = ["--group", "physics", "--env", "A=1", "--env", "B=2", "--label", "a=1", "--label", "b=2"]
    result = run_command(api, "create", *sizes, *gpus, *files, *kept, *policies, *words, "python:3.12", "./run.sh")
    assert result.exit_code == 0, result.stderr
    document = sent(api)
    assert document == {
        "group": "physics",
        "labels": {"a": "1", "b": "2"},
        "tasks": [{"image": "python:3.12", "cmd": "./run.sh", "env": {"A": "1", "B": "2"}}],
        "resources": {
            "nodes": 1,
            "cpusOptions": [2, 4],
            "memory": 8,
            "disk": 1.5,
            "walltime": 5,
            "gpus": {"count": 1, "minimumMemory": 16, "capability": 8.6},
        },
        "policies": {
            "maximumTaskRetries": 2,
            "leaveInQueue": True,
            "preemptible": False,
            "reportJobSuccessOnTaskFailure": True,
        },
        "inputs": [{"filename": "words.txt", "content": "b25lCnR3bwo="}],
        "artifacts": [{"url": "a.tgz", "mountpoint": "a:/opt/a"}, {"url": "https://x.org/b"}],
        "outputFiles": ["out*.txt", "log"],
        "outputDirs": ["results"],
    }
    assert parse(JobSpec, document)


def test_every_section_of_a_job_of_one_task_has_its_option() -> None:
    """What the model gets, the command gets: a field without an option is left out on purpose, and named here."""
    filled = job_options.job(_EVERYTHING, registry_token="t")
    assert set(JobSpec.model_fields) == set(filled)
    assert set(Task.model_fields) == set(filled["tasks"][0])
    assert set(Resources.model_fields) == set(filled["resources"])
    assert set(Gpus.model_fields) == set(filled["resources"]["gpus"])
    assert set(Policies.model_fields) == {*filled["policies"], "ignoreTaskFailures"}  # there is only one task
    areas = {"requirements": RequiredPlaces, "preferences": PreferredPlaces}
    assert set(PlacementPolicy.model_fields) == set(areas)
    assert {area: set(model.model_fields) for area, model in areas.items()} == {
        area: set(places) for area, places in filled["policies"]["placement"].items()
    }


def test_create_sends_where_the_job_may_and_had_rather_run() -> None:
    api = FakeApi()
    words = ["--site", "one", "--site", "two", "--prefer-region", "south", "--prefer-region", "north"]
    assert run_command(api, "create", *words, "a").exit_code == 0
    document = sent(api)
    assert isinstance(document, dict)
    assert document["policies"] == {
        "placement": {"requirements": {"sites": ["one", "two"]}, "preferences": {"regions": ["south", "north"]}}
    }


def test_a_directory_is_uploaded_and_the_job_starts_with_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/run.sh").write_text("true")
    (tmp_path / "sub/run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("sub/run.sh")
    os.mkfifo(tmp_path / "pipe")
    api = FakeApi(instead=deque([refusing(201, {"url": "http://store.test/put"})]))
    api.instead.append(_keeping(kept := []))
    result = run_command(api, "create", "--directory", str(tmp_path), "--artifact", "a", "python:3.12", "sub/run.sh")
    assert result.exit_code == 0, result.stderr
    asked, stored, created = api.asked
    name = json.loads(asked.body or "")["filename"]
    assert json.loads(created.body or "")["artifacts"] == [{"url": "a"}, {"url": name}]
    assert stored.method == "PUT"
    with tarfile.open(fileobj=io.BytesIO(kept[0]), mode="r:gz") as tar:
        assert {one.name: oct(one.mode) for one in tar} == {"link": "0o777", "sub": "0o755", "sub/run.sh": "0o755"}
        assert {one.uname for one in tar} == {""}


def test_of_a_directory_nothing_is_uploaded_for_a_command_that_is_wrong(tmp_path: Path) -> None:
    api = FakeApi()
    words = ["create", "--directory", str(tmp_path), "--follow", "--format", "json", "a"]
    assert (run_command(api, *words).exit_code, api.asked) == (125, [])


def test_of_a_directory_nothing_is_uploaded_in_a_dry_run(tmp_path: Path) -> None:
    api = FakeApi()
    result = run_command(api, "create", "--directory", str(tmp_path), "--dry-run", "a", environment={})
    assert [one["url"][-7:] for one in json.loads(result.stdout)["artifacts"]] == [".tar.gz"]
    assert api.asked == []


def _keeping(kept: list[bytes]) -> Callable[[requests.PreparedRequest], requests.Response]:
    """A store that reads what it is sent."""

    def keep(request: requests.PreparedRequest) -> requests.Response:
        kept.append(b"".join(request.body))  # type: ignore[arg-type]
        return answer(request, 201, b"")

    return keep


def test_the_file_of_an_input_must_be_there() -> None:
    api = FakeApi()
    result = run_command(api, "create", "--input", "/nowhere/words.txt", "a")
    assert (result.exit_code, api.asked) == (125, [])
    assert "/nowhere/words.txt" in result.stderr


@pytest.mark.parametrize("form", [["-o", "json"], ["--format", "json"]])
def test_the_name_of_an_output_and_the_form_of_the_answer_are_two_options(form: list[str]) -> None:
    api = FakeApi()
    result = run_command(api, "create", *form, "--output", "json", "a")
    assert json.loads(result.stdout) == {"id": 12}
    assert sent(api)["outputFiles"] == ["json"]  # type: ignore[index]


@pytest.mark.parametrize("text", ["2", "2,", "2,3,4", "a,b", "-1,2", "1.5,2"])
def test_two_numbers_are_two_numbers(text: str) -> None:
    result = run_command(FakeApi(), "create", "--cpus-options", text, "a")
    assert result.exit_code != 0
    assert "is not two whole numbers" in result.stderr


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(st.text(min_size=1).filter(lambda name: "=" not in name and not name.startswith("-")), st.text())
)
def test_environment_variables_arrive_as_they_are(environment: dict[str, str]) -> None:
    api = FakeApi()
    words = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
    assert run_command(api, "create", *words, "a").exit_code == 0
    assert sent(api)["tasks"][0].get("env", {}) == environment  # type: ignore[index]


def test_a_command_may_be_several_words() -> None:
    api = FakeApi()
    run_command(api, "create", "a", "--", "sh", "-c", "echo $A; ls")
    assert sent(api)["tasks"][0]["cmd"] == "sh -c 'echo $A; ls'"  # type: ignore[index]


def test_a_dry_run_needs_no_service_and_sends_nothing() -> None:
    api = FakeApi()
    result = run_command(api, "create", "--dry-run", "a", environment={})
    assert (result.exit_code, api.asked) == (0, [])
    assert json.loads(result.stdout)["tasks"] == [{"image": "a"}]


@pytest.mark.parametrize(("name", "text"), [("job.json", '{"tasks": []}'), ("job.yaml", "tasks: []")])
def test_run_sends_the_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    api = FakeApi()
    result = run_command(api, "run", "-o", "json", str(tmp_path / name))
    assert json.loads(result.stdout) == {"id": 12}
    assert sent(api) == {"tasks": []}


def test_run_reads_standard_input() -> None:
    api = FakeApi()
    assert run_command(api, "run", "-", stdin='{"tasks": [1]}').exit_code == 0
    assert sent(api) == {"tasks": [1]}


@pytest.mark.parametrize(("job", "code"), [(COMPLETED, 0), (FAILED, 3)])
@pytest.mark.parametrize("words", [("create", "a"), ("run", "-")])
def test_waiting_ends_with_the_jobs_exit_code(words: tuple[str, ...], job: dict[str, object], code: int) -> None:
    api = FakeApi(turns=[Turn(RUNNING), Turn(job)])
    assert run_command(api, *words, "--wait", stdin="{}").exit_code == code


def test_waiting_tells_each_change_once() -> None:
    api = FakeApi(turns=[Turn(DEPLOYING), Turn(DEPLOYING), Turn(RUNNING), Turn(RUNNING), Turn(FAILED)])
    result = run_command(api, "create", "--wait", "a")
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "Job created with id 12",
        "job 12: deploying: Worker w-1 (small) is starting for it.",
        "job 12: running",
        "job 12: failed: Task 0 ended with exit code 3.",
    ]


def test_waiting_can_be_quiet() -> None:
    result = run_command(FakeApi(turns=[Turn(RUNNING), Turn(FAILED)]), "create", "--wait", "-q", "a")
    assert (result.exit_code, result.output) == (3, "")


def test_waiting_with_json_ends_with_the_job_as_a_document() -> None:
    result = run_command(FakeApi(turns=[Turn(COMPLETED)]), "create", "--wait", "-o", "json", "a")
    assert json.loads(result.stdout) == COMPLETED


def test_following_passes_both_streams_on_and_nothing_else() -> None:
    turns = [Turn(RUNNING, b"out\xff\n", b"err\n", stdout_after=b"late\n"), Turn(FAILED, b"end", b"END")]
    result = run_command(FakeApi(turns=turns), "create", "--follow", "a")
    assert (result.exit_code, result.stdout_bytes, result.stderr_bytes) == (3, b"out\xff\nlate\nend", b"err\nEND")


def test_following_tells_how_it_goes_when_asked_to() -> None:
    result = run_command(FakeApi(turns=[Turn(COMPLETED, b"out")]), "create", "--follow", "--progress", "a")
    assert (result.stdout, result.stderr) == ("out", "Job created with id 12\njob 12: completed\n")


def test_json_and_following_do_not_go_together() -> None:
    api = FakeApi()
    assert run_command(api, "create", "--follow", "-o", "json", "a").exit_code == 125
    assert api.asked == []


def test_a_job_that_ended_without_an_exit_code_says_why() -> None:
    deleted = a_described_job(status="deleted", statusReason="The job was deleted by the user.")
    result = run_command(FakeApi(turns=[Turn(deleted)]), "create", "--wait", "-q", "a")
    assert result.exit_code == 125
    assert result.stderr == "prominence: Job 12 has no exit code: deleted: The job was deleted by the user.\n"


def test_an_interrupt_leaves_the_job_and_says_how_to_come_back() -> None:
    api = FakeApi(turns=[Turn(RUNNING)])
    result = run_command(api, "create", "--wait", "a", clock=PretendClock(interrupted_at=2))
    assert result.exit_code == 130
    assert "prominence stdout 12 --follow" in result.stderr
    assert "prominence delete 12" in result.stderr
    assert not any(path.startswith("DELETE") for path in api.paths)


def test_an_outage_while_waiting_is_told_once_and_survived() -> None:
    api = FakeApi(turns=[Turn(COMPLETED)])
    away = failing(requests.ConnectionError(ConnectionResetError(104, "Connection reset by peer")))
    api.instead.extend([refusing(201, {"id": 12}), away, away])
    result = run_command(api, "create", "--wait", "a")
    assert result.exit_code == 0
    assert result.stderr.count("does not answer") == 1


def test_a_token_refused_while_waiting_says_that_the_job_goes_on() -> None:
    api = FakeApi()
    api.instead.extend([refusing(201, {"id": 12}), refused(401, "expired")])
    result = run_command(api, "create", "--wait", "a")
    assert result.exit_code == 126
    assert "Job 12 goes on" in result.stderr


def test_list_shows_a_table_or_the_documents() -> None:
    jobs = [a_described_job(12), a_described_job(7, name="\x1b[2Jevil")]
    assert "7    \\x1b[2Jevil   2023-11-14 22:11:50   running" in run_command(FakeApi(listed=jobs), "list").stdout
    assert json.loads(run_command(FakeApi(listed=jobs), "list", "jobs", "-o", "json").stdout) == jobs[::-1]


def test_list_asks_for_what_was_said() -> None:
    api = FakeApi()
    run_command(api, "list", "--completed", "--constraint", "a=b", "--constraint", "c=d=e", "--name", "x")
    run_command(api, "list", "-a", "--status", "idle")
    run_command(api, "list", "--completed", "-n", "3")
    run_command(api, "list", "jobs", "7")
    run_command(api, "list", "--group", "g", "--user", "u", "--started-before", "1", "--sort", "name")
    assert api.paths == [
        "GET /jobs?constraint=a%3Db&constraint=c%3Dd%3De&completed=true&name=x&limit=1000",
        "GET /jobs?all=true&status=idle&limit=1000",
        "GET /jobs?completed=true&limit=1000",
        "GET /jobs?workflow=7&limit=1000",
        "GET /jobs?group=g&user=u&startedBefore=1&sort=name&limit=1000",
    ]


def test_list_shows_the_newest_and_asks_for_no_more_than_it_shows() -> None:
    api = FakeApi()
    api.instead.append(refusing(200, [a_described_job(number) for number in (9, 8, 7)], **{"X-Prominence-Cursor": "x"}))
    lines = run_command(api, "list", "-n", "2").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "8", "9"]
    assert len(api.asked) == 1


def test_list_shows_more_when_asked_to() -> None:
    job = a_described_job(status="failed", exitCode=3, group="physics", labels={"a": "b"}, statusReason="It is broken.")
    header, line = run_command(FakeApi(listed=[job]), "list", "-o", "wide").stdout.splitlines()
    assert tuple(header.split()) == WIDE_COLUMNS
    for told in ("failed", "3", "physics", "a=b", "It is broken."):
        assert told in line


@pytest.mark.parametrize("command", [("list",), ("describe", "12")])
def test_documents_can_be_had_as_yaml(command: tuple[str, ...]) -> None:
    job = a_described_job(name="\x1b[2Jevil: [ü]")
    result = run_command(FakeApi(listed=[job], turns=[Turn(job)]), *command, "-o", "yaml")
    assert yaml.safe_load(result.stdout) == ([job] if command == ("list",) else job)
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("act", "done"), [("hold", "is on hold"), ("release", "released"), ("remove", "removed from the queue")]
)
def test_acts_are_done_to_one_job_after_the_other(act: str, done: str) -> None:
    result = run_command(FakeApi(), act, "12", "13", "12")
    assert result.exit_code == 125
    assert result.stdout == f"Job 12 {done}\nJob 12 {done}\n"
    assert result.stderr == "prominence: Job 13: No such job (NotFound)\n"


def test_clone_tells_the_id_of_the_new_job() -> None:
    assert run_command(FakeApi(), "clone", "job", "12").stdout == "Job created with id 13\n"
    assert json.loads(run_command(FakeApi(), "clone", "12", "-o", "json").stdout) == {"id": 13}


def test_edit_sends_what_was_said() -> None:
    api = FakeApi()
    options = ["--priority", "0", "--walltime", "9", "--label", "a=b", "--remove-label", "c", "--no-leave-in-queue"]
    assert run_command(api, "edit", "12", *options).stdout == "Job 12 changed\n"
    assert json.loads(api.asked[0].body or b"") == {
        "labels": {"c": None, "a": "b"},
        "resources": {"walltime": 9},
        "policies": {"priority": 0, "leaveInQueue": False},
    }


@pytest.mark.parametrize(
    ("words", "placement"),
    [
        (["--region", "north"], {"requirements": {"regions": ["north"]}}),
        (["--prefer-site", "one"], {"preferences": {"sites": ["one"]}}),
        (["--anywhere"], {"requirements": None, "preferences": None}),
    ],
)
def test_edit_sends_a_job_elsewhere(words: list[str], placement: object) -> None:
    api = FakeApi()
    assert run_command(api, "edit", "12", *words).exit_code == 0
    assert json.loads(api.asked[0].body or b"") == {"policies": {"placement": placement}}


def test_anywhere_and_somewhere_are_not_said_together() -> None:
    api = FakeApi()
    assert run_command(api, "edit", "12", "--anywhere", "--site", "one").exit_code == 125
    assert api.asked == []


@pytest.mark.parametrize("words", [("ls", "-l", "a b"), ("ls -l 'a b'",)])
def test_exec_runs_a_command_in_a_job_and_ends_as_it_did(words: tuple[str, ...]) -> None:
    api = FakeApi()
    api.instead.append(refusing(200, {"exitCode": 3, "output": "no end", "cut": True}))
    result = run_command(api, "exec", "12", *words)
    assert (result.exit_code, result.stdout) == (3, "no end")
    assert "more than is passed on" in result.stderr
    assert api.paths == ["POST /jobs/12/commands"]
    assert json.loads(api.asked[0].body or b"") == {"command": ["ls", "-l", "a b"]}


def test_exec_refuses_what_cannot_be_split() -> None:
    assert "cannot be split" in run_command(FakeApi(), "exec", "12", "ls 'a").stderr


def test_a_snapshot_goes_into_a_file(tmp_path: Path) -> None:
    api = FakeApi()
    assert (run_command(api, "snapshot", "12", "a", "--file", str(tmp_path)).exit_code, api.asked) == (125, [])


def test_snapshot_says_why_there_is_none() -> None:
    api = FakeApi()
    api.instead.append(refused(409, "Job 12 is not running."))
    result = run_command(api, "snapshot", "12", "a b")
    assert (result.exit_code, result.stderr) == (125, "prominence: Job 12 is not running (Conflict)\n")
    assert api.paths == ["PUT /jobs/12/snapshot?path=a+b"]


def test_an_edit_of_nothing_is_refused() -> None:
    api = FakeApi()
    assert run_command(api, "edit", "12").exit_code == 125
    assert api.asked == []


@pytest.mark.parametrize("words", [("12",), ("job", "12")])
def test_describe_tells_of_the_job(words: tuple[str, ...]) -> None:
    events = {"createTime": NOON - 90, "startTime": NOON - 61}
    api = FakeApi(turns=[Turn(a_described_job(events=events))])
    assert "Elapsed         0+00:01:01\n" in run_command(api, "describe", *words).stdout
    assert json.loads(run_command(api, "describe", "-o", "json", *words).stdout)["events"] == events


def test_an_unknown_job_is_said() -> None:
    result = run_command(FakeApi(), "describe", "99")
    assert (result.exit_code, result.stdout, result.stderr) == (125, "", "prominence: There is no job 99.\n")


@pytest.mark.parametrize("words", [(), ("x",), ("1", "2"), ("job",), ("-1",), ("١",)])
def test_what_is_no_id_is_refused(words: tuple[str, ...]) -> None:
    api = FakeApi()
    assert run_command(api, "describe", *words).exit_code == 125
    assert api.asked == []


def test_output_of_a_job_comes_as_bytes() -> None:
    api = FakeApi()
    api.instead.append(refusing(200, b"\xff\x00\n"))
    assert run_command(api, "stderr", "12").stdout_bytes == b"\xff\x00\n"
    assert api.paths == ["GET /jobs/12/stderr?offset=0&byte=0"]


@pytest.mark.parametrize("option", ["-f", "--follow", "-t", "--tail"])
def test_output_can_be_followed_to_its_end(option: str) -> None:
    turns = [Turn(DEPLOYING), Turn(RUNNING, b"one\n", stdout_after=b"two\n"), Turn(FAILED, b"three\n")]
    result = run_command(FakeApi(turns=turns), "stdout", option, "12")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "one\ntwo\nthree\n", "")


def test_several_jobs_are_deleted_and_each_refusal_is_told() -> None:
    result = run_command(FakeApi(), "delete", "12", "13", "12")
    assert result.exit_code == 125
    assert result.stdout == "Job 12 deleted\nJob 12 deleted\n"
    assert result.stderr == "prominence: Job 13: No such job (NotFound)\n"


def test_words_of_the_api_cannot_steer_the_terminal() -> None:
    api = FakeApi()
    api.instead.append(refused(400, "bad \x1b]0;title\x07 name"))
    assert run_command(api, "list").stderr == "prominence: bad \\x1b]0;title\\x07 name (InvalidRequest)\n"


def test_without_a_service_the_code_is_126() -> None:
    result = run_command(FakeApi(), "list", environment={})
    assert result.exit_code == 126
    assert "prominence pool up" in result.stderr


def test_without_an_answer_the_code_is_127() -> None:
    api = FakeApi()
    api.instead.append(failing(requests.ConnectTimeout()))
    result = run_command(api, "list")
    assert (result.exit_code, "nothing came within 10 s" in result.stderr) == (127, True)


def test_the_token_is_never_shown() -> None:
    api = FakeApi()
    api.instead.extend([refusing(401, b""), failing(requests.ConnectionError()), refusing(400, b"")])
    environment = {"PROMINENCE_URL": URL, "PROMINENCE_TOKEN": "s3cret"}
    for code in (126, 127, 125):
        result = run_command(api, "list", environment=environment)
        assert (result.exit_code, "s3cret" in result.output) == (code, False)
