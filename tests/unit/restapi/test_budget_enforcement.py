"""Jobs are held and released as their groups' budgets have it, and somebody is told once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from builders import NOON
from builders_mail import SENDER, URL, WITHIN
from builders_restapi import Api, an_api

from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.jobid import JobId
from prominence.core.states import HELD_BY_OPERATOR, HELD_FOR_BUDGET, JobStatus
from prominence.restapi.adapters.memory import MemoryMailer
from prominence.restapi.budgets import books
from prominence.restapi.budgets.accounts import Budgets
from prominence.restapi.budgets.books import Adjustment
from prominence.restapi.budgets.enforcement import enforce
from prominence.restapi.budgets.rules import UNIT_MS, Action, Budget, Reckoning
from prominence.restapi.mail import outbox
from prominence.restapi.mail.delivery import Postman
from prominence.restapi.ports import Deferred
from prominence.restapi.selection import ANY_KIND, Selection
from prominence.restapi.services import Services
from prominence.restapi.usage import Period
from prominence.restapi.webhooks import records, shelves
from prominence.restapi.webhooks.records import Event, Webhook

DAY = Period.of_days(NOON.date(), NOON.date())
NEXT = Period.of_days(NOON.date() + timedelta(days=1), NOON.date() + timedelta(days=1))
BOSSES = ("boss@example.org", "deputy@example.org")
BUDGET = Budget("physics", 10 * UNIT_MS, DAY, Action.HOLD, BOSSES)
HOUR = {"cpus": 1, "memory": 1, "disk": 10, "walltime": 60}


@pytest.fixture
def api() -> Api:
    """Nobody is refused here: jobs came before the budget."""
    return an_api()


def with_budgets(api: Api, *budgets: Budget) -> Services:
    """The services of the process that enforces them."""
    return replace(api.services, budgets=Budgets(budgets, Reckoning()), addresses={})


def states(api: Api) -> dict[str, str]:
    """Of all jobs in the queue."""
    words = {
        (int(JobStatus.HELD), HELD_FOR_BUDGET): "held",
        (int(JobStatus.HELD), HELD_BY_OPERATOR): "held by an operator",
    }
    return {
        str(JobId.of(ad)): words.get(
            (int(ad[classads.JOB_STATUS]), int(ad.get(classads.HOLD_REASON_SUBCODE, 0))),
            JobStatus(int(ad[classads.JOB_STATUS])).name.lower(),
        )
        for ad in api.queue.find(Selection(kinds=ANY_KIND))
    }


def use(api: Api, hours: float) -> None:
    """A job of the group has run for so long."""
    job = api.submit(resources=HOUR, group="physics")
    finished = {classads.FINISHED_AT: int(api.clock.now().timestamp()), classads.REMOTE_WALL_CLOCK: hours * 3600}
    api.queue.leave(job, JobStatus.COMPLETED, **finished)


def give(api: Api, units: float) -> None:
    entry = Adjustment(units_ms=round(units * UNIT_MS), at=api.clock.now(), by="olga", why="a gift")
    books.add("physics", str(units), entry, api.store)


class TestHolding:
    def test_idle_jobs_without_room_are_held_and_released_by_an_adjustment(self, api: Api) -> None:
        jobs = [api.submit(resources=HOUR, group="physics") for _ in range(4)]
        api.run(jobs[1])
        services = with_budgets(api, BUDGET)
        enforce(services)
        assert set(states(api).values()) == {"idle", "running"}
        use(api, 8)
        enforce(services)
        assert states(api) == {"1": "idle", "2": "running", "3": "held", "4": "held"}
        enforce(services)
        assert states(api) == {"1": "idle", "2": "running", "3": "held", "4": "held"}
        give(api, 1)
        enforce(services)
        assert states(api) == {"1": "idle", "2": "running", "3": "idle", "4": "held"}
        give(api, -3)
        enforce(services)
        assert states(api) == {"1": "held", "2": "running", "3": "held", "4": "held"}

    def test_a_new_period_gives_room_and_its_end_leaves_none(self, api: Api) -> None:
        services = with_budgets(api, BUDGET, replace(BUDGET, period=NEXT))
        use(api, 11)
        job = str(api.submit(resources=HOUR, group="physics"))
        enforce(services)
        assert states(api) == {job: "held"}
        api.clock.advance(86_400)
        enforce(services)
        assert states(api) == {job: "idle"}
        api.clock.advance(86_400)
        enforce(services)
        assert states(api) == {job: "held"}

    def test_members_of_arrays_and_all_nodes_of_jobs_are_held(self, api: Api) -> None:
        task = {"image": "a", "runtime": "docker", "type": "openmpi", "procsPerNode": 1, "cmd": "a"}
        api.submit_array(2, resources=HOUR, group="physics")
        nodes = api.submit(tasks=[task], resources={**HOUR, "nodes": 2}, group="physics")
        services = with_budgets(api, replace(BUDGET, units_ms=UNIT_MS))
        enforce(services)
        held = {place: "held" for place in ("1.1", str(nodes), f"{nodes}.1")}
        assert states(api) == {"1.0": "idle", **held}
        give(api, 3)
        enforce(services)
        assert set(states(api).values()) == {"idle"}

    def test_what_somebody_else_holds_and_what_other_groups_have_is_left_alone(self, api: Api) -> None:
        jobs = [api.submit(resources=HOUR, group=group) for group in ("physics", "chemistry")]
        api.queue.hold(Selection(ids=(JobId(jobs[0]),)), "held by an operator", HELD_BY_OPERATOR)
        services = with_budgets(api, replace(BUDGET, units_ms=0), replace(BUDGET, group="chem", units_ms=0))
        enforce(services)
        give(api, 100)
        enforce(services)
        assert states(api) == {"1": "held by an operator", "2": "idle"}

    @pytest.mark.parametrize(
        "now", [(), (replace(BUDGET, action=Action.WARN, units_ms=0),), (replace(BUDGET, action=Action.REFUSE),)]
    )
    def test_without_a_budget_that_holds_all_are_released(self, api: Api, now: tuple[Budget, ...]) -> None:
        job = str(api.submit(resources=HOUR, group="physics"))
        enforce(with_budgets(api, replace(BUDGET, units_ms=0)))
        assert states(api) == {job: "held"}
        enforce(with_budgets(api, *now))
        assert states(api) == {job: "idle"}

    def test_nothing_happens_while_it_cannot_be_told_what_was_used(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object) -> Any:
            raise Unavailable("The archive is behind.")

        api.submit(resources=HOUR, group="physics")
        api.submit(resources=HOUR, group="chemistry")
        services = with_budgets(api, replace(BUDGET, units_ms=0), replace(BUDGET, group="chemistry", units_ms=0))
        with monkeypatch.context() as patched:
            patched.setattr(type(services.usage), "grouped", away)
            enforce(services)
        assert set(states(api).values()) == {"idle"}
        enforce(services)
        assert set(states(api).values()) == {"held"}

    def test_a_crash_anywhere_is_made_good_by_the_next_round(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        jobs = [api.submit(resources=HOUR, group="physics") for _ in range(3)]
        services = with_budgets(api, replace(BUDGET, units_ms=0))
        monkeypatch.setattr("prominence.restapi.budgets.enforcement._AT_ONCE", 1)
        hold, held = api.queue.hold, []

        def hold_one(*what: Any) -> int:
            if held:
                raise RuntimeError("killed")
            held.append(what)
            return hold(*what)

        with monkeypatch.context() as patched:
            patched.setattr(api.queue, "hold", hold_one)
            with pytest.raises(RuntimeError):
                enforce(services)
        assert sorted(states(api).values()) == ["held", "idle", "idle"]
        enforce(services)
        assert states(api) == {str(job): "held" for job in jobs}


class TestTelling:
    def office(self, api: Api, services: Services) -> tuple[Postman, MemoryMailer]:
        mailer = MemoryMailer()
        return Postman(services, mailer, SENDER, URL, WITHIN, interval_s=10), mailer

    def test_each_of_what_is_reached_is_told_once_in_a_period(self, api: Api) -> None:
        services = with_budgets(api, BUDGET, replace(BUDGET, period=NEXT))
        told: list[tuple[float, list[str]]] = []
        for hours in (4, 1, 0, 1, 2.5, 0.5, 3):
            use(api, hours) if hours else None
            enforce(services)
            enforce(services)
            postman, mailer = self.office(api, services)
            postman.round()
            told.append((hours, [f"{one['To']}: {one['Subject']}" for one in mailer.sent]))
        both = lambda percent: [f"{one}: Budget of group physics: {percent} % used" for one in BOSSES]  # noqa: E731
        assert told == [(4, []), (1, both(50)), (0, []), (1, []), (2.5, both(80)), (0.5, both(90)), (3, both(100))]
        assert outbox.NOTICES.all(api.store) == {}
        give(api, 100)
        use(api, 60)
        enforce(services)
        assert outbox.NOTICES.all(api.store) == {}, "it was told already"
        api.clock.advance(86_400)
        use(api, 5)
        enforce(services)
        assert {one.subject for one in outbox.NOTICES.all(api.store).values()} == {"Budget of group physics: 50 % used"}

    def test_what_is_reached_together_is_told_together(self, api: Api) -> None:
        services = with_budgets(api, BUDGET)
        use(api, 9.5)
        enforce(services)
        postman, mailer = self.office(api, services)
        postman.round()
        assert [str(one["Subject"]) for one in mailer.sent] == ["Budget of group physics: 90 % used"] * 2
        assert "Of the 10 service units of group physics 9.5 are used." in mailer.sent[0].get_content()
        assert len({str(one["Message-ID"]) for one in mailer.sent}) == 2

    def test_the_groups_webhooks_are_called_too(self, api: Api) -> None:
        webhook = Webhook(
            id="1", url="https://example.org", events=(Event.BUDGET_ALERT,), user="a", group="physics", made_at=NOON
        )
        records.keep(webhook, api.store)
        records.keep(webhook.model_copy(update={"group": "chemistry"}), api.store)
        services = with_budgets(api, BUDGET)
        use(api, 9.5)
        enforce(services)
        enforce(services)
        [(key, call)] = shelves.CALLS.all(api.store).items()
        assert shelves.place_of(key) == webhook.place
        told = json.loads(call.body)
        assert told["type"] == "budgetAlert"
        assert told["data"] == {"group": "physics", "percent": 90, "units": 10, "used": 9.5, "reserved": 0}

    def test_a_group_with_any_name_makes_one_line(self, api: Api) -> None:
        group = "a\r\nBcc: eve@example.org\r\n\r\n=?utf-8?q?=0A?="
        services = with_budgets(api, replace(BUDGET, group=group, units_ms=0))
        enforce(services)
        postman, mailer = self.office(api, services)
        postman.round()
        assert [one["Bcc"] for one in mailer.sent] == [None, None]
        assert "\n" not in str(mailer.sent[0]["Subject"])

    def test_a_server_that_takes_nothing_is_asked_again_and_what_is_old_is_given_up(self, api: Api) -> None:
        services = with_budgets(api, BUDGET)
        use(api, 5)
        enforce(services)
        postman, mailer = self.office(api, services)
        mailer.fails[BOSSES[0]] = Deferred("450 not now")
        postman.round()
        assert [str(one["To"]) for one in mailer.sent] == [BOSSES[1]]
        mailer.fails.clear()
        api.clock.advance(3600)
        postman.round()
        assert [str(one["To"]) for one in mailer.sent] == [BOSSES[1], BOSSES[0]]
        use(api, 3)
        enforce(services)
        mailer.fails = dict.fromkeys(BOSSES, Deferred("450 not now"))
        postman.round()
        api.clock.advance(WITHIN.total_seconds() + 1)
        postman.round()
        assert len(mailer.sent) == 2
        assert outbox.NOTICES.all(api.store) == {}
