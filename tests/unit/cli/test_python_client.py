"""The client for Python programs, against the API itself on memory services; and the example of its page."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from builders import NOON, a_task
from builders_cli import TOKEN, URL, FakeApi, PretendClock, a_session, failing
from builders_restapi import Api, a_report, a_slot, an_api
from in_process import a_client

from prominence.cli import surroundings
from prominence.cli.client import Client
from prominence.cli.errors import ApiError, ClientError, JobFailed, NoSuchJob, TokenRefused, Unreachable
from prominence.cli.follow import LONGEST_PAUSE_S
from prominence.cli.handle import Job
from prominence.cli.listing import Wanted
from prominence.core.credentials import ImagePullCredential
from prominence.core.job import JobSpec
from prominence.core.plan import CREDENTIALS_FILE
from prominence.core.reasons import Reason
from prominence.core.report import Outcome, TaskReport
from prominence.core.resources import Resources
from prominence.core.task import Task

PAGE = Path(__file__).parents[3] / "docs/python.md"
DOCUMENT = {"tasks": [a_task()], "resources": {"cpus": 1}}


class Pool:
    """What happens to job 1, one step each time that somebody looks at it."""

    def __init__(self, api: Api, *steps: Callable[[], object]) -> None:
        self.api, self.steps = api, list(steps)

    def happens(self) -> None:
        if self.steps and self.api.sandboxes.files:
            self.steps.pop(0)()


@pytest.fixture
def api() -> Api:
    return an_api()


@pytest.fixture
def client(api: Api) -> Client:
    return a_client(api)


def that_runs(api: Api, *, exit_code: int = 0, prints: bytes = b"") -> Client:
    """Of a pool where job 1 runs at the second look and ends at the third."""
    task = TaskReport(image="a", runtime="apptainer", exit_code=exit_code)
    told = a_report(tasks=(task,))
    if exit_code:
        details = {"task": "0", "exit_code": str(exit_code)}
        told = a_report(Outcome.TASK_FAILED, reason=Reason.TASK_FAILED, details=details, tasks=(task,))

    def end() -> None:
        api.write(1, "stdout", prints)
        api.write(1, "stderr", prints.upper())
        api.finish(1, told, exit_code)

    return a_client(api, Pool(api, lambda: None, lambda: api.run(1), end).happens)


def test_a_job_is_submitted_waited_for_and_read(api: Api) -> None:
    job = that_runs(api, prints=b"a\xff\n").submit({**DOCUMENT, "name": "n", "labels": {"a": "b"}}).wait()
    assert (job.id, job.name, job.labels, job.status, job.exit_code) == (1, "n", {"a": "b"}, "completed", 0)
    assert job.has_ended
    assert job.raise_for_status() is job
    assert (job.stdout(), job.stdout(1), job.stderr()) == (b"a\xff\n", b"\xff\n", b"A\xff\n")
    assert (job.created_at, job.ended_at) == (NOON, NOON + timedelta(minutes=2))
    assert job.document["status"] == "completed"


def test_a_job_of_classes_is_the_job_of_a_document(api: Api, client: Client) -> None:
    task = Task(image="python:3.12", cmd="python --version", env={"A": "b"})
    spec = JobSpec(tasks=(task,), resources=Resources(cpus=2, memory=1.5), outputFiles=("a",))
    job = client.submit(spec)
    [described] = api.get(f"/jobs/{job.id}")
    assert described["tasks"] == [{"image": "python:3.12", "cmd": "python --version", "env": {"A": "b"}}]
    assert (described["resources"]["cpus"], described["resources"]["memory"]) == (2, 1.5)
    assert [one["name"] for one in described["outputFiles"]] == ["a"]


def test_a_job_of_classes_is_sent_with_its_secrets(api: Api, client: Client) -> None:
    credential = ImagePullCredential(username="robot", token="se cret")
    task = Task(image="registry.example.org/tool:1", imagePullCredential=credential)
    job = client.submit(JobSpec(tasks=(task,), resources=Resources(cpus=1, memory=1, disk=1)))
    assert b"se cret" in api.sandboxes.files[api.uid(job.id)][CREDENTIALS_FILE]


def test_an_array_of_a_job_of_classes_is_sent_with_its_secrets(api: Api, client: Client) -> None:
    credential = ImagePullCredential(username="robot", token="se cret")
    task = Task(image="registry.example.org/tool:1", imagePullCredential=credential)
    array = client.arrays.submit(JobSpec(tasks=(task,), resources=Resources(cpus=1, memory=1, disk=1)), 2)
    assert b"se cret" in api.sandboxes.files[api.uid(array)][CREDENTIALS_FILE]


def test_a_new_job_is_looked_at_when_that_is_first_needed(api: Api, client: Client) -> None:
    job = client.submit(DOCUMENT)
    assert repr(job) == "<Job 1>"
    assert (job.status, job.started_at, job.exit_code, job.has_ended) == ("idle", None, None, False)
    api.run(1)
    assert job.status == "idle"
    assert job.refresh().status == "running"
    assert repr(job) == "<Job 1 running>"


def test_a_job_that_fails_says_why_by_sentence_and_word(api: Api) -> None:
    job = that_runs(api, exit_code=3).submit(DOCUMENT).wait()
    with pytest.raises(JobFailed, match=r"Job 1 is failed: Task 0 ended with exit code 3\.") as failure:
        job.raise_for_status()
    assert (failure.value.status, failure.value.reason) == ("failed", job.reason)
    assert failure.value.reason_code == job.reason_code == Reason.TASK_FAILED
    assert job.exit_code == 3


def test_a_job_that_has_not_ended_has_not_failed(client: Client) -> None:
    job = client.submit(DOCUMENT)
    assert job.raise_for_status() is job


def test_waiting_has_an_end_when_somebody_says_so(client: Client) -> None:
    with pytest.raises(TimeoutError, match="Job 1 has not ended in time"):
        client.submit(DOCUMENT).wait(timeout_s=0)


@pytest.mark.parametrize("timeout_s", [0, 1.5, 40])
def test_waiting_has_an_end_also_while_the_api_is_away(timeout_s: float) -> None:
    away = FakeApi(instead=deque([failing(requests.ConnectionError())] * 1000))
    pretended = PretendClock()
    job = Job(Client(URL, TOKEN, a_session(away)), 1, clock=pretended.clock)
    with pytest.raises(TimeoutError, match="Job 1 has not ended in time"):
        job.wait(timeout_s)
    assert sum(pretended.naps) < timeout_s + LONGEST_PAUSE_S


def test_waiting_may_be_told_to_have_no_end(api: Api) -> None:
    assert that_runs(api).submit(DOCUMENT).wait(timeout_s=math.inf).status == "completed"


def test_a_job_that_has_ended_is_not_waited_for(api: Api) -> None:
    job = that_runs(api).submit(DOCUMENT).wait()
    assert job.wait(timeout_s=0).status == "completed"


def test_output_is_passed_on_while_it_appears(api: Api) -> None:
    seen: list[bytes] = []
    job = that_runs(api, prints=b"line\n").submit(DOCUMENT).follow({"stdout": seen.append})
    assert (b"".join(seen), job.status) == (b"line\n", "completed")


def test_all_jobs_are_found_page_by_page(api: Api, client: Client) -> None:
    for number in range(5):
        client.submit({**DOCUMENT, "name": str(number)})
    found = client.find(Wanted(limit=2))
    assert isinstance(next(found), Job)
    assert [job.name for job in found] == ["3", "2", "1", "0"]
    assert [job.id for job in client.find(Wanted(name="2"))] == [3]


def test_a_job_is_held_released_edited_cloned_and_deleted(api: Api, client: Client) -> None:
    job = client.submit(DOCUMENT)
    job.hold()
    assert job.refresh().status == "waiting"
    assert job.reason
    job.release()
    job.edit({"labels": {"a": "b"}})
    assert job.refresh().labels == {"a": "b"}
    assert job.clone().labels == {"a": "b"}
    job.delete()
    assert job.refresh().status == "deleted"


def test_a_job_that_stays_in_the_queue_is_taken_out(api: Api, client: Client) -> None:
    job = client.submit(DOCUMENT)
    with pytest.raises(ApiError) as refusal:
        job.remove()
    assert refusal.value.status == 409


def test_nothing_is_downloaded_of_a_job_that_has_not_ended(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="Job 1 has not ended: it is idle"):
        client.submit(DOCUMENT).download(tmp_path)


def test_objects_are_uploaded_listed_and_deleted(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    client.data.upload(tmp_path / "a.txt")
    client.data.upload(tmp_path / "a.txt", "physics/b.txt")
    assert [(one["name"], one["size"]) for one in client.data.list()] == [("a.txt", 7)]
    assert [one["name"] for one in client.data.list("physics")] == ["physics/b.txt"]
    client.data.delete("a.txt")
    assert client.data.list() == []


def test_keys_are_texts_or_bytes(client: Client) -> None:
    client.kv.set("a", "ü")
    client.kv.set("b", b"1", previous="")
    assert (client.kv.get("a"), client.kv.list(), client.kv.values("b")) == ("ü", ["/a", "/b"], {"/b": "1"})
    client.kv.delete("a")
    with pytest.raises(ApiError, match="No such key: a") as missing:
        client.kv.get("a")
    assert missing.value.status == 404


def test_workers_are_told(api: Api, client: Client) -> None:
    api.machines.present = [a_slot()]
    assert [worker["site"] for worker in client.resources()] == ["cloud"]


def test_errors_are_the_apis_own_sentences(api: Api, client: Client) -> None:
    with pytest.raises(ApiError, match="tasks: at least one task is needed") as refusal:
        client.submit({"tasks": [], "resources": {}})
    assert refusal.value.status == 400
    with pytest.raises(NoSuchJob, match="There is no job 7"):
        client.get(7)
    with pytest.raises(TokenRefused):
        a_client(api, token="nobody's").get(1)
    api.queue.unavailable = "The queue is away."
    with pytest.raises(Unreachable, match="The queue is away"):
        list(client.find())


def test_the_example_of_the_page_does_what_the_page_says(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)

    def end() -> None:
        api.write(1, "stdout", b"2 words.txt\n")
        name = f"scratch/{api.uid(1)}/count.txt"
        api.objects.store(name, b"2 words.txt\n")
        api.finish(1, a_report())

    pool = Pool(api, lambda: api.run(1), end)
    client = a_client(api, pool.happens)
    monkeypatch.setattr(surroundings, "connect", lambda: client)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, str(PAGE), "exec"), {})
    first, second, *others = capsys.readouterr().out.splitlines()
    assert (first, second, len(others)) == ("1 completed 0 2 words.txt", "", 1)
    assert others[0].startswith("1 completed ")
    assert (tmp_path / "results/count.txt").read_bytes() == b"2 words.txt\n"
    assert client.kv.get("words/count") == "2 words.txt\n"
