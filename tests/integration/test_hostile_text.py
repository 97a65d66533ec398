"""Text that breaks things reaches the container as it was written, or is refused with its place named.

Nothing of it is run, expanded or taken for HTCondor's own words on the way. Many values travel in one job, so that
hundreds of examples cost a handful of jobs.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders_hostile_text as hostile
import jwt
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from real_parts import RealPool

from prominence.core import classads

SCRIPT = f"""
printf '%s\\0' "$@"
cat /proc/1/environ
printf 'END\\0%s\\0' "$PWD"
[ ! -e {hostile.CANARY} ]
"""
"""Tells its arguments, the container's environment and the directory it is in, each with a NUL behind it."""

NOWHERE = {"cpus": 512, "memory": 1, "disk": 1}
"""No worker is large enough: the job waits until it is deleted."""

TOLD = {"HOME", "USER", "TMP", "TEMP", "TMPDIR", "PATH", "HOSTNAME"}
"""Variables that every task is told, besides PROMINENCE_..."""


def batches(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Of jobs on real parts: none is repeated to find a smaller one that fails."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, phases=[Phase.generate], suppress_health_check=checks, deadline=None)


# Of a failure it is told what differs; a warning that the examples are large must not stand in its place.
quietly = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")

directories = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), max_size=30).filter(
    lambda name: name not in ("", ".", "..")
)
tasks = st.fixed_dictionaries(
    {"args": st.lists(hostile.texts, min_size=1, max_size=15), "env": hostile.variables, "workdir": directories}
)


@quietly
@batches(2)
@given(found=st.lists(tasks, min_size=6, max_size=6))
def test_any_text_reaches_the_container_unchanged(pool: RealPool, tiny_image: str, found: list[dict[str, Any]]) -> None:
    arrives_unchanged(pool, tiny_image, found)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@quietly
@batches(6)
@given(found=st.lists(tasks, min_size=15, max_size=15))
def test_very_much_of_any_text_reaches_the_container_unchanged(
    pool: RealPool, tiny_image: str, found: list[dict[str, Any]]
) -> None:
    arrives_unchanged(pool, tiny_image, found)


def test_what_is_known_to_break_things_reaches_the_container_unchanged(pool: RealPool, tiny_image: str) -> None:
    known = [text for text in hostile.KNOWN if text]
    env = {f"V{number}": text for number, text in enumerate(known)}
    in_one_word = "".join(text.replace("/", "") for text in known if len(text) < 100)[:200].strip()
    arrives_unchanged(
        pool,
        tiny_image,
        [
            {"args": known, "env": env, "workdir": "a"},
            {"args": [in_one_word], "env": {"A": "x" * 131_069}, "workdir": in_one_word},
            {"args": ["x" * 131_071], "env": {}, "workdir": "x" * 200},
            {"args": [""] * 100, "env": {"EMPTY": ""}, "workdir": "-rf"},
        ],
    )


@batches(5)
@given(name=hostile.names, labels=hostile.labels)
def test_names_and_labels_come_back_from_everywhere(pool: RealPool, name: str, labels: dict[str, str]) -> None:
    job = pool.submit({"image": "busybox"}, name=name, labels=labels, resources=NOWHERE)
    try:
        filters = [("name", name), *(("constraint", f"{key}={value}") for key, value in labels.items())]
        listed = pool.request("GET", "/jobs", params=[("id", str(job)), *filters]).json()
        for shown in (pool.describe(job), *listed):
            assert (shown["id"], shown["name"], shown.get("labels", {})) == (job, name, labels)
        assert len(listed) == 1
        [ad] = queued(pool, job)
        assert classads.original(ad[classads.JOB_NAME]) == name
        assert {key: classads.original(ad[classads.LABEL_PREFIX + key]) for key in labels} == labels
    finally:
        pool.request("DELETE", f"/jobs/{job}")


users = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=60)


@batches(5)
@given(
    user=users.filter(lambda user: user == user.strip())
    | st.sampled_from(
        ['" || true || "', "$(HOME)", "$$(Name)", "a.b@c", "-rf", "..", "a,b", "a%41", "condor", "é" * 256]
    )
)
def test_a_user_by_any_name_has_their_own_jobs_and_no_others(pool: RealPool, user: str) -> None:
    ours = pool.submit({"image": "busybox"}, resources=NOWHERE)
    ask = as_user(pool, user)
    try:
        assert ask("GET", "/jobs?all").json() == []
        theirs = ask("POST", "/jobs", json={"tasks": [{"image": "busybox"}], "resources": NOWHERE}).json()["id"]
        assert [job["id"] for job in ask("GET", "/jobs").json()] == [theirs]
        [ad] = queued(pool, theirs)
        assert classads.original(ad[classads.IDENTITY]) == user
        assert ask("DELETE", f"/jobs?id={ours},{theirs}").status_code == 200
        assert pool.describe(ours)["status"] != "deleted"
    finally:
        pool.request("DELETE", f"/jobs/{ours}")


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("name", lambda text: {"name": text}),
        ("labels", lambda text: {"labels": {text: "a"}}),
        ("labels.a", lambda text: {"labels": {"a": text}}),
        ("tasks[0].image", lambda text: {"tasks": [{"image": text}]}),
        ("tasks[0].runtime", lambda text: {"tasks": [{"image": "busybox", "runtime": text}]}),
        ("tasks[0].cmd", lambda text: {"tasks": [{"image": "busybox", "cmd": text + "\0"}]}),
        ("tasks[0].workdir", lambda text: {"tasks": [{"image": "busybox", "workdir": text + "\0"}]}),
        ("tasks[0].env.A", lambda text: {"tasks": [{"image": "busybox", "env": {"A": text + "\ud800"}}]}),
        ("tasks[0].env", lambda text: {"tasks": [{"image": "busybox", "env": {text + "=": "a"}}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_such_text_cannot_be_it_is_refused_and_its_place_is_named(
    pool: RealPool, path: str, change: Callable[[str], dict[str, Any]]
) -> None:
    refused = 0
    for text in hostile.KNOWN:
        job = {"tasks": [{"image": "busybox"}], "resources": NOWHERE, **change(text)}
        answer = pool.request("POST", "/jobs", data=json.dumps(job))
        if answer.status_code == 201:
            assert path in ("name", "labels.a", "tasks[0].image")  # ".." and "  two  spaces  " are names as any
            pool.request("DELETE", f"/jobs/{answer.json()['id']}")
            continue
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"].startswith(path), answer.text
        refused += 1
    assert refused > len(hostile.KNOWN) / 2


def test_the_command_passes_text_on_and_shows_none_that_a_terminal_obeys(pool: RealPool, tiny_image: str) -> None:
    args = [text for text in hostile.KNOWN if len(text) < 1000]
    env = {f"V{number}": text for number, text in enumerate(args)}
    given_env = [part for name, text in env.items() for part in ("--env", f"{name}={text}")]
    command = ["--", tiny_image, "sh", "-c", SCRIPT, "sh", *args]
    done = pool.run("create", *given_env, "--cpus", "1", "--memory", "0.2", "--disk", "0.1", *command)
    job = int("".join(filter(str.isdigit, done.stdout)))
    assert pool.finish(job)["status"] == "completed", pool.describe(job)
    raw = pool.request("GET", f"/jobs/{job}/stdout").content
    assert raw.split(b"\0")[: len(args)] == [text.encode() for text in args]
    for command in (("list", "--all"), ("describe", str(job)), ("describe", str(job), "-o", "json")):
        shown = pool.run(*command).stdout
        assert "".join(c for c in shown if c != "\n" and not c.isprintable()) == ""
    assert pool.run("stdout", str(job), text=False).stdout == raw


def arrives_unchanged(pool: RealPool, image: str, found: list[dict[str, Any]]) -> None:
    """One job with a task for each of these; what each task was given is what it tells."""
    tasks = [
        {"image": image, "cmd": shlex.join(["sh", "-c", SCRIPT, "sh", *one["args"]]), **_without_args(one)}
        for one in found
    ]
    job = pool.submit(*tasks)
    described = pool.finish(job)
    assert described["status"] == "completed", described
    told = pool.request("GET", f"/jobs/{job}/stdout").content.split(b"\0")
    assert told.pop() == b""
    for one in found:
        args = [told.pop(0).decode() for _ in one["args"]]
        env = dict(line.decode().split("=", 1) for line in iter(lambda: told.pop(0), b"END"))
        assert args == one["args"]
        assert {name: env.get(name) for name in one["env"]} == one["env"]
        assert {name for name in env if not name.startswith("PROMINENCE_")} <= {*one["env"], *TOLD}
        assert told.pop(0).decode() == posixpath.normpath(f"/home/user/{one['workdir']}")
    assert told == []
    assert [task.get("env", {}) for task in described["tasks"]] == [one["env"] for one in found]
    assert [task["cmd"] for task in described["tasks"]] == [task["cmd"] for task in tasks]
    was_one_job_and_nothing_else(pool, image, job)


def was_one_job_and_nothing_else(pool: RealPool, image: str, job: int) -> None:
    """One proc in HTCondor with the attributes of any job, and no shell has run what was written, anywhere."""
    ads = json.loads(pool.inside("access-point", "condor_history", "-json", str(job)))
    assert len(ads) == 1
    assert not {name.lower() for name in ads[0]} & {"takenover", "tests"}
    assert {name for name in ads[0] if name.startswith("Prominence")} <= set(plain_ad(pool, image))
    assert not Path(hostile.CANARY).exists()
    for role in ("access-point", "imc", "worker"):
        for container in pool.containers(role):
            assert container.exec_run(["test", "-e", hostile.CANARY]).exit_code == 1


def plain_ad(pool: RealPool, image: str) -> dict[str, Any]:
    """A job's ad in which nobody has written anything."""
    job = pool.submit({"image": image}, resources=NOWHERE)
    [ad] = queued(pool, job)
    pool.request("DELETE", f"/jobs/{job}")
    return ad


def queued(pool: RealPool, job: int) -> list[dict[str, Any]]:
    """The ads of all procs of a job."""
    return list(json.loads(pool.inside("access-point", "condor_q", "-allusers", "-json", str(job))))


def as_user(pool: RealPool, user: str) -> Callable[..., requests.Response]:
    """Requests to the API by somebody of this name."""
    claims = {"iss": "prominence-local", "aud": "prominence", "sub": user, "exp": 2**33}
    token = jwt.encode(claims, (pool.state / "secrets" / "api.key").read_text().strip(), algorithm="HS256")
    headers = {"Authorization": f"Bearer {token}"}
    return lambda method, path, **more: requests.request(method, pool.url + path, headers=headers, timeout=30, **more)


def _without_args(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name != "args"}
