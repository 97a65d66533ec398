"""What the API's description promises, the API keeps: schemathesis tries it with all its checks, over HTTP.

What it may find all the same is in `waivers`.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_network

import pytest
import schemathesis
from builders import NOON, a_task
from builders_restapi import SITE, Api, an_api
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from waivers import FOR_JOBS, FORCED, UNSAYABLE
from werkzeug.serving import make_server

from prominence.core import document, orders
from prominence.restapi import legacy
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.budgets.accounts import Budgets
from prominence.restapi.budgets.rules import Action, Budget
from prominence.restapi.limits import Limits
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.token_records import TokenLimits
from prominence.restapi.tokens import LONGEST_DAYS
from prominence.restapi.usage import Period
from prominence.restapi.webhooks.records import Webhooks

REACHED = {
    "coverage": {
        "POST /jobs",
        "POST /arrays",
        "POST /workflows",
        "GET /jobs/<job>",
        "POST /kv/<key>",
        "POST /data/upload",
        "POST /tokens",
        "GET /quota",
        "GET /budgets",
    },
    "fuzzing": {"POST /jobs", "POST /workflows", "GET /kv/<key>", "POST /data/output", "PUT /jobs/<job>/hold"},
    "stateful": {"POST /tokens"},
}
"""Of the operations some that must have done what they are for, so that a run that is refused everywhere fails."""

_ANY = 10**30
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass
class Found:
    """What a run has found that is not waived, how many checks it has made, and what it has tried."""

    faults: list[str] = field(default_factory=list)
    checks: dict[str, int] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    """With room for all that may come, and a job that runs, for its token; with the same ids every time."""
    ids = itertools.count(1)
    monkeypatch.setattr(secrets, "token_hex", lambda size: f"{next(ids):0{2 * size}x}")
    room = Limits(user_quota=_ANY, group_quota=_ANY, largest_object=10**18 - 1)
    site = replace(SITE, max_array=500)
    tokens = TokenLimits(most=_ANY, longest_days=LONGEST_DAYS)
    budget = Budget("physics", _ANY, Period.of_days(NOON.date(), NOON.date()), Action.HOLD)
    everywhere = (ip_network("0.0.0.0/0"),)  # which addresses a site calls is its own affair
    changes = {
        "budgets": Budgets((budget,)),
        "addresses": {"alice": "alice@example.org"},
        "webhooks": Webhooks(b"key", everywhere, most=10**6),
    }
    api = an_api(token_limits=tokens, limits=room, site=site, **changes)
    upload = api.call("POST", "/data/upload", json={"filename": "input"})
    assert upload.json is not None
    api.objects.put(upload.json["url"], b"content")
    job = api.submit(tasks=[a_task()], artifacts=[{"url": "input"}], outputFiles=["*"])
    api.run(job)
    monkeypatch.setattr(api.sandboxes, "add", partial(answered, api.sandboxes, api.sandboxes.add))
    return api


def answered(
    sandboxes: MemorySandboxes,
    add: Callable[[str, Callable[[int], str], str], int],
    uid: str,
    name: Callable[[int], str],
    text: str,
) -> int:
    """What a running job's executor does: an order that is put there has its answer."""
    number = add(uid, name, text)
    sandboxes.replace(uid, orders.answer_file(number), document.dumps(orders.Answer(exit_code=0, output="b2s=")))
    return number


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    """Where it is served."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, api.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}{BASE_PATH}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_only_what_the_published_client_calls_is_forced() -> None:
    forced = {operation for waiver in FORCED for operation in waiver.operations}
    assert forced - FOR_JOBS <= legacy.CALLED | {"POST /kv/<key>"}


def tried(api: Api, url: str, phase: str, examples: int) -> Found:
    """What schemathesis finds in one of its phases, the same every time."""
    job_token = api.services.job_tokens.mint(api.uid(1), "alice")
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "continue-on-failure": True,
            "suppress-health-check": ["too_slow"],  # how soon it thinks of examples is the machine's affair
            "auth": {"openapi": {"token": {"bearer": "token-of-alice"}, "jobToken": {"bearer": job_token}}},
            "generation": {"max-examples": examples, "deterministic": True, "database": "none"},
            "phases": {name: {"enabled": name == phase} for name in PHASES},
        }
    )
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    found = Found()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.faults.append(str(event))
        elif isinstance(event, events.ScenarioFinished):
            look(event, found)
    return found


def look(event: events.ScenarioFinished, found: Found) -> None:
    for case_id, checks in event.recorder.checks.items():
        operation = event.recorder.cases[case_id].value.operation.label.replace("{", "<").replace("}", ">")
        interaction = event.recorder.interactions[case_id]
        response = interaction.response
        status, text = (0, "") if response is None else (response.status_code, response.content.decode())
        if 200 <= status < 300:
            found.accepted.add(operation)
        for check in checks:
            found.checks[check.name] = found.checks.get(check.name, 0) + 1
            if check.failure_info is None or waived(check.name, operation, f"{status} {text}"):
                continue
            request = interaction.request
            found.faults.append(
                f"{check.name}: {request.method} {request.uri} {request.body!r:.2000} -> {status} {text:.500}: "
                f"{check.failure_info.failure.message}"
            )


def waived(check: str, operation: str, answer: str) -> bool:
    return any(waiver.covers(check, operation, answer) for waiver in (*FORCED, *UNSAYABLE))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("phase", "examples"), [("coverage", 20), ("fuzzing", 20), ("stateful", 100)])
def test_the_api_does_what_it_says(phase: str, examples: int, api: Api, url: str) -> None:
    found = tried(api, url, phase, examples)
    assert found.faults == []
    assert REACHED[phase] - found.accepted == set()
    assert found.checks.keys() >= {"not_a_server_error", "response_schema_conformance", "negative_data_rejection"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("phase", ["fuzzing", "stateful"])
def test_the_api_does_what_it_says_whatever_is_said(phase: str, api: Api, url: str) -> None:
    assert tried(api, url, phase, examples=100).faults == []
