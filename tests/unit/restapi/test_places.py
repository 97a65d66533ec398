"""Where a job may run and had rather run: what HTCondor is told, what is shown, and what a change makes of it."""

from __future__ import annotations

from typing import Any

import classad2
import htcondor2
import pytest
from builders import a_job
from builders_restapi import SITE, Api, an_ad, an_api, an_explanation
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.placement import Area, Place, Placement, of_texts
from prominence.core.policies import MOST_PLACES
from prominence.core.reasons import Reason
from prominence.core.scaling import ScalingPlan
from prominence.restapi import waiting
from prominence.restapi.changes import changed, edits
from prominence.restapi.identity import Account
from prominence.restapi.selection import Selection
from prominence.restapi.translate.submit import SubmitDescription, describe

ALICE = Account("alice")
NAMES = ["one", "two", "On", "x-1.y_z"]
names = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)
areas = st.fixed_dictionaries({}, optional={"sites": names, "regions": names})
said = st.fixed_dictionaries({}, optional={"requirements": areas, "preferences": areas})
places = st.builds(Place, st.sampled_from([*NAMES, "", "one,two", "ONE"]), st.sampled_from([*NAMES, "", "tw"]))
PLACEMENT = {"requirements": {"sites": ["one", "two"]}, "preferences": {"regions": ["north", "south"]}}


def submitted(placement: object, **resources: Any) -> SubmitDescription:
    job = a_job(policies={"placement": placement}, resources=resources or {"cpus": 1})
    return describe(job, "uid", ALICE, "/sandbox", SITE)


def found(description: SubmitDescription, place: Place | None, **slot: Any) -> tuple[object, float]:
    """Requirements and Rank of the job for a slot there; None: one that says nothing of places."""
    commands = description.commands
    job = classad2.ClassAd({"RequestCpus": classad2.ExprTree(commands["request_cpus"])})
    for name, command in {**{f"{a}": f"My.{a}" for a in classads.PLACEMENT}, "Requirements": "requirements"}.items():
        if command in commands:
            job[name] = classad2.ExprTree(commands[command])
    job["Rank"] = classad2.ExprTree(commands.get("rank", "0.0"))
    there = {} if place is None else {classads.CLOUD: place.cloud, classads.REGION: place.region}
    machine = classad2.ClassAd(
        {
            "AuthenticatedIdentity": "w-1@workers",
            "SlotType": "Partitionable",
            "Cpus": 4,
            "Memory": 9000,
            **there,
            **slot,
        }
    )
    fits, rank = (job.lookup(name).simplify(job, machine).eval() for name in ("Requirements", "Rank"))
    return fits, float(rank)


@given(said, places)
def test_htcondor_lets_a_job_run_where_it_may_and_nowhere_else(placement: dict[str, Any], place: Place) -> None:
    known = a_job(policies={"placement": placement}).policies.places()
    fits, _ = found(submitted(placement), place)
    assert fits is known.takes(place)


@given(said, places, places)
def test_htcondor_ranks_places_as_the_scaler_does(placement: dict[str, Any], one: Place, other: Place) -> None:
    known = a_job(policies={"placement": placement}).policies.places()
    ranks = [found(submitted(placement), place)[1] for place in (one, other)]
    assert (ranks[0] > ranks[1]) == (known.distance(one) < known.distance(other))
    assert (ranks[0] == ranks[1]) == (known.distance(one) == known.distance(other))


def test_a_slot_that_says_nothing_of_places_is_for_jobs_that_do_not_either() -> None:
    assert found(submitted({}), None)[0] is True
    assert found(submitted({"requirements": {"regions": ["one"]}}), None)[0] is False
    assert found(submitted({"preferences": {"regions": ["one"]}}), None) == (True, 0.0)


def test_a_better_place_comes_before_more_cores_and_more_cores_before_nothing() -> None:
    description = submitted({"preferences": {"sites": ["one"]}}, cpusRange=[1, 8])
    slots = ((Place("one"), 1), (Place("two"), 8), (Place("two"), 2))
    ranks = [found(description, place, Cpus=cpus)[1] for place, cpus in slots]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == len(ranks)


def test_lists_as_long_as_they_may_be_can_be_evaluated() -> None:
    sites, regions = ([f"{kind}{n:0>62}" for n in range(MOST_PLACES)] for kind in "sr")
    both = {"sites": sites, "regions": regions}
    description = submitted({"requirements": both, "preferences": both})
    assert found(description, Place(sites[0], regions[0])) == (True, MOST_PLACES * (MOST_PLACES + 2))
    assert found(description, Place(sites[-1], regions[-1])) == (True, MOST_PLACES + 2)
    assert found(description, Place(sites[-1], sites[-1]))[0] is False


@given(said)
def test_all_jobs_have_the_same_requirements_and_only_what_they_say_differs(placement: dict[str, Any]) -> None:
    description, plain = submitted(placement).commands, submitted({}).commands
    read = htcondor2.Submit(submitted(placement).text())
    ad = {name: classad2.ExprTree(read[f"My.{name}"]).eval() for name in classads.PLACEMENT if f"My.{name}" in read}
    told = {f"My.{name}" for name in classads.PLACEMENT}
    assert {key: value for key, value in description.items() if key not in {*told, "rank"}} == plain
    known = a_job(policies={"placement": placement}).policies.places()
    assert of_texts(ad.get(name) for name in classads.PLACEMENT) == known


def test_a_change_of_places_is_a_change_of_attributes_and_rank() -> None:
    old = a_job(policies={"placement": PLACEMENT})
    assert edits(a_job(), old, "uid", ALICE, SITE) == {
        "ProminenceSites": '"one,two"',
        "ProminencePreferredRegions": '"north,south"',
        "Rank": submitted(PLACEMENT).commands["rank"],
    }
    assert edits(old, a_job(), "uid", ALICE, SITE) == {
        "ProminenceSites": "undefined",
        "ProminencePreferredRegions": "undefined",
        "Rank": "0.0",
    }


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"requirements": {"sites": ["three"]}}, {**PLACEMENT, "requirements": {"sites": ["three"]}}),
        (
            {"requirements": {"regions": ["r"]}},
            {**PLACEMENT, "requirements": {"sites": ["one", "two"], "regions": ["r"]}},
        ),
        ({"requirements": {"sites": None}}, {"preferences": PLACEMENT["preferences"]}),
        ({"requirements": None, "preferences": None}, {}),
        (None, {}),
    ],
)
def test_a_change_says_only_what_becomes_another(change: Any, left: dict[str, Any]) -> None:
    old = a_job(policies={"placement": PLACEMENT, "priority": 3})
    new = changed(old, {"policies": {"placement": change}})
    assert new == a_job(policies={"placement": left, "priority": 3})


@pytest.fixture
def api() -> Api:
    return an_api()


def test_describe_shows_it_and_a_clone_keeps_it(api: Api) -> None:
    job = api.submit(policies={"placement": PLACEMENT})
    assert api.describe(job)["policies"] == {"placement": PLACEMENT}
    clone = api.call("PUT", f"/jobs/{job}/clone").json
    assert clone is not None
    assert api.describe(int(clone["id"]))["policies"] == {"placement": PLACEMENT}


def test_a_job_that_waits_can_be_sent_elsewhere(api: Api) -> None:
    job = api.submit(policies={"placement": PLACEMENT})
    for change, expected in (
        ({"requirements": {"sites": ["three"]}}, Area(sites=("three",))),
        ({"requirements": {"sites": None}}, Area()),
    ):
        answer = api.call("PATCH", f"/jobs/{job}", json={"policies": {"placement": change}})
        assert answer.status_code == 200, answer.text
        [ad] = api.queue.find(Selection(ids=(job,)))
        known = of_texts(ad.get(name) for name in classads.PLACEMENT)
        assert known == Placement(requirements=expected, preferences=Area(regions=("north", "south")))


def test_jobs_that_differ_in_their_places_wait_for_different_reasons() -> None:
    ads = [an_ad(ClusterId=1), an_ad(ClusterId=2, ProminenceSites="mars")]
    elsewhere = Placement(requirements=Area(sites=("mars",)))
    explanations = (
        an_explanation(Reason.WORKER_BOOTING),
        an_explanation(Reason.NO_SUCH_PLACE, placement=elsewhere, details={"detail": "there is no cloud named mars"}),
    )
    plan = ScalingPlan(made_at="2026-06-01T12:00:00Z", explanations=explanations)
    told = waiting.explained(ads, plan)
    assert {job: one.reason for job, one in told.items()} == {1: Reason.WORKER_BOOTING, 2: Reason.NO_SUCH_PLACE}
