"""Equal requests at once, on each store: one job."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from builders import job_json
from builders_restapi import an_api

from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.keyvalue.port import KeyValue


@pytest.fixture(params=["memory", "etcd"])
def store(request: pytest.FixtureRequest) -> Iterator[KeyValue]:
    if request.param == "memory":
        yield MemoryKeyValue()
    else:
        adapter = EtcdKeyValue([request.getfixturevalue("etcd").endpoint])
        yield adapter
        adapter.close()


def test_of_many_equal_requests_at_once_one_makes_a_job(store: KeyValue) -> None:
    api = an_api(store=store)
    together, key = threading.Barrier(8), str(uuid.uuid4())

    def post(_: int) -> tuple[int, int | None]:
        together.wait()
        answer = api.call("POST", "/jobs", json=job_json(), headers={"Idempotency-Key": key})
        assert answer.json is not None
        return answer.status_code, answer.json.get("id")

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(post, range(8)))
    [job] = {job for status, job in answers if status == 201}
    assert answers <= {(201, job), (503, None)}
    assert post_again(api, key) == job


def post_again(api, key: str) -> int:
    answer = api.call("POST", "/jobs", json=job_json(), headers={"Idempotency-Key": key})
    assert answer.json is not None
    assert len(api.get("/jobs")) == 1
    return int(answer.json["id"])
