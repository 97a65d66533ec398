"""The workers that a caller is shown: whose they are, how they are summed, and in which order."""

from __future__ import annotations

import htcondor2  # noqa: F401  # which gives ClassAds the functions that are HTCondor's own
import pytest
from builders_restapi import Api, a_slot, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Unavailable
from prominence.core.machines import Size
from prominence.restapi.identity import Identity, Scope
from prominence.restapi.resources import Slot, existing

ALICE = Identity("alice", ("physics", "chemistry"))
NOBODY = Identity("nobody")
OPERATOR = Identity("olga", operator=True)


@pytest.fixture
def api() -> Api:
    return an_api()


def sites(slots: list[Slot], caller: Identity) -> list[str]:
    return [str(one["site"]) for one in existing(slots, caller)]


def free(cpus: int) -> Size:
    return Size(cpus=cpus, memory_mib=1000, disk_mib=0)


def test_a_worker_is_told_with_its_capacity_what_is_free_and_its_site(api: Api) -> None:
    api.machines.present = [a_slot()]
    assert api.get("/resources") == {
        "existing": [
            {
                "capacity": {"cpus": 4, "memory": 6.0, "disk": 20.0, "gpus": 0},
                "free": {"cpus": 1, "memory": 1.5, "disk": 20.0, "gpus": 0},
                "site": "cloud",
            }
        ]
    }


def test_without_workers_there_are_none(api: Api) -> None:
    assert api.get("/resources") == {"existing": []}


def test_a_pool_that_does_not_answer_is_told_as_such_with_a_time_to_ask_again(api: Api) -> None:
    api.machines.slots = lambda: (_ for _ in ()).throw(Unavailable("The pool is away.", 5))  # type: ignore[method-assign]
    answer = api.call("GET", "/resources")
    assert (answer.status_code, answer.json) == (503, {"error": "The pool is away.", "reasonCode": "Unavailable"})
    assert answer.headers["Retry-After"] == "5"


def test_those_with_most_free_cores_come_first() -> None:
    slots = [a_slot(machine=str(cpus), site=str(cpus), free=free(cpus)) for cpus in (2, 0, 3, 1)]
    assert sites(slots, ALICE) == ["3", "2", "1", "0"]


def test_the_slots_of_a_machine_are_one_worker() -> None:
    [worker] = existing([a_slot(), a_slot()], ALICE)
    assert (worker["capacity"]["cpus"], worker["free"]["cpus"], worker["free"]["memory"]) == (8, 2, 3.0)


@pytest.mark.parametrize(
    "start",
    [
        'TARGET.ProminenceGroup == "physics"',
        'target.prominencegroup =?= "chemistry"',
        'ProminenceGroup == "biology" || ProminenceGroup == "physics"',
        'TARGET.AcctGroup == "physics"',
        'regexp("^physics\\\\.", TARGET.AccountingGroup)',
        'stringListMember(TARGET.AcctGroupUser, "alice,bob")',
        'TARGET.ProminenceIdentity =?= "alice"',
        'KeyboardIdle > 900 && TARGET.ProminenceGroup == "physics"',
    ],
)
def test_a_worker_for_a_group_or_a_user_is_shown_to_those_alone(start: str) -> None:
    slots = [a_slot(start=start)]
    assert sites(slots, ALICE) == ["cloud"]
    assert sites(slots, Identity("eve", ("biology2", "physics2", "Physic"))) == []
    assert sites(slots, NOBODY) == []
    assert sites(slots, OPERATOR) == ["cloud"]


def test_an_operators_token_that_is_not_good_for_it_is_anybodys() -> None:
    slots = [a_slot(start='TARGET.ProminenceGroup == "physics"')]
    assert sites(slots, Identity("olga", operator=True, scopes=frozenset({Scope.JOBS_READ}))) == []


@pytest.mark.parametrize("start", ["true", "True", "KeyboardIdle > 900", "false", "TARGET.RequestCpus > 4", "", "((("])
def test_a_worker_that_does_not_ask_whose_a_job_is_is_shown_to_everybody(start: str) -> None:
    assert sites([a_slot(start=start)], NOBODY) == ["cloud"]


@pytest.mark.parametrize(
    "start", ["ProminenceGroup == (", "(" * 900 + "ProminenceGroup" + ")" * 900, "ProminenceGroup" + " " * 100_000]
)
def test_a_worker_whose_terms_cannot_be_read_is_shown_to_nobody(start: str) -> None:
    assert sites([a_slot(start=start)], ALICE) == []


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_and_no_terms_break_the_list(name: str, terms: str) -> None:
    caller = Identity(name, (name, f'{name}" || true || "'))
    assert existing([a_slot(site=terms, start=f'{terms} && ProminenceGroup == "{terms}"')], caller) in (
        [],
        existing([a_slot(site=terms)], caller),
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 64)), max_size=8))
def test_nothing_is_lost_or_counted_twice(of: list[tuple[str, int]]) -> None:
    found = existing([a_slot(machine=machine, free=free(cpus)) for machine, cpus in of], ALICE)
    assert sum(one["free"]["cpus"] for one in found) == sum(cpus for _, cpus in of)
    assert len(found) == len({machine for machine, _ in of})
