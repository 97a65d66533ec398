"""What a job has used, and who is told of it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import Any

import classad2
import pytest
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.states import JobStatus, Status
from prominence.core.view import JobView
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.booking import Run, Used, booked, run_of_epoch, run_of_job
from prominence.restapi.identity import Account, Act, Identity, Role, Scope, may, oversees
from prominence.restapi.translate.needs import Needs
from prominence.restapi.usage import DEFAULT_TARIFF, priced, total

EVERY_SCOPE_BUT = frozenset(Scope) - {Scope.OPERATE}
USERS = {
    "alice": Identity("alice", ("physics", "chemistry")),
    "bob": Identity("bob", ("physics",)),
    "carol": Identity("carol"),
    "mia": Identity("mia", ("art",), manages=frozenset({"physics"})),
    "olga": Identity("olga", operator=True),
    "olga-at-home": Identity("olga", operator=True, scopes=EVERY_SCOPE_BUT),
    "mia-at-home": Identity("mia", manages=frozenset({"physics"}), scopes=EVERY_SCOPE_BUT),
}
LATE = int(datetime(2026, 5, 1, 23, 59, 59, tzinfo=UTC).timestamp())
DAY = "?start=2026-05-01&end=2026-05-01"


@pytest.fixture
def api() -> Api:
    """Of alice's jobs one is charged to physics and one to chemistry, bob's to physics, carol's to nobody."""
    made = an_api(identities=MemoryIdentities({f"token-of-{name}": who for name, who in USERS.items()}))
    for user, group in (("alice", "physics"), ("alice", "chemistry"), ("bob", "physics"), ("carol", None)):
        caller = made.as_user(user)
        job = caller.submit(**({"group": group} if group else {}))
        caller.queue.leave(
            job,
            JobStatus.COMPLETED,
            **{classads.FINISHED_AT: LATE, classads.REMOTE_WALL_CLOCK: 3600.0, classads.USER_CPU: 900},
        )
    return made


def jobs(answer: Any) -> dict[str, dict[str, int]]:
    """Their numbers."""
    return {
        what: {name: one["numberOfJobs"] for name, one in sums.items()}
        for what, sums in answer["usage"].items()
        if sums
    }


class TestWhoIsTold:
    def test_a_user_sees_their_own_use_in_hours(self, api: Api) -> None:
        own = {"alice": {"cpuTime": 0.5, "wallTime": 2.0, "numberOfJobs": 2}}
        assert api.get(f"/accounting{DAY}") == {"usage": {"users": own, "groups": {}}}

    @pytest.mark.parametrize(
        ("who", "asked", "told"),
        [
            ("bob", "", {"users": {"bob": 1}}),
            ("bob", "&by_group=true", {"groups": {"physics": 2}}),
            ("alice", "&by_group=true", {"groups": {"chemistry": 1, "physics": 2}}),
            ("carol", "&by_group=true", {}),
            ("carol", "&by_group=false", {"users": {"carol": 1}}),
            ("mia", "", {}),
            ("mia", "&by_group=true", {}),
            ("mia", "&show_all_users=true", {"users": {"alice": 1, "bob": 1}}),
            ("mia", "&show_all_users=true&by_group=true", {"users": {"alice": 1, "bob": 1}, "groups": {"physics": 2}}),
            ("olga", "&by_group=true", {}),
            ("olga", "&show_all_users=true", {"users": {"alice": 2, "bob": 1, "carol": 1}}),
            (
                "olga",
                "&show_all_users=true&by_group=true",
                {"users": {"alice": 2, "bob": 1, "carol": 1}, "groups": {"chemistry": 1, "physics": 2}},
            ),
        ],
    )
    def test_each_sees_what_is_theirs_to_see(self, api: Api, who: str, asked: str, told: Any) -> None:
        assert jobs(api.as_user(who).get(f"/accounting{DAY}{asked}")) == told

    @pytest.mark.parametrize("who", ["alice", "carol", "olga-at-home", "mia-at-home"])
    def test_all_users_are_for_those_who_look_after_others(self, api: Api, who: str) -> None:
        answer = api.as_user(who).call("GET", f"/accounting{DAY}&show_all_users=true")
        assert (answer.status_code, answer.json) == (
            403,
            {
                "error": "Only operators and managers of a group may see what others have used.",
                "reasonCode": "Forbidden",
            },
        )

    @given(
        operator=st.booleans(),
        manages=st.frozensets(st.sampled_from(["", "a", "b"])),
        scopes=st.sampled_from([frozenset(Scope), EVERY_SCOPE_BUT]),
        group=st.sampled_from(["", "a", "b", "c"]),
    )
    def test_it_is_decided_as_it_is_of_each_job(
        self, operator: bool, manages: frozenset[str], scopes: frozenset[Scope], group: str
    ) -> None:
        caller = Identity("x", operator=operator, manages=manages, scopes=scopes)
        overseen = oversees(caller)
        is_seen = may(caller, Act.SEE, Account("another", group)) in (Role.MANAGER, Role.OPERATOR)
        assert (overseen is None or group in overseen) == is_seen


class TestWhatIsAsked:
    def test_both_days_count_and_no_others(self, api: Api) -> None:
        for days, told in (
            ("start=2026-04-30&end=2026-05-01", True),
            ("start=2026-05-01&end=2026-05-02", True),
            ("start=2026-04-01&end=2026-04-30", False),
            ("start=2026-05-02&end=9999-12-31", False),
            ("start=0001-01-01&end=9999-12-31", True),
        ):
            assert bool(api.get(f"/accounting?{days}")["usage"]["users"]) == told, days

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("", "start"),
            ("?start=2026-05-01", "end"),
            ("?start=2026-05-01&end=2026-04-30", "end: must not be before start"),
            ("?start=01.05.2026&end=tomorrow", "start: must be a day, such as 2026-05-01"),
            ("?start=2026-02-30&end=2026-05-01T00:00:00", "end: must be a day, such as 2026-05-01"),
            ("?start=20260501&end=2026-05-01", "start: must be a day"),
        ],
    )
    def test_days_that_are_none_are_refused(self, api: Api, query: str, sentence: str) -> None:
        answer = api.call("GET", f"/accounting{query}")
        assert answer.status_code == 400
        assert sentence in answer.text

    def test_a_store_that_is_away_is_told_as_such(self, api: Api) -> None:
        api.queue.unavailable = "It is away."
        assert api.call("GET", f"/accounting{DAY}").status_code == 503


class TestToldApart:
    def test_a_user_sees_their_own_by_whatever_they_ask_for(self, api: Api) -> None:
        [row] = api.as_user("alice").get(f"/usage{DAY}&by=user,month")["rows"]
        assert row["of"] == ["alice", "2026-05"]
        assert (row["jobs"], row["attempts"], row["coreHours"], row["cpuHours"]) == (2, 2, 2.0, 0.5)
        of_groups = api.as_user("alice").get(f"/usage{DAY}&by=group")
        assert (of_groups["by"], [row["of"] for row in of_groups["rows"]]) == (["group"], [["chemistry"], ["physics"]])
        assert api.as_user("bob").get(f"/usage{DAY}&by=label:app")["rows"][0]["of"] == [""]
        assert api.as_user("mia").get(f"/usage{DAY}&by=user")["rows"] == []

    def test_a_member_of_a_group_sees_its_sums_and_not_its_users(self, api: Api) -> None:
        bob = api.as_user("bob")
        assert [row["jobs"] for row in bob.get(f"/usage{DAY}&by=group,cloud&of=groups")["rows"]] == [2]
        for by in ("user", "group,label:app", "workflow"):
            refused = bob.call("GET", f"/usage{DAY}&by={by}&of=groups")
            assert refused.status_code == 403
            assert by.rpartition(",")[2] in refused.get_json()["error"]
        assert bob.call("GET", f"/usage{DAY}&by=user&of=all").status_code == 403
        assert api.as_user("carol").get(f"/usage{DAY}&by=group&of=groups")["rows"] == []

    @pytest.mark.parametrize(
        ("who", "seen"),
        [
            ("mia", {("alice", "physics"), ("bob", "physics")}),
            ("olga", {*(("alice", g) for g in ("chemistry", "physics")), ("bob", "physics"), ("carol", "")}),
            ("mia-at-home", None),
            ("olga-at-home", None),
        ],
    )
    def test_whoever_looks_after_others_sees_theirs(
        self, api: Api, who: str, seen: set[tuple[str, str]] | None
    ) -> None:
        answer = api.as_user(who).call("GET", f"/usage{DAY}&by=user,group&of=all")
        assert answer.status_code == (200 if seen else 403)
        assert seen is None or {tuple(row["of"]) for row in answer.get_json()["rows"]} == seen

    def test_as_a_table_for_spreadsheets_nobodys_name_is_a_formula(self) -> None:
        made = an_api(identities=MemoryIdentities({"token-of-eve": Identity('=HYPERLINK("x")')}))
        eve = made.as_user("eve")
        eve.queue.leave(
            eve.submit(), JobStatus.COMPLETED, **{classads.FINISHED_AT: LATE, classads.REMOTE_WALL_CLOCK: 7200}
        )
        answer = eve.call("GET", f"/usage{DAY}&by=user,day&format=csv")
        assert answer.mimetype == "text/csv"
        header, row = csv.reader(answer.text.splitlines())
        assert header[:4] == ["user", "day", "jobs", "attempts"]
        assert row[:6] == ["""'=HYPERLINK("x")""", "2026-05-01", "1", "1", "2.0", "2.0"]

    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            ("", "by"),
            ("&by=", "told apart by user, group"),
            ("&by=label", "label:NAME"),
            ("&by=label:a'b", "label:NAME"),
            ("&by=user,nonsense", "'nonsense'"),
            ("&by=user,group,day,cloud,month", "at most 4"),
            ("&by=user&of=everybody", "of"),
            ("&by=user&format=xml", "format"),
        ],
    )
    def test_what_cannot_be_asked_for_is_told(self, api: Api, asked: str, told: str) -> None:
        answer = api.as_user("alice").call("GET", f"/usage{DAY}{asked}")
        assert answer.status_code == 400
        assert told in answer.text


def an_ad(**changes: Any) -> Any:
    """Of a job that has run for ten seconds on two cores, as it had asked."""
    ad = classad2.ClassAd()
    told = {
        "ClusterId": 7,
        "CompletionDate": 100,
        "RequestCpus": 2,
        "RemoteWallClockTime": 10.0,
        "CumulativeSlotTime": 20.0,
        **changes,
    }
    for name, value in told.items():
        ad[name] = value
    return ad


COMPLETED = JobView(Status.COMPLETED, None, None, 0, {}, {})


def a_run(**changes: Any) -> Run | None:
    return run_of_job(an_ad(**changes), {}, COMPLETED)


def account(**changes: Any) -> Used:
    found = a_run(**changes)
    assert found is not None and found.after is not None
    return found.after


def core_ms(**changes: Any) -> int:
    return account(**changes).core_ms


class TestWhatAJobHasUsed:
    def test_its_other_nodes_count_with_what_they_have_used_and_as_no_jobs(self) -> None:
        first, second = (a_run(ProminenceNode=number, ProminenceNodeCount=2) for number in (0, 1))
        assert first is not None and second is not None
        assert (first.is_part, second.is_part, first.job == second.job) == (False, True, False)
        attempts = [one for of_job in booked((), [first, second]).values() for one in of_job]
        found = total(priced(run, used, None, DEFAULT_TARIFF) for run, used in attempts)
        assert (found.jobs, found.attempts, found.core_ms, found.cpu_ms) == (1, 2, 40_000, 0)

    def test_all_of_its_attempts_count_as_the_schedd_has_measured_them(self) -> None:
        assert core_ms() == 20_000

    @pytest.mark.parametrize("said", [0, 1e9, -5.0, "much", True])
    def test_no_slot_makes_a_job_larger_or_smaller_than_it_asked_to_be(self, said: Any) -> None:
        assert core_ms(CumulativeSlotTime=said) == 20_000

    def test_of_a_job_that_leaves_its_cores_open_those_count_that_it_was_given(self) -> None:
        range_of = Needs(2, 8, True, 1000, None, 0).commands()["request_cpus"]
        one_of = Needs(2, 8, False, 1000, 500, 0).commands()["request_cpus"]
        for asked in (range_of, one_of):
            for slot_s, counted_s in ((50.0, 50), (5.0, 20), (1000.0, 80)):
                expression = classad2.ExprTree(asked)
                assert core_ms(RequestCpus=expression, CumulativeSlotTime=slot_s) == 1000 * counted_s, asked

    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    *("ClusterId", "CompletionDate", "EnteredCurrentStatus", "RequestCpus", "RemoteWallClockTime"),
                    *("ShadowBday", "EpochWriteDate", "NumShadowStarts", "RequestMemory", "RequestGPUs"),
                    *("CpusProvisioned", "RemoteHost", "LastRemoteHost", "DAGManJobId", "RemoteUserCpu"),
                    *("CumulativeSlotTime", "CumulativeRemoteUserCpu", "CumulativeRemoteSysCpu", "ProminenceGroup"),
                ]
            ).filter(lambda name: name != "ClusterId"),
            st.one_of(
                st.integers(-(2**62), 2**62),
                st.floats(),
                st.sampled_from(
                    ["x", True, *map(classad2.ExprTree, ("error", "undefined", "{1}", "TARGET.Cpus", "RequestCpus"))]
                ),
            ),
        )
    )
    def test_whatever_an_ad_says_figures_are_numbers_that_can_be_kept(self, odd: dict[str, Any]) -> None:
        for found in (a_run(**odd), run_of_epoch(an_ad(**{"EpochWriteDate": 100, **odd}), {})):
            if found is not None:
                account = found.after or found.before
                assert account is not None
                assert all(0 <= figure < 2**62 for figure in (found.ended, *account.figures, *found.measured.figures))

    def test_cpu_time_is_that_of_the_job_and_of_the_kernel_for_it(self) -> None:
        assert account(CumulativeRemoteUserCpu=1.5, CumulativeRemoteSysCpu=0.25).cpu_ms == 1750

    def test_a_job_that_was_removed_ended_when_it_was(self) -> None:
        found = a_run(CompletionDate=0, EnteredCurrentStatus=300)
        assert found is not None
        assert found.ended == 300

    def test_an_attempt_ended_when_it_did_whenever_its_job_was_removed_afterwards(self) -> None:
        attempt = run_of_epoch(an_ad(ShadowBday=90, EpochWriteDate=100, RemoteWallClockTime=0.0), {})
        removed = a_run(CompletionDate=0, EnteredCurrentStatus=10**6)
        assert attempt is not None and removed is not None
        for order in ([attempt, removed], [removed, attempt], [attempt, removed, attempt, removed]):
            [[(run, used)]] = booked((), order).values()
            assert (run.started, run.ended, run.has_left, used.wall_ms) == (90, 100, True, 10_000)

    def test_a_job_that_ends_with_its_attempt_ended_when_it_says(self) -> None:
        attempt, done = run_of_epoch(an_ad(ShadowBday=90, EpochWriteDate=103), {}), a_run(CompletionDate=100)
        assert attempt is not None and done is not None
        [[(run, _)]] = booked((), [attempt, done]).values()
        assert run.ended == 100
