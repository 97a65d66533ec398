"""Groups' shares: what can be, what HTCondor is told of them, and whether it does so."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from builders_restapi import an_api
from hypothesis import assume, example, given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.settings import load
from prominence.core.validation import parse
from prominence.restapi.accounting_settings import AccountingSettings
from prominence.restapi.adapters.memory_health import MemoryDaemons
from prominence.restapi.health import checks
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.shares import main
from prominence.restapi.shares.rules import Quota, Share, as_settings, configuration, differences, environment, problems

PHYSICS, BIO = Share("physics", 0.75), Share("/vo/bio-med", 0.25, surplus=False, priority_factor=10)


def test_htcondor_is_told_names_as_it_knows_them() -> None:
    assert configuration([PHYSICS, BIO]) == {
        "CLAIM_PARTITIONABLE_LEFTOVERS": "False",
        "GROUP_NAMES": "physics, %2Fvo%2Fbio-med",
        "GROUP_QUOTA_DYNAMIC_physics": "0.750000000",
        "GROUP_ACCEPT_SURPLUS_physics": "True",
        "GROUP_QUOTA_DYNAMIC_%2Fvo%2Fbio-med": "0.250000000",
        "GROUP_ACCEPT_SURPLUS_%2Fvo%2Fbio-med": "False",
        "GROUP_PRIO_FACTOR_%2Fvo%2Fbio-med": "10",
    }
    assert configuration([]) == {}


@given(st.text(min_size=1), st.floats(min_value=1e-6, max_value=1))
def test_no_name_is_more_than_a_name(group: str, quota: float) -> None:
    told = environment([Share(group, quota)])
    assert len(told) == 4
    for name, value in told.items():
        assert name.isascii() and not set(name + value) & set("=\n\r\0$\"' ,;#")
    assert float(told[f"_CONDOR_GROUP_QUOTA_DYNAMIC_{Share(group, quota).name}"]) == pytest.approx(quota, abs=1e-9)


def test_quotas_may_be_all_there_is_and_no_more() -> None:
    assert list(problems([Share(str(number), 0.1) for number in range(10)])) == []
    assert list(problems([PHYSICS, Share("a", 0.26)])) == ["all quotas together must be at most 1, not 1.01"]


def test_all_mistakes_are_told_at_once() -> None:
    shares = [("physics", 0.9), ("physics", 0.1), ("Physics", 0.1)]
    with pytest.raises(Rejected) as refused:
        parse(AccountingSettings, {"shares": tuple({"group": group, "quota": quota} for group, quota in shares)})
    for sentence in ("'physics' is there twice", "are one to HTCondor", "at most 1, not 1.1"):
        assert sentence in str(refused.value)


@pytest.mark.parametrize("share", [
    {"group": "a", "quota": 0}, {"group": "a", "quota": 1.1}, {"group": "a", "quota": float("nan")},
    {"group": "", "quota": 0.5}, {"quota": 0.5}, {"group": "a"}, {"group": "a", "quota": 0.5, "priority_factor": 0.5},
])  # fmt: skip
def test_what_can_be_no_share_is_refused(share: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        parse(AccountingSettings, {"shares": (share,)})


def test_differences_are_told_by_name() -> None:
    found = {"physics": Quota(0.5, True, 2, 1), "art": Quota(0.1, True, 0, 0)}
    assert differences([PHYSICS, BIO], found) == [
        "it has a share of art, which is not in the settings",
        "it knows no share of /vo/bio-med",
        "its share of physics is 0.5, and 0.75 in the settings",
    ]


def test_the_operator_sees_what_groups_have() -> None:
    api = an_api()
    daemons = api.services.vitals.daemons
    assert isinstance(daemons, MemoryDaemons)

    def seen(*shares: Share) -> list[tuple[str, str]]:
        object.__setattr__(api.services.vitals, "shares", shares)
        found = checks.findings(api.services)
        return [(one.condition.value, one.sentence) for one in found if one.part == "shares"]

    assert seen() == []
    assert seen(PHYSICS)[0][0] == "warning"
    daemons.known["physics"] = Quota(0.75, True, 3, 2)
    assert seen(PHYSICS) == [("ok", "Groups have their shares: physics 0.75 (2 of 3 cores).")]


def test_the_command_starts_with_the_shares(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "restapi.toml"
    share = {"group": "/vo/bio-med", "quota": 0.25}
    file.write_text(
        tomli_w.dumps({"token_key_file": "/none", "sandboxes_dir": "/none", "accounting": {"shares": [share]}})
    )
    child = os.fork()
    if child == 0:  # it becomes the command
        main.main(["--config", str(file), "env"])  # no shell, which would leave out such names
    assert os.waitpid(child, 0)[1] == 0
    assert "_CONDOR_GROUP_QUOTA_DYNAMIC_%2Fvo%2Fbio-med=0.250000000" in capfd.readouterr().out.splitlines()


def test_settings_that_cannot_be_start_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "restapi.toml"
    file.write_text(tomli_w.dumps({"accounting": {"shares": [{"group": "a", "quota": 2}, {"group": "", "quota": 1}]}}))
    assert main.main(["--config", str(file), "false"]) == 2
    said = capsys.readouterr().err
    assert "shares[0].quota" in said and "shares[1].group" in said


@example([("\x7f", 0.1, True, None)])
@given(st.lists(st.tuples(st.text(), st.floats(0.001, 0.1), st.booleans(), st.none() | st.floats(1, 1e6)), max_size=5))
def test_another_central_manager_is_told_the_same(told: list[tuple[str, float, bool, float | None]]) -> None:
    names = ("group", "quota", "surplus", "priority_factor")
    tables = [{name: value for name, value in zip(names, one, strict=True) if value is not None} for one in told]
    try:
        known = parse(AccountingSettings, {"shares": tables})
    except Rejected:
        assume(False)
    shares = [one.share() for one in known.shares]
    again = parse(RestApiSettings, tomllib.loads(as_settings(shares)))
    assert [one.share() for one in again.accounting.shares] == shares


def test_what_is_printed_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, again = tmp_path / "restapi.toml", tmp_path / "shares.toml"
    file.write_text(tomli_w.dumps({"accounting": {"shares": [{"group": "/vo/bio-med", "quota": 0.25}]}}))
    assert main.main(["--config", str(file)]) == 0
    again.write_text(capsys.readouterr().out)
    assert load(RestApiSettings, "restapi", again).accounting.shares[0].share() == Share("/vo/bio-med", 0.25)
