"""The pool as users see it: all that is known of it, nobody's name, and nothing that could not be seen."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from builders import NOON, a_cloud, a_demand, a_flavour, a_size, a_snapshot, a_worker, an_execute_point, minutes
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import WorkerPhase
from prominence.core.published import PLAN_KEY, SNAPSHOT_KEY, packed_plan, packed_snapshot
from prominence.core.scaling import Act, Action, Explanation, Inputs, Part, ScalingPlan
from prominence.core.snapshot import PARTS, PoolSnapshot, SeenStart
from prominence.restapi.identity import Identity, Scope
from prominence.restapi.plans import Latest
from prominence.restapi.pool import told
from prominence.restapi.waiting import jobs

ALICE, OPERATOR = Identity("alice"), Identity("olga", operator=True)
AT_NOON = int(NOON.timestamp())
READ = dict.fromkeys(PARTS, NOON)
ACTION = Action(
    act=Act.CREATE, worker="w-3", cloud="docker", flavour="small", size=a_size(), reason="3 jobs of m4llory"
)


def explanation(**changes: Any) -> Explanation:
    return Explanation(**{"size": a_size(), "user": "alice", "jobs": 1, "reason": "PoolLimitReached", **changes})


def a_plan(*explanations: Explanation, **changes: Any) -> ScalingPlan:
    parts = changes.pop("parts", {part: Part(read_at=NOON) for part in PARTS})
    inputs = Inputs(snapshot="a", policy="b", max_workers=3, parts=parts)
    return ScalingPlan(**{"made_at": NOON, "inputs": inputs, "explanations": explanations, **changes})


@pytest.fixture
def api() -> Api:
    return an_api()


def publish(api: Api, snapshot: PoolSnapshot, plan: ScalingPlan) -> None:
    api.store.put_if(SNAPSHOT_KEY, packed_snapshot(snapshot).value, None)
    api.store.put_if(PLAN_KEY, packed_plan(plan), None)


def test_the_whole_of_it(api: Api) -> None:
    flavour = a_flavour(region="north", price=0.5, lifetime_s=3600)
    seen = SeenStart(worker="w-0", cloud="docker", flavour="small", seconds=8, joined_at=NOON)
    snapshot = a_snapshot(
        workers=(
            a_worker(name="w-1", phase=WorkerPhase.REGISTERED, flavour=flavour),
            a_worker(name="w-2", phase=WorkerPhase.FAILED, flavour=flavour),
        ),
        execute_points=(an_execute_point(name="w-1", free=a_size(1, 1000, 10 * 1024)),),
        clouds=(a_cloud(flavours=(flavour,), error="the daemon is away", retry_at=NOON + minutes(1)),),
        seen_starts=(seen, seen.model_copy(update={"worker": "w-9", "seconds": 14})),
        read_at=READ,
    )
    plan = a_plan(explanation(jobs=2), explanation(user="bob", reason="Matching"), actions=(ACTION,), notes=("a note",))
    publish(api, snapshot, plan)
    assert api.get("/pool") == {
        "asOf": AT_NOON,
        "parts": [
            {"part": part, "seen": True, "readAt": AT_NOON} for part in ("queue", "collector", "workers", "clouds")
        ],
        "workers": [{"phase": "registered", "workers": 1}],
        "room": {
            "capacity": {"cpus": 4, "memory": 4.0, "disk": 40.0, "gpus": 0},
            "free": {"cpus": 1, "memory": 1.0, "disk": 10.0, "gpus": 0},
        },
        "clouds": [
            {
                "name": "docker",
                "workers": 1,
                "limit": 10,
                "trouble": "the daemon is away",
                "retryAt": AT_NOON + 60,
                "flavours": [
                    {
                        "name": "small",
                        "region": "north",
                        "size": {"cpus": 4, "memory": 4.0, "disk": 40.0, "gpus": 0},
                        "price": 0.5,
                        "walltime": 51,
                        "start": {"least": 8, "most": 14, "seen": 2},
                    }
                ],
            }
        ],
        "limit": 3,
        "actions": [{"act": "create", "worker": "w-3", "cloud": "docker", "flavour": "small"}],
        "waiting": {
            "jobs": 3,
            "yours": 2,
            "reasons": [
                {"reasonCode": "Matching", "jobs": 1, "yours": 0},
                {"reasonCode": "PoolLimitReached", "jobs": 2, "yours": 2},
            ],
        },
    }


def test_what_could_not_be_seen_is_absent_and_not_empty() -> None:
    for name, absent in (
        ("demand", {"waiting"}),
        ("execute_points", {"room"}),
        ("workers", {"workers"}),
        ("clouds", {"clouds"}),
    ):
        snapshot = a_snapshot(**{name: None}, unknown={name: "it is away"}, read_at={**READ, name: NOON - minutes(5)})
        parts = {part: Part(trouble="it is away" if part == name else "") for part in PARTS}
        found = told(snapshot, Latest(a_plan(parts=parts)), ALICE)
        assert {"waiting", "room", "workers", "clouds"} - found.keys() == absent
        unseen = [part["readAt"] for part in found["parts"] if not part["seen"]]
        assert unseen == [AT_NOON - 300]


def test_a_cloud_whose_workers_are_unknown_is_not_an_empty_one() -> None:
    [cloud] = told(a_snapshot(workers=None), Latest(a_plan()), ALICE)["clouds"]
    assert "workers" not in cloud


def test_a_pool_that_no_scaler_has_looked_at_is_told_as_such(api: Api) -> None:
    found = api.get("/pool")
    assert found["trouble"] == "Nothing is heard of the scaler: it has not made a plan yet."
    assert [part["seen"] for part in found["parts"]] == [False] * 4
    assert found.keys() == {"trouble", "parts"}


def test_an_old_look_is_told_with_its_age(api: Api) -> None:
    publish(api, a_snapshot(read_at=READ), a_plan())
    api.clock.advance(600)
    found = api.get("/pool")
    assert (found["asOf"], found["trouble"]) == (
        AT_NOON,
        "Nothing is heard of the scaler: it made its last plan 10 min ago.",
    )
    assert "waiting" not in found


def test_documents_of_another_version_are_no_error(api: Api) -> None:
    api.store.put_if(SNAPSHOT_KEY, b"of another version", None)
    api.store.put_if(PLAN_KEY, b"of another version", None)
    assert "another version" in api.get("/pool")["trouble"]


def test_a_store_that_does_not_answer_is_told_as_such() -> None:
    class Away(MemoryKeyValue):
        def get(self, key: str) -> Any:
            raise Unavailable("etcd does not answer", 5)

    answer = an_api(store=Away()).call("GET", "/pool")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_reasons_that_name_users_are_for_operators_alone() -> None:
    latest = Latest(a_plan(actions=(ACTION,), notes=("w-2 failed",)))
    found = told(a_snapshot(), latest, OPERATOR)
    assert (found["actions"][0]["reason"], found["notes"]) == ("3 jobs of m4llory", ["w-2 failed"])
    no_right = Identity("olga", operator=True, scopes=frozenset({Scope.JOBS_READ}))
    for caller in (ALICE, no_right):
        found = told(a_snapshot(), latest, caller)
        assert "reason" not in found["actions"][0] and "notes" not in found


WHO = st.sampled_from(["alice", "m4llory", "bob"])
explanations = st.builds(
    explanation,
    user=WHO,
    group=st.sampled_from(["", "s3cret"]),
    size=st.sampled_from([a_size(), a_size(2)]),
    jobs=st.integers(1, 9),
    nodes=st.integers(1, 3),
    reason=st.sampled_from(["Matching", "WorkerBooting", "PoolLimitReached", "NoFlavourFits"]),
)


@given(st.lists(explanations, max_size=8), st.sampled_from(["alice", "m4llory"]))
def test_the_sums_match_and_nobody_else_is_named(found: list[Explanation], user: str) -> None:
    plan = a_plan(*found, actions=(ACTION.model_copy(update={"reason": "for m4llory and bob of s3cret"}),))
    demand = tuple(a_demand(user=one.user, group=one.group, jobs=one.jobs) for one in found)
    pool = told(a_snapshot(demand=demand), Latest(plan), Identity(user))
    waits = pool["waiting"]
    assert waits["jobs"] == jobs(found)
    assert waits["yours"] == jobs(one for one in found if one.user == user) <= waits["jobs"]
    assert {one["reasonCode"] for one in waits["reasons"]} == {one.reason.value for one in found}
    for one in waits["reasons"]:
        alike = [other for other in found if other.reason.value == one["reasonCode"]]
        assert math.ceil(sum(Fraction(other.jobs, other.nodes) for other in alike)) <= one["jobs"] <= jobs(found)
        assert 0 <= one["yours"] <= one["jobs"]
    assert not any(name in str(pool) for name in ("m4llory", "bob", "s3cret", "alice"))
