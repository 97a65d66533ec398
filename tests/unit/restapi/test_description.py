"""The API describes itself: completely, exactly, and for people as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from builders import a_task
from builders_restapi import a_report, an_api
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.policies import Policies
from prominence.core.resources import Gpus, Resources
from prominence.core.storage import Storage
from prominence.core.task import Task
from prominence.core.validation import IS_ADDED, parse
from prominence.restapi import areas, examples, kv
from prominence.restapi.answers import asked
from prominence.restapi.answers.jobs import JobShown
from prominence.restapi.operations import BASE_PATH


@pytest.fixture(scope="module")
def description() -> Any:
    return an_api().client.get(f"{BASE_PATH}/openapi.json").json


def operations(description: Any) -> Iterator[dict[str, Any]]:
    for item in description["paths"].values():
        yield from item.values()


def test_every_answer_has_a_status_of_its_own(description: Any) -> None:
    statuses = {status for operation in operations(description) for status in operation["responses"]}
    assert all(re.fullmatch("[1-5][0-9][0-9]", status) for status in statuses), statuses


def test_every_error_looks_alike(description: Any) -> None:
    for operation in operations(description):
        for status, answer in operation["responses"].items():
            if status >= "400" and operation["operationId"] != "health":
                assert answer["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def test_a_body_may_have_nothing_that_is_not_described(description: Any) -> None:
    shared = description["components"]["schemas"]
    names = {name for operation in operations(description) for name in named(operation.get("requestBody"))}
    while more := {name for inner in names for name in named(shared[inner])} - names:
        names |= more
    assert {"JobSpec", "Task", "Resources", "Policies", "Upload", "TokenRequest"} <= names
    objects = {name for name in names if shared[name]["type"] == "object"}
    assert [name for name in objects if shared[name].get("additionalProperties") is not False] == []


def named(schema: Any) -> set[str]:
    return set(re.findall(r"#/components/schemas/(\w+)", str(schema)))


def test_operations_have_names_of_their_own(description: Any) -> None:
    names = [operation["operationId"] for operation in operations(description)]
    assert len(names) == len(set(names))


def test_what_is_told_of_a_job_is_what_is_described() -> None:
    api = an_api(addresses={"alice": "alice@example.org"})
    job = api.submit(
        name="a",
        labels={"a": "b"},
        tasks=[
            a_task(env={"A": "b"}, workdir="/tmp", runtime="docker"),
            a_task(imagePullCredential={"username": "robot", "token": "a"}),
            a_task(image="https://example.org/tool.sif", imageSha256="0" * 64),
        ],
        notifications=[{"event": "jobFinished", "type": "email"}],
        policies={"priority": 3, "maximumRetries": 1},
        inputs=[{"filename": "in", "content": "aGk=", "executable": True}],
        outputFiles=["out"],
        outputDirs=["directory"],
        storage={
            **{"type": "b2drop", "mountpoint": "/data", "directory": "a"},
            "b2drop": {"app-username": "a", "app-password": "b"},
        },
    )
    kind = TypeAdapter(list[JobShown])
    kind.validate_python(api.get("/jobs"), extra="forbid")
    api.run(job)
    api.finish(job, a_report(cpu_model="fast"))
    told = api.get(f"/jobs/{job}")
    assert kind.validate_python(told, extra="forbid") == told


def test_so_is_what_is_told_of_policies_and_kinds_of_tasks() -> None:
    api = an_api()
    policies = {"runSerialTasksOnAllNodes": True, "placement": {"requirements": {"sites": ["a"]}}}
    tasks = [a_task(type="openmpi", cmd="a", procsPerNode=1), a_task(type="sidecar")]
    told = api.get(f"/jobs/{api.submit(tasks=tasks, policies=policies)}")
    assert told[0]["policies"] == policies
    TypeAdapter(list[JobShown]).validate_python(told, extra="forbid")


TWINS: list[tuple[Any, type[BaseModel]]] = [
    (asked.TaskShown, Task),
    (asked.PoliciesShown, Policies),
    (asked.ResourcesShown, Resources),
    (asked.GpusShown, Gpus),
    (asked.StorageShown, Storage),
]


@pytest.mark.parametrize(("shown", "model"), TWINS, ids=[model.__name__ for _, model in TWINS])
def test_what_is_told_of_a_part_of_a_job_has_the_fields_of_that_part(shown: Any, model: type[BaseModel]) -> None:
    assert shown.__annotations__.keys() | {"default"} == model.model_fields.keys() | {"default"}


@pytest.mark.parametrize("body", examples.BODIES, ids=lambda body: str(body.__name__))
def test_the_example_of_a_body_is_one(body: type[BaseModel]) -> None:
    parse(body, examples.BODIES[body])


def test_every_body_in_json_and_every_parameter_that_must_be_there_has_an_example(description: Any) -> None:
    for operation in operations(description):
        contents = operation.get("requestBody", {}).get("content", {})
        assert all("example" in content for kind, content in contents.items() if kind == "application/json")
        for parameter in operation["parameters"]:
            assert ("example" in parameter) == parameter["required"]


def test_every_field_that_is_written_or_told_is_explained(description: Any) -> None:
    shared = description["components"]["schemas"].items()
    fields = {(name, field): one for name, schema in shared for field, one in schema.get("properties", {}).items()}
    assert [place for place, one in fields.items() if not one.get("description")] == []


def test_what_was_added_to_the_former_api_says_so(description: Any) -> None:
    shared = description["components"]["schemas"]
    added = {(name, field) for name in shared for field in added_of(shared[name])}
    assert {("JobSpec", "group"), ("Policies", "checkpoint"), ("WorkflowSpec", "finally"), ("Passed", "from")} <= added
    assert not {("JobSpec", "tasks"), ("Policies", "priority"), ("WorkflowSpec", "jobs")} & added


def added_of(schema: dict[str, Any]) -> list[str]:
    return [field for field, one in schema.get("properties", {}).items() if one.get(IS_ADDED)]


class Page(HTMLParser):
    """The places on a page, where it leads to, and what it would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.places: set[str | None] = set()
        self.links: set[str | None] = set()
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.places |= {found["id"]} if "id" in found else set()
        self.links |= {found["href"]} if "href" in found else set()


def test_the_page_has_every_operation_and_loads_nothing(description: Any) -> None:
    answer = an_api().client.get(f"{BASE_PATH}/docs")
    assert answer.content_type == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert {operation["operationId"] for operation in operations(description)} <= page.places
    assert {link for link in page.links if link != "openapi.json"} <= {f"#{place}" for place in page.places}
    assert page.tags.isdisjoint({"script", "link", "img", "iframe"})


texts = st.text(st.sampled_from("ab0/.:,\\\"' \n\t\r@-+~\x00\x1f\u2028é"), max_size=8)
JOB = {"tasks": [{"image": "a"}], "resources": {}}
PLACES: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "image": ("Task", "image", lambda text: {"tasks": [{"image": text}]}),
    "cmd": ("Task", "cmd", lambda text: {"tasks": [{"image": "a", "cmd": text}]}),
    "workdir": ("Task", "workdir", lambda text: {"tasks": [{"image": "a", "workdir": text}]}),
    "filename": ("InputFile", "filename", lambda text: {"inputs": [{"filename": text, "content": ""}]}),
    "content": ("InputFile", "content", lambda text: {"inputs": [{"filename": "a", "content": text}]}),
    "mountpoint": ("Artifact", "mountpoint", lambda text: {"artifacts": [{"url": "a", "mountpoint": text}]}),
}


@pytest.mark.parametrize("place", PLACES)
@given(text=texts | st.builds("{}:/{}".format, texts, texts))
def test_a_pattern_in_the_description_says_what_the_api_takes(place: str, text: str) -> None:
    kind, field, job = PLACES[place]
    schema = JobSpec.model_json_schema()["$defs"][kind]["properties"][field]
    pattern = pattern_of(schema)
    try:
        parse(JobSpec, {**JOB, **job(text)})
    except Rejected:
        assert not re.fullmatch(pattern, text)
    else:
        assert re.fullmatch(pattern, text)


def pattern_of(schema: dict[str, Any]) -> str:
    """Of a text that may be null, or one of several kinds."""
    found = [one["pattern"] for one in (schema, *schema.get("anyOf", ())) if "pattern" in one]
    return "|".join(f"(?:{pattern})" for pattern in found)


@given(text=texts)
def test_so_do_those_of_keys_and_objects(text: str) -> None:
    assert takes(areas.check, text) == bool(re.fullmatch(areas.SCHEMA["pattern"], text))
    assert not re.fullmatch(kv.SCHEMA["pattern"], text) or takes(kv.checked, text)


def takes(check: Callable[[str], object], text: str) -> bool:
    try:
        check(text)
    except Rejected:
        return False
    return True
