"""What administrators ask imc: its routes for them, and the commands that ask."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from builders import NOON, a_cloud, a_flavour, a_request, a_size
from builders_imc import a_record
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from prominence.core.errors import ProminenceError, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import Tier, Wish, WorkerPhase
from prominence.imc import admin
from prominence.imc.adapters.memory import MemoryPool
from prominence.imc.app import create_app
from prominence.imc.records import Records
from prominence.imc.routes import Services


class Scene:
    """imc's API in memory, and the commands on it."""

    def __init__(self) -> None:
        self.records = Records(MemoryKeyValue())
        self.changes = 0
        services = Services(
            *(self.records, MemoryPool(), SecretStr("right"), None),
            *(lambda: NOON, self._changed, lambda: 0.0),
        )
        self.client: FlaskClient = create_app(services).test_client()

    def run(self, *words: str, token: str = "right") -> str:
        parser = argparse.ArgumentParser()
        admin.add_commands(parser)
        return admin.run(parser.parse_args(list(words)), admin.Api("", token, self._request))

    def _changed(self) -> None:
        self.changes += 1

    def _request(self, method: str, url: str, **options: Any) -> requests.Response:
        options.pop("timeout")
        with self.client.open(url, method=method, query_string=options.pop("params"), **options) as said:
            answer = requests.Response()
            answer.status_code, answer._content = said.status_code, said.data
            return answer


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    small = a_flavour(cloud="docker", name="small", size=a_size(2, 4000, 20000), price=1.0)
    dear = a_flavour(cloud="amazon", name="m5.large", size=a_size(2, 8000, 20000), price=0.1)
    scene.records.publish(
        (
            a_cloud(name="docker", flavours=(small,), limit=4, occupied=1, cpu_limit=8, cpus=2, orphans=("lost-1",)),
            a_cloud(name="amazon", tier=Tier.PUBLIC, flavours=(dear,), limit=9, troubles={"m5.large": "sold out"}),
            a_cloud(name="silent", flavours=(), error="it does not answer", silent_since=NOON),
        )
    )
    scene.records.add(a_record(phase=WorkerPhase.REGISTERED, flavour=small, reason="it has joined the pool"))
    scene.records.add(a_record(name="worker-2", phase=WorkerPhase.FAILED, reason="its machine vanished"))
    yield scene


def test_clouds_are_shown_with_what_is_wrong(scene: Scene) -> None:
    lines = scene.run("clouds").splitlines()
    assert lines[0].split() == ["CLOUD", "TIER", "WORKERS", "CPUS", "FLAVOURS", "STATE"]
    assert lines[1].split() == ["docker", "private", "1/4", "2/8", "1", "ok"]
    assert "m5.large: sold out" in lines[2]
    assert "it does not answer (silent since 20" in lines[3]


def test_workers_are_shown_with_their_reasons(scene: Scene) -> None:
    told = scene.run("workers")
    assert "it has joined the pool" in told and "its machine vanished" in told
    assert [one["name"] for one in json.loads(scene.run("workers", "--json"))] == ["worker-1", "worker-2"]


def test_orphans_are_shown_by_cloud(scene: Scene) -> None:
    assert scene.run("orphans").splitlines()[1].split() == ["docker", "lost-1"]


def test_offers_come_in_their_order_and_refusals_with_their_reasons(scene: Scene) -> None:
    lines = [line.split() for line in scene.run("offers", "--cpus", "2").splitlines()]
    assert lines[1][:3] == ["1", "docker", "small"]
    assert ["not", "now", "amazon", "m5.large", "sold", "out"] in lines
    assert ["not", "now", "silent", "(all)", "it", "does", "not", "answer"] in lines
    answer = json.loads(scene.run("offers", "--cpus", "99", "--cloud", "docker", "--json"))
    assert answer["offers"] == [] and {one["never"] for one in answer["refusals"]} == {True, False}


def test_a_question_about_places_makes_nothing(scene: Scene) -> None:
    before = scene.records.all()
    scene.run("offers")
    assert (scene.records.all(), scene.changes) == (before, 0)


def test_a_drained_worker_is_wished_so_whoever_leads(scene: Scene) -> None:
    assert scene.run("drain", "worker-1", "--reason", "a new disk") == "worker-1 is registered, and wished drained"
    record = scene.records.get("worker-1")
    assert record and (record.request.wish, record.request.reason) == (Wish.DRAINED, "a new disk")
    assert scene.changes == 1


def test_a_worker_that_is_to_go_is_not_called_back_by_draining(scene: Scene) -> None:
    scene.records.add(a_record(name="worker-3", request=a_request(wish=Wish.ABSENT)))
    assert scene.run("drain", "worker-3").endswith("wished absent")


def test_only_what_has_ended_is_forgotten(scene: Scene) -> None:
    assert scene.run("forget", "worker-2") == "worker-2 is forgotten"
    assert scene.records.get("worker-2") is None
    with pytest.raises(ProminenceError, match="registered and not over"):
        scene.run("forget", "worker-1")


@pytest.mark.parametrize("words", [("drain", "worker-9"), ("forget", "worker-9")])
def test_an_unknown_worker_is_said_so(scene: Scene, words: tuple[str, str]) -> None:
    with pytest.raises(ProminenceError, match="no worker worker-9"):
        scene.run(*words)


def test_the_token_is_needed(scene: Scene) -> None:
    with pytest.raises(ProminenceError, match="token"):
        scene.run("clouds", token="wrong")


def test_a_silent_imc_is_said_so() -> None:
    def refuse(*_: object, **__: object) -> requests.Response:
        raise requests.ConnectionError("nobody")

    with pytest.raises(Unavailable, match="does not answer at http://x"):
        admin.Api("http://x", "t", refuse).call("GET", "/v1/clouds")


@pytest.mark.parametrize("body", [{}, {"size": {"cpus": -1}}, {"size": 1, "more": 2}, []])
def test_a_wrong_question_is_refused_with_all_mistakes(scene: Scene, body: object) -> None:
    answer = scene.client.post("/v1/placements", json=body, headers={"Authorization": "Bearer right"})
    assert answer.status_code == 400 and answer.get_json()["error"]


@given(st.lists(st.lists(st.text(max_size=10), min_size=2, max_size=2), max_size=5))
def test_a_table_has_a_line_for_each_row_whatever_is_in_it(rows: list[list[str]]) -> None:
    told = admin.table([("A", "B"), *rows])
    assert len(told.split("\n")) == len(rows) + 1
    assert all(line.isprintable() for line in told.split("\n"))
