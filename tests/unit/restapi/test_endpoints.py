"""Every operation of the API: who may use it, and that nobody sees, changes or guesses a thing of somebody else's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from builders import NOON
from builders_restapi import a_slot, an_api
from endpoints import A_JOBS, ANY_TOKEN, ANYBODY, ENDPOINTS, GROUP, OBJECT, OF_GROUP, SIGNED, STEP, Endpoint
from werkzeug.test import TestResponse

from prominence.core import classads
from prominence.core.jobid import JobId
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.budgets import books
from prominence.restapi.budgets.accounts import Budgets
from prominence.restapi.budgets.books import Adjustment
from prominence.restapi.budgets.rules import Action, Budget
from prominence.restapi.identity import Identity, Scope
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.usage import Period

MARK = "s3cret"
"""In everything that alice has; in nothing that another gets to see."""

ALICE = Identity("alice", ("physics", GROUP), token="login-of-alice")

OF_A_JOB_TOLD_TO_BE_ANOTHERS = ("/stdout", "/stderr")
"""As the published service has it."""

STRANGERS = {
    "of another group": Identity("eve", ("chemistry",)),
    "of the same group": Identity("bob", ("physics",)),
    "with a name that begins alike": Identity("alice2", ("physics2", "phys")),
    "with a name that is the beginning": Identity("alic", ("physic",)),
    "with a name in other letters": Identity("Alice", ("Physics",)),
    "with a name like a path": Identity("alice/", ("physics/", "../physics")),
    "who manages another group": Identity("max", ("physics",), manages=frozenset({"chemistry"})),
    "that is a service": Identity("service:alice", ("physics",), service=True),
    "with an operator's name": Identity("operator", ("operators",)),
}
MANAGER = Identity("mia", ("physics",), manages=frozenset({"physics"}))
OPERATOR = Identity("olga", operator=True)

every_stranger = pytest.mark.parametrize("who", STRANGERS)


class World:
    """An API where alice has one thing of each kind."""

    def __init__(self, *others: Identity) -> None:
        known = {f"token-of-{one.user}": one for one in (ALICE, *others)}
        budget = Budget(GROUP, 10**9, Period.of_days(NOON.date(), NOON.date()), Action.REFUSE)
        self.api = an_api(identities=MemoryIdentities(known), budgets=Budgets((budget,)))
        books.add(GROUP, "key", Adjustment(units_ms=1, at=NOON, by="olga", why=f"{MARK}-gift"), self.api.store)
        self.job = str(self.api.submit(name=f"{MARK}-name", labels={"a": MARK}, tasks=[self.task()]))
        self.api.run(int(self.job))
        for stream in ("stdout", "stderr"):
            self.api.write(int(self.job), stream, MARK.encode())
        self.array = str(self.api.submit_array(2, name=f"{MARK}-name", labels={"a": MARK}, tasks=[self.task()]))
        self.member = f"{self.array}.1"
        self.api.run(JobId.parse(self.member))
        for stream in ("stdout", "stderr"):
            self.api.write(JobId.parse(self.member), stream, MARK.encode())
        self.workflow = str(
            self.api.submit_workflow(name=f"{MARK}-name", jobs=[self.api.a_step(STEP, tasks=[self.task()])])
        )
        step = self.api.start_step(int(self.workflow))
        for stream in ("stdout", "stderr"):
            self.api.write_of_step(step, stream, MARK.encode())
        self.key = f"{MARK}-key"
        self.api.call("POST", f"/kv/{self.key}", data=MARK)
        self.token = self.api.call("POST", "/tokens", json={"name": f"{MARK}-token"}).json["id"]  # type: ignore[index]

        hook = {"url": f"https://example.org/{MARK}"}
        self.webhook = self.api.call("POST", "/webhooks", json=hook).json["id"]  # type: ignore[index]
        for name in (OBJECT, OF_GROUP):
            answer = self.api.call("POST", "/data/upload", json={"filename": name})
            self.api.objects.put(answer.json["url"], MARK.encode())  # type: ignore[index]
        self.api.machines.present = [a_slot(site=MARK, start=f'TARGET.{classads.GROUP} =?= "{GROUP}"')]

    def task(self) -> dict[str, Any]:
        return {"image": "python:3.12", "cmd": f"echo {MARK}", "env": {"A": MARK}}

    def ask(self, who: str, endpoint: Endpoint, job: str = "") -> TestResponse:
        """The endpoint, about alice's things. job: a member of her array, in place of her job."""
        sent = {"data": endpoint.body} if isinstance(endpoint.body, str) else {"json": endpoint.body}
        gaps = {"array": self.array, "workflow": self.workflow, "key": self.key, "id": self.token}
        path = endpoint.path(job=job or self.job, webhook=self.webhook, **gaps)
        return self.api.as_user(who).call(endpoint.method, path, **sent)

    def given_away(self, answer: TestResponse, endpoint: Endpoint) -> list[str]:
        """What is said of alice's, besides the names that whoever asked must have known already."""
        told = answer.text
        for gap, word in (
            ("<key>", self.key),
            ("<group>", GROUP),
            ("<id>", self.token),
            ("<webhook>", self.webhook),
            ("/data", OF_GROUP),
            ("/data", GROUP),
        ):
            told = told.replace(word, "") if gap in endpoint.rule and answer.status_code >= 400 else told
        return [secret for secret in (MARK, self.token, self.webhook) if secret in told]

    def of_alice(self) -> list[Any]:
        """All that she has, as she sees it."""
        asked = [
            self.api.get(path)
            for path in (
                "/jobs?all&detail",
                f"/arrays/{self.array}",
                f"/arrays/{self.array}/jobs?all&detail",
                f"/workflows/{self.workflow}",
                "/kv?list&values",
                "/tokens",
                "/webhooks",
                "/data",
                f"/data/{GROUP}",
                "/budgets",
                f"/budgets/{GROUP}/ledger",
                "/resources",
            )
        ]
        outputs = [
            self.api.call("GET", f"/{one}/{stream}").text
            for one in (f"jobs/{self.job}", f"jobs/{self.member}", f"workflows/{self.workflow}/{STEP}")
            for stream in ("stdout", "stderr")
        ]
        assert all(MARK in str(answer) for answer in (*asked, *outputs))
        return [*asked, *outputs]


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    served = {
        f"{method} {re.sub('<[a-z]+:', '<', rule.rule.removeprefix(BASE_PATH))}"
        for rule in an_api().app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert {f"{row.method} {row.rule}" for row in ENDPOINTS} == served


def test_the_description_has_what_is_served_with_the_scope_that_it_needs() -> None:
    description = an_api().client.get(f"{BASE_PATH}/openapi.json").json
    assert description is not None
    described = {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}": operation["security"]
        for path, item in description["paths"].items()
        for method, operation in item.items()
    }
    words: dict[object, Any] = {ANYBODY: [], SIGNED: [], ANY_TOKEN: [{"token": []}], A_JOBS: [{"jobToken": []}]}
    wanted = {f"{row.method} {row.rule}": words.get(row.scope, [{"token": [row.scope]}]) for row in ENDPOINTS}
    assert described == wanted


def test_the_page_says_which_scope_each_needs() -> None:
    page = (Path(__file__).parents[3] / "docs/api.md").read_text()
    told = dict(re.findall(r"^\| `([A-Z]+ /[^`]*)` \| ([^|]*) \|", page, re.MULTILINE))
    words = {ANYBODY: "-", ANY_TOKEN: "any", SIGNED: SIGNED, A_JOBS: A_JOBS}
    assert told == {f"{row.method} {row.rule}": words.get(row.scope, str(row.scope)) for row in ENDPOINTS}  # type: ignore[call-overload]


@every_stranger
def test_nobody_else_sees_or_changes_what_a_user_has(who: str) -> None:
    stranger = STRANGERS[who]
    world = World(stranger)
    before = world.of_alice()
    for endpoint in ENDPOINTS:
        answer = world.ask(stranger.user, endpoint)
        assert answer.status_code == endpoint.stranger, (endpoint, answer.text)
        if endpoint.method == "GET" or answer.status_code >= 400:
            assert not world.given_away(answer, endpoint), (endpoint, answer.text)
        assert world.of_alice() == before, endpoint
        if "<job>" in endpoint.rule and not endpoint.query.startswith("?id="):
            answer = world.ask(stranger.user, endpoint, world.member)
            assert answer.status_code == endpoint.stranger, (endpoint, answer.text)
            assert not world.given_away(answer, endpoint), (endpoint, answer.text)
            assert world.of_alice() == before, endpoint


@pytest.mark.parametrize("who", [MANAGER, OPERATOR], ids=["manager", "operator"])
def test_who_looks_after_others_reads_no_output_and_no_keys(who: Identity) -> None:
    for endpoint in ENDPOINTS:
        world = World(who)
        answer = world.ask(who.user, endpoint)
        if endpoint.rule.startswith("/kv") or endpoint.rule.endswith(("stdout", "stderr")):
            assert answer.status_code == endpoint.stranger, (endpoint, answer.text)
        assert world.api.call("GET", f"/kv/{world.key}").text == MARK


def test_what_is_somebody_elses_looks_like_what_is_not_there() -> None:
    """So that ids, keys and tokens cannot be guessed; only of an output it is told that there is such a job."""
    world = World(STRANGERS["of another group"])
    asked = (world.job, world.array, world.workflow, world.key, world.token, world.webhook)
    others = ("97", "98", "99", "nothing", "0" * 32, "f" * 32)
    for endpoint in ENDPOINTS:
        world.job, world.array, world.workflow, world.key, world.token, world.webhook = asked
        theirs = world.ask("eve", endpoint)
        if endpoint.rule.endswith(OF_A_JOB_TOLD_TO_BE_ANOTHERS):
            of = f"Workflow {world.workflow}" if "<workflow>" in endpoint.rule else f"Job {world.job}"
            assert (theirs.status_code, theirs.json) == (
                403,
                {"error": f"{of} is not yours.", "reasonCode": "Forbidden"},
            ), endpoint
            continue
        world.job, world.array, world.workflow, world.key, world.token, world.webhook = others
        nobodys = world.ask("eve", endpoint)
        assert nobodys.status_code == theirs.status_code, endpoint
        if theirs.status_code >= 400:
            told = theirs.text
            for before, after in zip(asked, others, strict=True):
                told = re.sub(rf"\b{before}\b", after, told)
            assert nobodys.text == told, endpoint


EVERYTHING = frozenset(Scope)
SCOPES = [frozenset(), *(frozenset({scope}) for scope in Scope), *(EVERYTHING - {scope} for scope in Scope)]


@pytest.mark.parametrize("scopes", SCOPES, ids=lambda scopes: "+".join(sorted(scopes)))
def test_a_token_is_good_for_the_scopes_that_it_names_and_no_others(scopes: frozenset[Scope]) -> None:
    world = World(Identity("bob", scopes=scopes))
    for endpoint in ENDPOINTS:
        if endpoint.scope in (ANYBODY, SIGNED, A_JOBS):
            continue
        refused = "token is not good for this" in (answer := world.ask("bob", endpoint)).text
        assert refused == (endpoint.scope != ANY_TOKEN and endpoint.scope not in scopes), (endpoint, answer.text)
        assert not refused or answer.status_code == 403
