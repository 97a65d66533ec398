"""Programs of users are called, under one id, when their jobs have ended, and about nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from builders import NOON, job_json
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.states import JobStatus
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.adapters.memory_webhooks import Called, MemoryCaller
from prominence.restapi.identity import Identity
from prominence.restapi.ports import NotTaken
from prominence.restapi.webhooks import rules, shelves
from prominence.restapi.webhooks.delivery import Courier
from prominence.restapi.webhooks.records import Event
from prominence.restapi.webhooks.rules import Trouble

BY_WEBHOOK = [{"event": "jobFinished", "type": "webhook"}]
URL = "https://example.org/hook?key=s3cret"


class Office:
    """alice, who manages physics, bob, who is in it, and the process that calls."""

    def __init__(self) -> None:
        known = {
            "token-of-alice": Identity("alice", ("physics",), manages=frozenset({"physics"})),
            "token-of-bob": Identity("bob", ("physics",)),
            "token-of-olga": Identity("olga", operator=True),
        }
        self.api = an_api(identities=MemoryIdentities(known))
        self.caller = MemoryCaller()
        self.seconds = 0.0
        self.restart()

    def restart(self) -> None:
        """As after a death of the process."""
        webhooks = self.api.services.webhooks
        assert webhooks is not None
        self.courier = Courier(
            self.api.services, self.caller, webhooks.secret, timedelta(days=1), 10, lambda: self.seconds
        )

    def register(self, api: Api | None = None, **said: Any) -> dict[str, Any]:
        answer = (api or self.api).call("POST", "/webhooks", json={"url": URL, **said})
        assert answer.status_code == 201, answer.text
        return dict(answer.json or {})

    def round(self, seconds: float = 60) -> list[Called]:
        """The calls of one round, so many seconds later."""
        self.api.clock.advance(seconds)
        before = len(self.caller.calls)
        self.courier.round()
        return self.caller.calls[before:]

    def shown(self) -> dict[str, Any]:
        [one] = self.api.get("/webhooks")
        return dict(one)


@pytest.fixture
def office() -> Office:
    return Office()


def verified(call: Called, secret: str) -> dict[str, Any]:
    """What it says, if the signature is good by the specification's own words."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([call.headers["webhook-id"].encode(), call.headers["webhook-timestamp"].encode(), call.body])
    want = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{want}"
    return dict(json.loads(call.body))


class TestSigned:
    def test_the_signature_is_that_of_the_specifications_example(self) -> None:
        # From the documentation of the Standard Webhooks' libraries.
        secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
        at = NOON.fromtimestamp(1614265330, NOON.tzinfo)
        made = rules.headers(secret, message, '{"test": 2432232314}', at)
        assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    @given(st.text(), st.text())
    def test_whatever_a_job_is_called_the_body_is_plain_json(self, name: str, sentence: str) -> None:
        body = rules.body("jobFinished", NOON, {"name": name, "statusReason": sentence})
        assert body.isascii() and "\n" not in body
        assert json.loads(body)["data"] == {"name": name, "statusReason": sentence}

    def test_each_has_a_secret_of_its_own(self, office: Office) -> None:
        first, second = office.register(), office.register()
        assert first["secret"] != second["secret"] and len(base64.b64decode(first["secret"][6:])) == 32

    def test_a_secret_is_told_once_and_kept_nowhere(self, office: Office) -> None:
        made = office.register()
        office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        assert len(office.round()) == 1
        secret = made["secret"].removeprefix("whsec_")
        assert secret not in str(office.api.get("/webhooks"))
        assert all(secret not in entry.value.decode() for entry in office.api.store.list(""))


class TestOfJobs:
    def test_a_job_ends_and_its_users_webhook_is_called_once(self, office: Office) -> None:
        made = office.register()
        job = office.api.submit(name="fit", notifications=BY_WEBHOOK)
        assert office.round() == []
        office.api.finish(job, exit_code=0)
        [call] = office.round()
        assert (call.url, office.round()) == (URL, [])
        told = verified(call, made["secret"])
        assert told["type"] == "jobFinished"
        data = told["data"]
        assert (data["id"], data["name"], data["user"], data["status"]) == (job, "fit", "alice", "completed")
        assert office.shown()["takenAt"] > 0

    def test_both_its_users_and_its_groups_are_called_and_nobody_elses(self, office: Office) -> None:
        bob = office.api.as_user("bob")
        office.register(bob)
        office.register(group="physics", url="https://example.org/group")
        office.register(url="https://example.org/alice")
        office.api.finish(bob.submit(notifications=BY_WEBHOOK, group="physics"))
        assert sorted(call.url for call in office.round()) == ["https://example.org/group", URL]

    def test_of_a_workflow_its_end_is_told_once_for_each_run(self, office: Office) -> None:
        made = office.register()
        told = [{"event": "workflowFinished", "type": "webhook"}]
        workflow = office.api.submit_workflow(jobs=[office.api.a_step("a")], notifications=told)
        office.api.queue.leave(
            workflow, JobStatus.COMPLETED, **{classads.EXIT_CODE: 0, classads.FINISHED_AT: int(NOON.timestamp())}
        )
        [call] = office.round()
        said = verified(call, made["secret"])
        assert (said["type"], said["data"]["id"], office.round()) == ("workflowFinished", workflow, [])
        assert said["data"]["progress"]["total"] == 1

    def test_a_job_that_did_not_ask_calls_nobody(self, office: Office) -> None:
        office.register()
        office.api.finish(office.api.submit())
        assert office.round() == []

    def test_without_a_webhook_for_it_nobody_can_ask(self, office: Office) -> None:
        office.register(events=["workflowFinished"])
        answer = office.api.call("POST", "/jobs", json=job_json(notifications=BY_WEBHOOK))
        assert answer.status_code == 400 and "no webhook is registered for jobFinished" in answer.json["error"]  # type: ignore[index]

    def test_one_that_is_deleted_meanwhile_is_not_called(self, office: Office) -> None:
        made = office.register()
        office.caller.fails[URL] = NotTaken(Trouble.FAILED, 503)
        office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        office.round()
        assert office.api.call("DELETE", f"/webhooks/{made['id']}").status_code == 200
        office.caller.fails.clear()
        assert office.round(3600) == []
        assert shelves.CALLS.all(office.api.store) == {}


class TestAgain:
    def test_a_call_that_is_not_taken_is_made_again_under_its_id_at_growing_intervals(self, office: Office) -> None:
        office.register()
        office.caller.fails[URL] = NotTaken(Trouble.FAILED, 503)
        office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        office.round()
        shown = office.shown()
        assert (shown["reason"], shown["failures"]) == ("Failed", 1)
        assert shown["statusReason"].endswith("It answered 503.")
        assert (office.round(5), office.shown()["failures"]) == ([], 1)
        office.round(10)
        assert office.shown()["failures"] == 2
        office.round(10)
        assert office.shown()["failures"] == 2, "the second pause is twice as long"
        office.caller.fails.clear()
        [call] = office.round(60)
        assert office.round(60) == []
        assert call.headers["webhook-timestamp"] == str(int(office.api.clock.now().timestamp()) - 60)
        assert office.shown()["failures"] == 0 and "reason" not in office.shown()

    def test_it_is_given_up_after_its_time_with_a_reason_that_its_owner_sees(self, office: Office) -> None:
        office.register()
        office.caller.fails[URL] = NotTaken(Trouble.TIMED_OUT)
        office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        office.round()
        office.round(86_500)
        [given_up] = office.shown()["givenUp"]
        assert (given_up["event"], given_up["reason"]) == ("jobFinished", "TimedOut")
        assert shelves.CALLS.all(office.api.store) == {}

    def test_one_that_fails_holds_up_no_other(self, office: Office) -> None:
        office.register(url="https://example.org/broken")
        office.register()
        office.caller.fails["https://example.org/broken"] = NotTaken(Trouble.UNREACHABLE)
        for _ in range(3):
            office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        assert len(office.round()) == 3
        broken = next(one for one in office.api.get("/webhooks") if one["url"].endswith("broken"))
        assert broken["failures"] == 1, "the others wait behind the first"

    def test_a_mistake_of_ours_with_one_holds_up_no_other(self, office: Office) -> None:
        office.register(url="https://example.org/broken")
        office.register()
        office.caller.fails["https://example.org/broken"] = ValueError("no label may be so long")
        office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        assert len(office.round()) == 1
        assert office.round(1) == [], "it is left alone for a while"
        office.caller.fails.clear()
        assert [call.url for call in office.round()] == ["https://example.org/broken"]

    def test_one_that_wants_no_more_calls_gets_none(self, office: Office) -> None:
        office.register()
        office.caller.fails[URL] = NotTaken(Trouble.GONE, 410)
        for _ in range(2):
            office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        office.round()
        office.caller.fails.clear()
        assert office.round(3600) == []
        assert office.shown()["isGone"] and shelves.CALLS.all(office.api.store) == {}

    def test_a_restart_calls_nobody_again(self, office: Office) -> None:
        office.register()
        office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        assert len(office.round()) == 1
        office.restart()
        assert office.round() == []

    def test_a_store_that_fails_after_the_call_makes_no_second_one(self, office: Office) -> None:
        office.register()
        office.api.finish(office.api.submit(notifications=BY_WEBHOOK))
        store = office.api.store
        usual = store.delete_if

        def fails(key: str, expected: int | None) -> None:
            raise Unavailable("It does not answer.")

        store.delete_if = fails  # type: ignore[method-assign]
        assert len(office.round()) == 1
        store.delete_if = usual  # type: ignore[method-assign]
        assert office.round() == []
        assert shelves.CALLS.all(store) == {}


class TestRegistered:
    def test_a_groups_is_registered_by_its_manager_and_seen_by_operators(self, office: Office) -> None:
        made = office.register(group="physics")
        assert made["events"] == ["jobFinished", "workflowFinished", "budgetAlert"]
        assert [one["id"] for one in office.api.as_user("olga").get("/webhooks")] == [made["id"]]
        assert office.api.as_user("bob").get("/webhooks") == []
        refused = office.api.as_user("bob").call("POST", "/webhooks", json={"url": URL, "group": "physics"})
        assert refused.status_code == 403

    def test_alerts_of_budgets_are_of_groups(self, office: Office) -> None:
        refused = office.api.call("POST", "/webhooks", json={"url": URL, "events": [Event.BUDGET_ALERT]})
        assert refused.status_code == 400 and "is of a group" in refused.text

    def test_there_may_be_so_many(self, office: Office) -> None:
        for _ in range(10):
            office.register()
        refused = office.api.call("POST", "/webhooks", json={"url": URL})
        assert "There may be 10 webhooks" in refused.text

    def test_where_none_are_called_there_are_none(self) -> None:
        api = an_api(webhooks=None)
        assert api.call("POST", "/webhooks", json={"url": URL}).status_code == 403
        answer = api.call("POST", "/jobs", json=job_json(notifications=BY_WEBHOOK))
        assert "calls no webhooks" in answer.text


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(200, None), (204, None), (301, "Redirected"), (307, "Redirected"), (100, "Redirected"), (400, "Refused"),
     (410, "Gone"), (429, "Refused"), (500, "Failed"), (503, "Failed"), (999, "Failed")],
)  # fmt: skip
def test_what_an_answer_means(status: int, trouble: str | None) -> None:
    assert rules.meaning(status) == (None if trouble is None else Trouble(trouble))
