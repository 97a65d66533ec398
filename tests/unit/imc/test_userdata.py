"""The files that a worker starts with, and the text of HTCondor's configuration."""

from __future__ import annotations

import json

import classad2
import pytest
from builders import a_flavour, a_size
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from prominence.core import condor_config
from prominence.core.bootstrap import Invitation, Patience, WorkerBootstrap
from prominence.core.errors import Rejected
from prominence.imc import condor_text, userdata
from prominence.imc.condor_text import Revocation
from prominence.imc.ports import File, Layout

LAYOUT = Layout(
    "/state/workers/w-1/execute", "/state/workers/w-1/tasks", "/private/docker.sock", "pool-tasks", "container:pool-w-1"
)


def files(layout: Layout = LAYOUT, **changes: object) -> dict[str, File]:
    bootstrap = WorkerBootstrap(
        **{  # type: ignore[arg-type]  # a builder
            "name": "w-1",
            "pool": "default",
            "collector": "ap:9618",
            "trust_domain": "prominence",
            "token": "secret-token",
            "flavour": a_flavour(name="small", region="here", size=a_size(2, 4000, 0)),
            "execute_dir": layout.execute_dir,
            **changes,
        }
    )
    return {file.path: file for file in userdata.files(bootstrap, layout)}


def test_the_token_is_read_by_root_alone_and_never_shown() -> None:
    made = files()
    token = made["/etc/condor/tokens.d/pool"]
    assert (token.mode, token.text) == (0o600, "secret-token\n")
    assert "secret-token" not in repr(made)
    assert not [f for f in made.values() if f is not token and "secret-token" in f.text]


def test_an_invitation_comes_in_the_tokens_place_and_never_beside_it() -> None:
    invitation = Invitation(url="https://door", secret=SecretStr("secret-word"))
    made = files(token=None, invitation=invitation)
    assert "/etc/condor/tokens.d/pool" not in made
    told = made["/etc/prominence/invitation.json"]
    assert (told.mode, json.loads(told.text)) == (
        0o600,
        {"url": "https://door", "worker": "w-1", "secret": "secret-word", "ca": ""},
    )
    assert "secret-word" not in repr(made)
    assert [path for path, file in made.items() if "secret-word" in file.text] == ["/etc/prominence/invitation.json"]
    for both_or_none in ({"invitation": invitation}, {"token": None}):
        with pytest.raises(ValueError, match="either a token or an invitation"):
            files(**both_or_none)


def test_proxies_are_for_fetching_images_and_shown_nowhere_else() -> None:
    made = files(proxies={"https_proxy": "http://user:secret-word@proxy:3128"})
    assert json.loads(made["/etc/prominence/proxies.json"].text) == {
        "https_proxy": "http://user:secret-word@proxy:3128"
    }
    assert "secret-word" not in repr(made)
    assert [path for path, file in made.items() if "secret-word" in file.text] == ["/etc/prominence/proxies.json"]
    assert "/etc/prominence/proxies.json" not in files()


def test_the_configuration_tells_the_worker_who_it_is() -> None:
    assert files()["/etc/condor/config.d/50-worker.conf"].text == (
        "# Written by imc for this worker alone.\n"
        "CONDOR_HOST = ap\n"
        "COLLECTOR_HOST = ap:9618\n"
        "TRUST_DOMAIN = prominence\n"
        "NETWORK_HOSTNAME = w-1\n"
        "EXECUTE = /state/workers/w-1/execute\n"
        "NUM_CPUS = 2\n"
        "MEMORY = 4000\n"
        'ProminenceWorker = "w-1"\n'
        'ProminenceCloud = "docker"\n'
        'ProminenceRegion = "here"\n'
        'ProminenceFlavour = "small"\n'
        'ProminenceMarket = "on-demand"\n'
        'ProminenceTaskNetwork = "none"\n'
        "STARTD_ATTRS = $(STARTD_ATTRS), ProminenceWorker, ProminenceCloud, ProminenceRegion, ProminenceFlavour, "
        "ProminenceMarket, ProminenceTaskNetwork\n"
    )


def test_runtimes_that_isolate_nothing_are_there_where_they_are_allowed() -> None:
    def arguments(*allowed: str) -> list[str]:
        config = files(runtimes_allowed=allowed)[userdata.CONFIG].text
        return [line for line in config.splitlines() if line.startswith("STARTD_CRON_RUNTIMES_ARGS")]

    assert arguments("udocker", "process") == ["STARTD_CRON_RUNTIMES_ARGS = --allow udocker --allow process"]
    assert arguments() == []


def test_a_worker_of_a_cloud_for_some_groups_runs_their_jobs_alone() -> None:
    def start(*groups: str) -> list[str]:
        config = files(groups=groups)[userdata.CONFIG].text
        return [line.removeprefix("START = ") for line in config.splitlines() if line.startswith("START =")]

    assert start() == []
    [expression] = start("physics", 'a" || true || "')
    takes = classad2.ExprTree(expression.replace("TARGET.", ""))
    for group, may_run in (("physics", True), ("chemistry", False), ("", False), ("true", False)):
        assert takes.eval(classad2.ClassAd({"AcctGroup": group})) is may_run
    assert takes.eval(classad2.ClassAd()) is classad2.Value.Undefined


def test_when_a_worker_is_lost_is_told_where_it_may_ever_be() -> None:
    config = files(patience=Patience(lost_s=60))[userdata.CONFIG].text
    assert [line for line in config.splitlines() if line.startswith("PROMINENCE_")] == ["PROMINENCE_LOST_AFTER_S = 60"]
    assert "PROMINENCE_" not in files()[userdata.CONFIG].text


@pytest.mark.parametrize(("wished", "network"), [("none", "none"), ("outbound", "pool-tasks")])
def test_the_broker_is_told_its_worker_and_its_tasks_network(wished: str, network: str) -> None:
    broker = files(task_network=wished)["/etc/prominence/broker.json"]
    assert broker.mode == 0o600
    assert json.loads(broker.text) == {
        "pool": "default",
        "worker": "w-1",
        "docker_socket": "/private/docker.sock",
        "tasks_dir": "/state/workers/w-1/tasks",
        "images_dir": "/var/lib/prominence/images",
        "images_mib": 20480,
        "execute_dir": "/state/workers/w-1/execute",
        "cpus": 2,
        "memory_mib": 4000,
        "task_network": network,
        "worker_network": "container:pool-w-1",
    }


@given(st.text())
def test_a_value_stays_one_value_or_is_refused(text: str) -> None:
    try:
        made = condor_config.config({"NAME": text})
    except Rejected:
        return
    assert made.splitlines() == [f"NAME = {text}"] or "\u2028" in text or "\u2029" in text
    assert made.count("\n") == 1 and "$" not in made


@pytest.mark.parametrize("text", ["a\nEVIL = 1", "a\rb", "a\0b", "$(SECRET)", "$ENV(HOME)", "ends in \\", " spaces "])
def test_what_the_configuration_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        condor_config.config({"NAME": text})


@pytest.mark.parametrize("text", ["a\\b", "$(SECRET)", "a\nb"])
def test_an_attribute_that_the_startd_would_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as error:
        condor_text.attributes({"ProminenceCloud": text})
    assert error.value.mistakes[0].path == "ProminenceCloud"


def test_an_attribute_keeps_its_quotes_and_spaces() -> None:
    assert condor_text.attributes({"A": ' the "big" one '}).splitlines()[0] == r'A = " the \"big\" one "'


def test_revocations_name_identity_and_moment() -> None:
    text = condor_text.revocations([Revocation("a@workers", 10, 99), Revocation("b@workers", 20, 99)])
    assert text == (
        'SEC_TOKEN_REVOCATION_EXPR = (sub == "a@workers" && iat <= 10) || (sub == "b@workers" && iat <= 20)\n'
    )


def test_a_collector_can_read_the_revocations_of_thousands_of_workers() -> None:
    text = condor_text.revocations([Revocation(f"w-{n}@workers", n, 99_999) for n in range(5001)])
    expression = classad2.ExprTree(text.partition("=")[2])

    def is_revoked(identity: str, issued: int) -> object:
        token = classad2.ClassAd({"sub": identity, "iat": issued})
        token["Revoked"] = expression
        return token.eval("Revoked")

    assert is_revoked("w-0@workers", 0) is True
    assert is_revoked("w-5000@workers", 5000) is True
    assert is_revoked("w-5000@workers", 5001) is False
    assert is_revoked("imc@prominence", 0) is False


def test_without_revocations_nothing_is_set() -> None:
    assert condor_text.revocations([]).startswith("#")


def test_who_ordered_the_worker_is_told_in_its_ad() -> None:
    told = files(order="r-17")[userdata.CONFIG].text
    assert 'ProminenceRequestId = "r-17"' in told and "ProminenceRequestId" in told.split("STARTD_ATTRS", 1)[1]
    assert "ProminenceRequestId" not in files()[userdata.CONFIG].text
