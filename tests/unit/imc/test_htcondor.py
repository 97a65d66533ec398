"""The HTCondor adapter's command lines and what it makes of the answers; the real tools are in tests/contract."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from builders import NOON
from builders_imc import at
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import NotFound, Unavailable
from prominence.imc.adapters.htcondor import HTCondorPool, ToolFailed, _line, run_here
from prominence.imc.condor_text import Outsider, Revocation
from prominence.imc.ports import ExecutePoint
from prominence.imc.settings import PoolSettings


class Tools:
    """Answers by the tool's name; remembers what was asked."""

    def __init__(self, **answers: str | ToolFailed) -> None:
        self.answers = answers
        self.calls: list[tuple[list[str], Mapping[str, str], str]] = []

    def __call__(self, command: Sequence[str], environment: Mapping[str, str], stdin: str) -> str:
        self.calls.append((list(command), environment, stdin))
        answer = self.answers.get(command[0], "<address>\n")
        if isinstance(answer, ToolFailed):
            raise answer
        return answer


def a_pool(tmp_path: Path, tools: Tools) -> HTCondorPool:
    settings = PoolSettings(
        collector="ap", keys_dir=Path("/keys"), revocations_file=tmp_path / "revoked.conf", token_lifetime_s=1000
    )
    return HTCondorPool(settings, tools)


def slots(*ads: dict[str, object]) -> str:
    return json.dumps(list(ads))


def test_slots_of_one_machine_are_one_execute_point(tmp_path: Path) -> None:
    tools = Tools(
        condor_status=slots(
            {"Machine": "w-1", "SlotType": "Partitionable", "State": "Unclaimed"},
            {"Machine": "w-1", "SlotType": "Dynamic", "State": "Claimed"},
            {"Machine": "w-1", "SlotType": "Dynamic", "State": "Preempting"},
            {"Machine": "w-2", "SlotType": "Partitionable", "State": "Drained", "Draining": True},
            {"Machine": "w-3", "SlotType": "Partitionable", "State": "Unclaimed", "Draining": False},
            {"Machine": "w-4", "SlotType": "Partitionable", "State": "Owner", "ProminenceLeaving": True},
            {"Machine": "w-4", "SlotType": "Dynamic", "State": "Preempting", "ProminenceLeaving": "yes"},
        )
    )
    assert a_pool(tmp_path, tools).execute_points() == {
        "w-1": ExecutePoint(2, False),
        "w-2": ExecutePoint(0, True),
        "w-3": ExecutePoint(0, False),
        "w-4": ExecutePoint(1, False, leaving=True),
    }


def test_only_startds_that_showed_a_workers_token_are_asked_for(tmp_path: Path) -> None:
    tools = Tools(condor_status="")
    assert a_pool(tmp_path, tools).execute_points() == {}
    command, environment, _ = tools.calls[0]
    assert command[-2:] == ["-constraint", 'AuthenticatedIdentity == strcat(Machine, "@workers")']
    assert environment == {"_CONDOR_COLLECTOR_HOST": "ap"}


def test_a_silent_collector_is_unavailable(tmp_path: Path) -> None:
    tools = Tools(condor_status=ToolFailed("Error: communication error"))
    with pytest.raises(Unavailable, match="communication error"):
        a_pool(tmp_path, tools).execute_points()


def test_an_answer_that_is_no_json_is_unknown_and_not_empty(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        a_pool(tmp_path, Tools(condor_status="Warning: something")).execute_points()


def test_draining_twice_is_fine(tmp_path: Path) -> None:
    tools = Tools(condor_drain=ToolFailed("error code 10001: Draining already in progress."))
    a_pool(tmp_path, tools).drain("w-1", "idle")
    assert tools.calls[0][0] == ["condor_drain", "-graceful", "-reason", "idle", "slot1@w-1"]


@pytest.mark.parametrize("verb", ["drain", "undrain"])
def test_a_worker_that_is_not_in_the_pool_is_not_found(tmp_path: Path, verb: str) -> None:
    pool = a_pool(tmp_path, Tools(condor_drain=ToolFailed("ERROR: Can't find address for startd slot1@w-1")))
    with pytest.raises(NotFound, match="w-1"):
        pool.drain("w-1", "idle") if verb == "drain" else pool.undrain("w-1")


def test_other_failures_of_draining_are_told(tmp_path: Path) -> None:
    pool = a_pool(tmp_path, Tools(condor_drain=ToolFailed("permission denied")))
    with pytest.raises(Unavailable, match="permission denied"):
        pool.drain("w-1", "idle")


@given(st.text())
def test_any_reason_is_one_argument_and_no_option(reason: str) -> None:
    line = _line(reason)
    assert line.isprintable() and 0 < len(line) <= 200 and not line.startswith("-")


def test_a_token_may_advertise_its_worker_and_nothing_else(tmp_path: Path) -> None:
    tools = Tools(condor_token_create="the-token\n")
    assert a_pool(tmp_path, tools).mint("w-1").get_secret_value() == "the-token"
    command, environment, _ = tools.calls[0]
    assert " ".join(command) == (
        "condor_token_create -identity w-1@workers -key POOL -authz ADVERTISE_STARTD -authz ADVERTISE_MASTER "
        "-lifetime 1000"
    )
    assert environment["_CONDOR_SEC_TOKEN_POOL_SIGNING_KEY_FILE"] == "/keys/POOL"


def test_the_signing_key_is_shown_to_no_other_tool(tmp_path: Path) -> None:
    tools = Tools(condor_status="[]")
    pool = a_pool(tmp_path, tools)
    pool.execute_points()
    pool.drain("w-1", "idle")
    pool.invalidate("w-1")
    assert not [environment for _, environment, _ in tools.calls if "/keys" in str(environment)]


def test_no_token_is_not_an_empty_token(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        a_pool(tmp_path, Tools(condor_token_create="\n")).mint("w-1")


def test_the_ads_of_one_machine_are_invalidated(tmp_path: Path) -> None:
    tools = Tools()
    a_pool(tmp_path, tools).invalidate("w-1")
    assert [(command[2], stdin.splitlines()[-1]) for command, _, stdin in tools.calls] == [
        ("INVALIDATE_STARTD_ADS", 'Requirements = Machine == "w-1"'),
        ("INVALIDATE_MASTER_ADS", 'Requirements = Machine == "w-1"'),
    ]


def test_revocations_add_up_until_their_tokens_have_run_out(tmp_path: Path) -> None:
    tools = Tools()
    pool = a_pool(tmp_path, tools)
    file = tmp_path / "revoked.conf"
    pool.revoke("w-1", NOON)
    pool.revoke("w-2", at(500))
    assert "w-1@workers" in file.read_text() and "w-2@workers" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o644
    pool.revoke("w-2", at(1001))
    assert "w-1@workers" not in file.read_text()
    assert file.read_text().splitlines()[-1] == (
        f'SEC_TOKEN_REVOCATION_EXPR = (sub == "w-2@workers" && iat <= {int(at(1001).timestamp())})'
    )
    assert tools.calls[-1][0] == ["condor_reconfig", "-collector", "-addr", "<address>"]


def test_of_two_collectors_the_one_beside_it_is_told(tmp_path: Path) -> None:
    tools = Tools()
    settings = PoolSettings(
        collector="one,two", collector_here="two", keys_dir=Path("/keys"), revocations_file=tmp_path / "revoked.conf"
    )
    pool = HTCondorPool(settings, tools)
    pool.refuse([Revocation("w-1@workers", 1, 2)])
    assert pool.revocations() == [Revocation("w-1@workers", 1, 2)]
    assert {where["_CONDOR_COLLECTOR_HOST"] for _, where, _ in tools.calls} == {"two"}


def test_a_file_of_revocations_that_cannot_be_read_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "revoked.conf"
    file.write_text("# revoked: {broken\n")
    with pytest.raises(Unavailable, match="cannot be read"):
        a_pool(tmp_path, Tools()).revoke("w-1", NOON)
    assert file.read_text() == "# revoked: {broken\n"


def test_a_link_in_the_way_of_the_revocations_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (tmp_path / f".revoked.conf.{os.getpid()}.new").symlink_to(precious)
    a_pool(tmp_path, Tools()).revoke("w-1", NOON)
    assert precious.read_text() == "keep me"
    assert not (tmp_path / "revoked.conf").is_symlink()


def test_a_revocation_that_the_collector_did_not_hear_of_is_a_failure(tmp_path: Path) -> None:
    pool = a_pool(tmp_path, Tools(condor_reconfig=ToolFailed("failed to connect")))
    with pytest.raises(Unavailable):
        pool.revoke("w-1", NOON)


def test_a_tool_that_fails_tells_what_it_said() -> None:
    with pytest.raises(ToolFailed, match="no such thing"):
        run_here(["sh", "-c", "echo no such thing >&2; exit 3"], {}, "")
    with pytest.raises(ToolFailed, match="cannot be started"):
        run_here(["/no/such/tool"], {}, "")


def test_a_tool_gets_its_input_and_environment() -> None:
    assert run_here(["sh", "-c", 'read line; echo "$line $WORD"'], {"WORD": "there"}, "hello\n") == "hello there\n"


def test_who_is_shut_out_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    tools = Tools()
    pool = a_pool(tmp_path, tools)
    told = [Outsider("w-1", 5), Outsider("w-2", 6), Outsider("w-3", 7, readmitted=True)]
    pool.keep_out(told)
    assert pool.outsiders() == told
    assert (tmp_path / "denied.conf").read_text().splitlines()[-2:] == [
        "COLLECTOR.DENY_ADVERTISE_STARTD = w-1@workers, w-2@workers",
        "COLLECTOR.DENY_ADVERTISE_MASTER = w-1@workers, w-2@workers",
    ]
    assert ["condor_reconfig", "-collector", "-addr", "<address>"] in [call[0] for call in tools.calls]
    pool.keep_out([])
    assert "DENY" not in (tmp_path / "denied.conf").read_text()
    assert pool.outsiders() == []


def test_a_file_of_before_is_read_and_one_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    pool = a_pool(tmp_path, Tools())
    assert pool.outsiders() == []
    (tmp_path / "denied.conf").write_text("# Written by prominence-imc static.\n# shut out: w-1\nX = 1\n")
    assert pool.outsiders() == [Outsider("w-1")]
    (tmp_path / "denied.conf").write_text("# shut out: {\n")
    with pytest.raises(Unavailable):
        pool.outsiders()
