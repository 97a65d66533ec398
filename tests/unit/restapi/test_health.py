"""How the parts of the service are: judged by what they answer, told to operators, and never a mistake of the API's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from builders import NOON, a_cloud, a_snapshot, minutes
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Unavailable
from prominence.core.health import Condition, Finding, worst
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.published import PLAN_KEY, SNAPSHOT_KEY, packed_plan, packed_snapshot
from prominence.core.scaling import LEADER_KEY, Inputs, Part, ScalingPlan
from prominence.core.snapshot import PARTS, PoolSnapshot
from prominence.restapi import beats
from prominence.restapi.adapters.disks import LocalDisks
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.adapters.memory_health import (
    MemoryBook,
    MemoryCopied,
    MemoryDaemons,
    MemoryDisks,
    memory_vitals,
)
from prominence.restapi.copying import Backlog
from prominence.restapi.health import checks, rules
from prominence.restapi.health.ports import Daemon, Vitals
from prominence.restapi.health.rules import Room
from prominence.restapi.identity import Identity, Scope

OLGA, ALICE = Identity("olga", operator=True), Identity("alice")
LIMITED = Identity("otto", operator=True, scopes=frozenset({Scope.JOBS_READ}))
PARTS_OF_ALL = [
    *("schedd", "collector", "negotiator", "etcd", "objects", "archive", "accounting"),
    *("scaler", "imc", "cloud docker", "disk of jobs"),
]


def a_plan(made_at: datetime = NOON, **troubles: str) -> ScalingPlan:
    parts = {part: Part(read_at=NOON, trouble=troubles.get(part, "")) for part in PARTS}
    return ScalingPlan(made_at=made_at, inputs=Inputs(snapshot="a", policy="b", max_workers=3, parts=parts))


def an_api_that(plan: ScalingPlan | None = None, snapshot: PoolSnapshot | None = None, **changes: Any) -> Api:
    """Does well, but for the changes: of its vitals, and others."""
    known = {f"token-of-{one.user}": one for one in (OLGA, ALICE, LIMITED)}
    of_vitals = {name: changes.pop(name) for name in list(changes) if name in Vitals.__dataclass_fields__}
    vitals = replace(memory_vitals(), **of_vitals)
    api = replace(an_api(identities=MemoryIdentities(known), vitals=vitals, **changes), user="olga")
    api.store.put_if(LEADER_KEY, b"ap-1", None)
    api.store.put_if(PLAN_KEY, packed_plan(plan or a_plan()), None)
    api.store.put_if(
        SNAPSHOT_KEY, packed_snapshot(snapshot or a_snapshot(clouds=(a_cloud(name="docker"),))).value, None
    )
    return api


def of(api: Api) -> dict[str, dict[str, str]]:
    """What is told of each part."""
    return {one["part"]: one for one in api.get("/health/parts")["parts"]}


def test_all_is_well() -> None:
    told = an_api_that().get("/health/parts")
    assert [(one["part"], one["condition"]) for one in told["parts"]] == [(part, "ok") for part in PARTS_OF_ALL]
    assert (told["condition"], told["time"]) == ("ok", NOON.timestamp())
    assert not any("advice" in one for one in told["parts"])
    assert of(an_api_that())["schedd"]["sentence"] == "It answers: HTCondor 23.9.6."


def test_operators_alone_may_ask_with_a_token_that_is_good_for_it() -> None:
    api = an_api_that()
    assert api.as_user("alice").call("GET", "/health/parts").json == {
        "error": "Only operators may ask how the parts of the service are.",
        "reasonCode": "Forbidden",
    }
    assert api.as_user("otto").call("GET", "/health/parts").status_code == 403
    assert an_api_that(for_all=True).as_user("alice").get("/health/parts")["condition"] == "ok"


@pytest.mark.parametrize("daemon", Daemon)
def test_a_daemon_that_does_not_answer_is_broken_and_no_other(daemon: Daemon) -> None:
    found = of(an_api_that(daemons=MemoryDaemons({daemon: "Connection refused."})))
    assert [part for part, one in found.items() if one["condition"] != "ok"] == [daemon.value]
    assert found[daemon.value]["sentence"] == "It does not answer: Connection refused."
    assert "Log" in found[daemon.value]["advice"]


@pytest.mark.parametrize(
    ("backlog", "silent", "condition", "said"),
    [
        (Backlog(), "", "ok", "It has all that is booked."),
        (Backlog(7, int(NOON.timestamp()) - 60), "", "ok", "7 attempts wait for it"),
        (Backlog(7, int(NOON.timestamp()) - 3600), "", "warning", "behind the accounts"),
        (
            Backlog(refused=2, why="too long"),
            "",
            "warning",
            "It refuses 2 attempts, which are missing there: too long.",
        ),
        (Backlog(7, int(NOON.timestamp()) - 3600), "It is away.", "broken", "It is away. 7 attempts wait for it"),
        (None, "", "broken", "does not answer"),
    ],
)
def test_a_store_to_which_the_accounts_are_brought_must_answer_and_have_them(
    backlog: Backlog | None, silent: str, condition: str, said: str
) -> None:
    found = of(an_api_that(copied=MemoryCopied(backlog, silent)))["usage store"]
    assert (found["condition"], said in found["sentence"]) == (condition, True), found
    assert ("advice" in found) is (condition != "ok")


@pytest.mark.parametrize(("is_current", "condition"), [(True, "ok"), (False, "warning"), (None, "broken")])
@pytest.mark.parametrize("name", ["archive", "accounting"])
def test_what_follows_the_history_must_have_done_so(name: str, is_current: bool | None, condition: str) -> None:
    books = {**memory_vitals().books, name: MemoryBook(is_current)}
    found = of(an_api_that(books=books))
    assert {part for part, one in found.items() if one["condition"] != "ok"} <= {name}
    assert found[name]["condition"] == condition


class Silent(MemoryKeyValue):
    """A store that stops to answer."""

    is_silent = False

    def get(self, key: str) -> Any:
        if self.is_silent:
            raise Unavailable("etcd does not answer: timed out")
        return super().get(key)


def test_without_etcd_it_is_unknown_what_is_known_by_it() -> None:
    store = Silent()
    api = an_api_that(store=store)
    store.is_silent = True
    found = of(api)
    assert found["etcd"]["condition"] == "broken"
    for part in ("scaler", "imc", "clouds"):
        assert found[part]["condition"] == "unknown"
        assert "etcd_endpoints" in found[part]["advice"]
    assert found["schedd"]["condition"] == "ok"
    assert api.get("/health/parts")["condition"] == "broken"


def test_a_scaler_is_needed_that_leads_and_goes_on() -> None:
    api = an_api_that()
    api.clock.advance(400)
    found = of(api)
    assert found["scaler"]["condition"] == "broken"
    assert found["scaler"]["sentence"] == "ap-1 leads, but it made its last plan 7 min ago."
    assert (found["imc"]["condition"], found["clouds"]["condition"]) == ("unknown", "unknown")
    api = an_api_that()
    api.store.delete_if(LEADER_KEY, None)
    assert of(api)["scaler"]["condition"] == "broken"
    assert of(api)["cloud docker"]["condition"] == "ok"


def test_what_the_scaler_cannot_see_is_told() -> None:
    found = of(an_api_that(a_plan(demand="the schedd is away", workers="refused", clouds="refused")))
    assert (found["scaler"]["condition"], found["imc"]["condition"]) == ("warning", "broken")
    assert "the schedd is away" in found["scaler"]["sentence"]
    assert found["imc"]["sentence"] == "It does not answer: refused."


def test_each_cloud_is_told_with_the_age_of_what_is_known() -> None:
    clouds = (
        a_cloud(name="north", error="the key is refused.", retry_at=NOON + minutes(1)),
        a_cloud(name="south", troubles={"big": "out of capacity"}),
        a_cloud(name="west", occupied=2, limit=5),
    )
    seen = NOON - minutes(3)
    found = of(an_api_that(snapshot=a_snapshot(clouds=clouds, read_at={"clouds": seen})))
    assert [found[f"cloud {name}"]["condition"] for name in ("north", "south", "west")] == ["broken", "warning", "ok"]
    assert found["cloud north"]["sentence"] == (
        "No workers are made there: the key is refused, as of 3 min ago. It is tried again at 2026-05-01 12:01:00 UTC."
    ).replace("2026-05-01", f"{NOON:%Y-%m-%d}")
    assert found["cloud west"]["sentence"] == "It has 2 of 5 workers, as of 3 min ago."
    assert of(an_api_that(snapshot=a_snapshot(clouds=None)))["clouds"]["condition"] == "unknown"


ROOMS = [
    (Room(10_000, 20_000, writable=True), "ok"),
    (Room(2000, 20_000, writable=True), "warning"),
    (Room(1000, 20_000, writable=True), "broken"),
    (Room(10_000, 20_000, writable=False), "broken"),
]


@pytest.mark.parametrize(("room", "condition"), ROOMS)
def test_a_disk_must_have_room_for_new_jobs(room: Room, condition: str) -> None:
    found = of(an_api_that(disks=MemoryDisks(room)))["disk of jobs"]
    assert found["condition"] == condition
    assert ("advice" in found) == (condition != "ok")


def test_a_disk_is_the_one_where_a_directory_will_be(tmp_path: Path) -> None:
    there, to_come = LocalDisks().room(tmp_path), LocalDisks().room(tmp_path / "a" / "b")
    assert (there.total_mib, there.writable) == (to_come.total_mib, to_come.writable)
    assert there.total_mib >= there.free_mib > 0
    (tmp_path / "file").touch()
    assert not LocalDisks().room(tmp_path / "file").writable


def test_a_check_that_hangs_or_fails_holds_up_no_other() -> None:
    ends = threading.Event()

    def hang() -> list[Finding]:
        ends.wait(60)
        return []

    def fail() -> list[Finding]:
        raise KeyError("secret")

    slow: dict[str, Callable[[], list[Finding]]] = {"slow": hang, "strange": fail}
    try:
        found = checks.together({**slow, "fine": lambda: [rules.answers("fine")]}, 1.0)
    finally:
        ends.set()
    assert [(one.part, one.condition) for one in found] == [
        ("slow", Condition.UNKNOWN),
        ("strange", Condition.UNKNOWN),
        ("fine", Condition.OK),
    ]
    assert "secret" not in str(found)


sentences = st.text(max_size=30)
moments = st.integers(-(10**6), 10**6).map(lambda s: NOON + minutes(s / 60))
sizes = st.integers(0, 10**9)


@given(sentences, sentences, moments, sizes, sizes, st.booleans())
def test_whatever_is_measured_what_is_not_ok_has_advice(
    part: str, said: str, moment: datetime, free: int, kept: int, flag: bool
) -> None:
    cloud = a_cloud(name="x", error=said, retry_at=moment if flag else None)
    found = [
        rules.silent(part, said),
        rules.unclear(part, said),
        rules.of_disk(part, Path("/x"), Room(free, free, flag), kept),
        rules.of_cloud(cloud, moment, NOON),
        rules.of_book("archive", flag),
        rules.of_scaler(said if flag else None, a_plan(moment, demand=said), said, NOON),
        rules.of_scaler(said, None, said, NOON),
        rules.of_imc(a_plan(moment, workers=said)),
    ]
    for one in found:
        assert one.sentence.endswith(".")
        assert (one.advice != "") == (one.condition is not Condition.OK), one


@given(st.lists(st.sampled_from(Condition)))
def test_the_worst_of_all_is_told(conditions: list[Condition]) -> None:
    found = worst(conditions)
    assert found in conditions or (not conditions and found is Condition.OK)
    assert (found is Condition.OK) == (set(conditions) <= {Condition.OK})
    assert (found is Condition.BROKEN) == (Condition.BROKEN in conditions)


def of_process(api: Api, name: str) -> str:
    [found] = [one for one in api.get("/health/parts")["parts"] if one["part"] == name]
    return f"{found['condition']}: {found['sentence']}"


def test_processes_that_are_not_heard_of_or_late_or_in_trouble_are_told() -> None:
    vitals = replace(memory_vitals(), for_all=True, processes={"mail": True, "metrics": False})
    api = an_api(vitals=vitals)
    assert of_process(api, "mail") == "broken: It was never heard of."
    assert not [one for one in api.get("/health/parts")["parts"] if one["part"] == "metrics"], "it need not be there"
    beats.of("metrics", api.services)(30, "")
    beat = beats.of("mail", api.services)
    beat(10, "")
    assert of_process(api, "mail") == "ok: It was heard of 0 s ago."
    beat(10, "The mail server answers 535.")
    assert of_process(api, "mail") == "warning: Its last round failed, 0 s ago: The mail server answers 535."
    api.clock.advance(309)
    assert of_process(api, "mail").startswith("warning")
    api.clock.advance(25)
    assert of_process(api, "mail") == "broken: It was last heard of 6 min ago."
    assert of_process(api, "metrics").startswith("broken"), "it was there before"


def test_a_store_that_does_not_answer_keeps_no_process_back() -> None:
    api = an_api()
    api.store.unavailable = "It does not answer."
    beats.of("mail", api.services)(10, "")
