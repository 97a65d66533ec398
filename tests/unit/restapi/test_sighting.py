"""Objects that many instances name are looked at once each, or by one list where they are many."""

from __future__ import annotations

from typing import Any

import pytest
from builders_restapi import Api, an_api

from prominence.restapi import sighting


@pytest.fixture
def api() -> Api:
    return an_api()


def looks(api: Api, monkeypatch: pytest.MonkeyPatch, values: list[int], **changes: Any) -> tuple[int, int]:
    """Submit a workflow with an instance for each value; how often an object, and how often a list, was looked at."""
    counts = {"stat": 0, "list": 0}

    def counted(verb: str) -> Any:
        real = getattr(api.objects, verb)

        def act(name: str) -> Any:
            counts[verb] += 1
            return real(name)

        return act

    with monkeypatch.context() as patch:
        for verb in counts:
            patch.setattr(api.objects, verb, counted(verb))
        step = api.a_step("a", artifacts=[{"url": "all"}, {"url": "in-$x"}], **changes)
        factory = {"type": "zip", "jobs": ["a"], "parameters": [{"name": "x", "values": values}]}
        answer = api.call("POST", "/workflows", json={"jobs": [step], "factories": [factory]})
    assert answer.status_code == 201, answer.text
    return counts["stat"], counts["list"]


def test_what_all_instances_name_is_looked_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("all", "in-1", "in-2"):
        api.objects.store(f"uploads/alice/{name}", b"x")
    assert looks(api, monkeypatch, [1, 2, 1, 2]) == (3, 0)


def test_many_in_one_area_are_looked_at_by_one_list(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sighting, "ONE_BY_ONE", 3)
    for name in ("all", *(f"in-{number}" for number in range(20))):
        api.objects.store(f"uploads/alice/{name}", b"x")
    assert looks(api, monkeypatch, list(range(20))) == (3, 1)


def test_of_many_each_that_is_not_there_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sighting, "ONE_BY_ONE", 2)
    for name in ("all", "in-0", "in-1", "in-2"):
        api.objects.store(f"uploads/alice/{name}", b"x")
    with pytest.raises(AssertionError, match=r"jobs\[0\].artifacts\[1\].url: there is no object in-7"):
        looks(api, monkeypatch, [0, 1, 2, 7])
    with pytest.raises(AssertionError, match=r"there is no object in-8"):
        looks(api, monkeypatch, [8])


def test_a_checksum_is_asked_of_the_object_itself(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sighting, "ONE_BY_ONE", 0)
    for name in ("all", "in-1", "tool.sif"):
        api.objects.store(f"uploads/alice/{name}", b"x")
    with pytest.raises(AssertionError, match="has another checksum than imageSha256"):
        looks(api, monkeypatch, [1], tasks=[{"image": "tool.sif", "imageSha256": "0" * 64}])
