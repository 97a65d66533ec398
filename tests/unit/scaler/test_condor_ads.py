"""HTCondor's ads in our words, the strange ones included. What real daemons say is in the contract tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import classad2
import htcondor2
import pytest
from builders import a_size

from prominence.core.errors import Unavailable
from prominence.core.placement import Area, Place, Placement
from prominence.core.snapshot import Demand, ExecutePoint
from prominence.scaler.adapters.htcondor import HTCondorPool


@pytest.fixture
def ads(monkeypatch: pytest.MonkeyPatch) -> list[classad2.ClassAd]:
    """What collector and schedd answer to any query."""
    answer: list[classad2.ClassAd] = []

    class Daemon:
        def __init__(self, location: Any = None) -> None:
            pass

        def query(self, *arguments: Any, **options: Any) -> list[classad2.ClassAd]:
            return answer

    monkeypatch.setattr(htcondor2, "Collector", Daemon)
    monkeypatch.setattr(htcondor2, "Schedd", Daemon)
    return answer


def a_row(**attributes: Any) -> classad2.ClassAd:
    """A row of a grouped query."""
    row = {"JobCount": 1, "RequestCpus": 1, "RequestMemory": 1000, "RequestDisk": 10 * 1024 * 1024, **attributes}
    return classad2.ClassAd({"AcctGroupUser": "alice", **row})


def a_slot(**attributes: Any) -> classad2.ClassAd:
    """A partitionable slot of four cores of which three are left."""
    return classad2.ClassAd(
        {
            "Machine": "w-1",
            "SlotType": "Partitionable",
            "State": "Unclaimed",
            "Activity": "Idle",
            "Cpus": 3,
            "Memory": 3000,
            "Disk": 30 * 1024 * 1024 + 1023,
            "TotalSlotCpus": 4,
            "TotalSlotMemory": 4000,
            "TotalSlotDisk": float(40 * 1024 * 1024),
            "NumDynamicSlots": 1,
            "LastHeardFrom": 1_000_000,
            **attributes,
        }
    )


def a_dynamic_slot(**attributes: Any) -> classad2.ClassAd:
    """What was carved from it, with a job on it."""
    changes = {"SlotType": "Dynamic", "State": "Claimed", "Activity": "Busy", "Cpus": 1, "Memory": 1000, **attributes}
    slot = a_slot(Disk=10 * 1024 * 1024, TotalSlotCpus=1, **changes)
    del slot["NumDynamicSlots"]
    return slot


def the_point(*ads: classad2.ClassAd) -> ExecutePoint:
    (point,) = HTCondorPool().execute_points()
    return point


def test_a_request_is_taken_as_it_is_and_disk_rounded_up(ads: list[classad2.ClassAd]) -> None:
    ads.append(a_row(RequestDisk=1025, AcctGroup="physics", JobCount=7))
    assert HTCondorPool().demand() == [Demand(size=a_size(1, 1000, 2), user="alice", group="physics", jobs=7)]


def test_a_request_that_is_an_expression_is_evaluated(ads: list[classad2.ClassAd]) -> None:
    ads.append(a_row(RequestMemory=classad2.ExprTree("2 * 1024 + 1")))
    assert HTCondorPool().demand()[0].size.memory_mib == 2049


@pytest.mark.parametrize("text", ["TARGET.Cpus", "undefined", "error", '"many"', "1/0", 'real("INF")', "-3", "{ 1 }"])
def test_a_request_that_is_no_number_counts_as_the_least(ads: list[classad2.ClassAd], text: str) -> None:
    wrong = classad2.ExprTree(text)
    ads.append(a_row(RequestCpus=wrong, RequestMemory=wrong, RequestDisk=wrong))
    assert HTCondorPool().demand()[0].size == a_size(1, 0, 0)


def test_walltimes_are_told_where_they_are_asked_for(ads: list[classad2.ClassAd]) -> None:
    ads.extend([a_row(ProminenceWalltime=60), a_row(ProminenceWalltime=600, JobCount=2), a_row(Requirements=True)])
    demand = HTCondorPool().demand(walltimes=True)
    assert [(one.walltime_s, one.jobs) for one in demand] == [(60, 1), (600, 2), (None, 1)]
    assert all(not one.ad or "ProminenceWalltime" not in dict(one.ad) for one in demand)


@pytest.mark.parametrize(
    ("text", "end"), [("2000000", 2_000_000), ("undefined", None), ('"soon"', None), ("-5", None), ("1e300", None)]
)
def test_a_machine_tells_when_its_time_is_over(ads: list[classad2.ClassAd], text: str, end: int | None) -> None:
    ads.append(a_slot(ProminenceEndsAt=classad2.ExprTree(text)))
    assert the_point().ends_at == (datetime.fromtimestamp(end, UTC) if end else None)


def test_rows_that_differ_in_less_than_we_count_are_one_demand(ads: list[classad2.ClassAd]) -> None:
    ads.extend([a_row(RequestDisk=1025), a_row(RequestDisk=2048, JobCount=2)])
    assert [demand.jobs for demand in HTCondorPool().demand()] == [3]


def test_a_job_without_user_or_group_is_counted_too(ads: list[classad2.ClassAd]) -> None:
    row = a_row()
    del row["AcctGroupUser"]
    ads.append(row)
    assert HTCondorPool().demand()[0].user == ""


def test_the_slots_of_a_machine_are_one_execute_point(ads: list[classad2.ClassAd]) -> None:
    ads.extend([a_dynamic_slot(), a_slot(), a_slot(Machine="w-2", LastHeardFrom=2_000_000)])
    first, second = HTCondorPool().execute_points()
    assert (first.name, second.name) == ("w-1", "w-2")
    assert first.total == a_size(4, 4000, 40 * 1024)
    assert first.free == a_size(3, 3000, 30 * 1024), "disk is rounded down"
    assert first.claimed_slots == 1
    assert not first.draining
    assert second.last_heard_at == datetime.fromtimestamp(2_000_000, UTC)


@pytest.mark.parametrize(
    ("told", "leaves"), [({}, False), ({"ProminenceLeaving": False}, False), ({"ProminenceLeaving": True}, True)]
)
def test_a_machine_that_its_cloud_takes_away_says_so_beside_its_start(
    ads: list[classad2.ClassAd], told: dict[str, Any], leaves: bool
) -> None:
    ads.append(a_slot(Start=False, **told))
    said = dict(HTCondorPool().ads(())["w-1"])
    assert said == {"Start": "false", **({"ProminenceLeaving": "true"} if leaves else {})}


def test_a_slot_that_is_claimed_and_runs_nothing_yet_is_claimed_and_free(ads: list[classad2.ClassAd]) -> None:
    ads.extend([a_slot(), a_dynamic_slot(Activity="Idle")])
    point = the_point()
    assert (point.claimed_slots, point.free) == (1, a_size(4, 4000, 40 * 1024))


def test_a_carved_slot_counts_as_claimed_before_it_is_announced(ads: list[classad2.ClassAd]) -> None:
    ads.append(a_slot())
    assert the_point().claimed_slots == 1


def test_what_was_carved_for_a_job_is_free_until_it_is_announced(ads: list[classad2.ClassAd]) -> None:
    busy = a_dynamic_slot(Cpus=1, Memory=1000)
    ads.extend([a_slot(Cpus=1, Memory=1000, Disk=10 * 1024 * 1024, NumDynamicSlots=2), busy])
    assert (the_point().claimed_slots, the_point().free) == (2, a_size(3, 3000, 30 * 1024))
    ads.append(a_dynamic_slot(Cpus=2, Memory=2000))
    assert (the_point().claimed_slots, the_point().free) == (2, a_size(1, 1000, 10 * 1024))


def test_a_machine_on_which_one_slot_drains_is_draining(ads: list[classad2.ClassAd]) -> None:
    ads.extend([a_slot(State="Drained", Draining=True), a_dynamic_slot(Activity="Retiring")])
    point = the_point()
    assert point.draining
    assert point.claimed_slots == 1


def test_a_drained_machine_has_no_claim(ads: list[classad2.ClassAd]) -> None:
    ads.append(a_slot(State="Drained", Draining=True, NumDynamicSlots=0))
    assert the_point().claimed_slots == 0


def test_a_static_slot_is_free_until_it_is_claimed(ads: list[classad2.ClassAd]) -> None:
    static = {"SlotType": "Static", "NumDynamicSlots": 0, "Cpus": 4}
    ads.append(a_slot(**static))
    assert (the_point().claimed_slots, the_point().free.cpus) == (0, 4)
    ads[0] = a_slot(**static, State="Claimed", Activity="Busy")
    assert (the_point().claimed_slots, the_point().free.cpus) == (1, 0)


def test_one_strange_ad_does_not_hide_the_others(ads: list[classad2.ClassAd]) -> None:
    strange = classad2.ClassAd({"Cpus": "many", "TotalSlotCpus": classad2.ExprTree("1/0"), "Draining": "yes"})
    ads.extend([strange, a_slot()])
    assert [(point.name, point.total.cpus) for point in HTCondorPool().execute_points()] == [("", 0), ("w-1", 4)]


def test_the_collectors_start_is_counted_back_from_its_statistics_or_told_by_its_master(
    ads: list[classad2.ClassAd],
) -> None:
    ads.append(classad2.ClassAd({"StatsLifetime": 100, "StatsLastUpdateTime": 1_000_100}))
    assert HTCondorPool().collector_started_at() == datetime.fromtimestamp(1_000_000, UTC)
    ads.append(classad2.ClassAd({"COLLECTOR_StartTime": 1_000_002}))
    assert HTCondorPool().collector_started_at() == datetime.fromtimestamp(1_000_002, UTC)
    del ads[0]
    assert HTCondorPool().collector_started_at() == datetime.fromtimestamp(1_000_002, UTC)
    ads[0] = classad2.ClassAd({"Name": "silent"})
    with pytest.raises(Unavailable):
        HTCondorPool().collector_started_at()


@pytest.mark.parametrize("error", [RuntimeError, OSError, htcondor2.HTCondorException])
def test_whatever_the_bindings_raise_is_unavailable(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuses(*_: Any) -> None:
        raise error("CEDAR:6001:Failed to connect")

    monkeypatch.setattr(htcondor2, "Collector", refuses)
    monkeypatch.setattr(htcondor2, "Schedd", refuses)
    pool = HTCondorPool()
    for read in (pool.demand, pool.execute_points, pool.collector_started_at):
        with pytest.raises(Unavailable, match="CEDAR:6001"):
            read()


def test_a_schedd_that_the_collector_does_not_know_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    class Collector:
        def __init__(self, location: Any = None) -> None:
            pass

        def locate(self, kind: Any, name: str) -> None:
            return None

    monkeypatch.setattr(htcondor2, "Collector", Collector)
    with pytest.raises(Unavailable, match="knows no schedd ap-1"):
        HTCondorPool(schedd="ap-1").demand()


def test_gpus_are_counted_of_jobs_and_of_machines(ads: list[classad2.ClassAd]) -> None:
    ads.append(a_row(RequestGPUs=2))
    assert HTCondorPool().demand()[0].size.gpus == 2
    ads[:] = [a_slot(GPUs=1, TotalSlotGPUs=3), a_dynamic_slot(GPUs=2)]
    (point,) = HTCondorPool().execute_points()
    assert (point.total.gpus, point.free.gpus) == (3, 1)


def test_jobs_that_must_run_elsewhere_are_another_demand(ads: list[classad2.ClassAd]) -> None:
    ads.extend([a_row(), a_row(ProminenceSites="one,two", JobCount=2), a_row(ProminencePreferredRegions="north")])
    assert [(one.jobs, one.placement) for one in HTCondorPool().demand()] == [
        (1, Placement()),
        (2, Placement(requirements=Area(sites=("one", "two")))),
        (1, Placement(preferences=Area(regions=("north",)))),
    ]


@pytest.mark.parametrize("text", ["undefined", "error", "7", "{ 1 }", "TARGET.Cpus", '""'])
def test_a_place_that_is_no_text_says_nothing(ads: list[classad2.ClassAd], text: str) -> None:
    ads.append(a_row(ProminenceSites=classad2.ExprTree(text)))
    assert HTCondorPool().demand()[0].placement == Placement()
    ads[:] = [a_slot(ProminenceCloud=classad2.ExprTree(text))]
    assert the_point().place == Place()


def test_a_machine_is_where_it_says(ads: list[classad2.ClassAd]) -> None:
    where = {"ProminenceCloud": "one", "ProminenceRegion": "north"}
    ads.extend([a_slot(**where), a_dynamic_slot(**where)])
    assert the_point().place == Place("one", "north")
