"""`prominence doctor`, against a pretend API."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
import yaml
from builders_cli import NOON, FakeApi, refusing, run_command
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli import doctor as rules
from prominence.cli.doctor import Certificate
from prominence.cli.render.doctor import table_of_parts
from prominence.core import version
from prominence.core.health import Condition

OF_ETCD = {"part": "etcd", "condition": "ok", "sentence": "It answers."}
OF_OBJECTS = {"part": "objects", "condition": "broken", "sentence": "It does not.", "advice": "See \x1b[2J."}
DAY_S = 86_400


def an_answer(*parts: dict[str, str], time: float = NOON) -> dict[str, Any]:
    return {"condition": "ok", "time": time, "version": version.installed(), "parts": list(parts)}


def doctor(document: Any, *words: str, status: int = 200) -> Result:
    return run_command(FakeApi(instead=deque([refusing(status, document)])), "doctor", *words)


def test_a_service_that_is_well() -> None:
    result = doctor(an_answer(OF_ETCD))
    assert result.exit_code == 0
    assert [line.split()[:3] for line in result.stdout.splitlines()] == [
        ["PART", "CONDITION", "WHAT"],
        ["etcd", "ok", "It"],
        ["clock", "ok", "The"],
        ["version", "ok", "The"],
    ]


def test_what_is_broken_is_told_with_what_to_do() -> None:
    result = doctor(an_answer(OF_ETCD, OF_OBJECTS))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-3:] == ["", "What to do:", "objects: See \\x1b[2J."]


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents_are_the_apis_with_what_is_seen_from_here(form: str, read: Any) -> None:
    result = doctor(an_answer(OF_OBJECTS, time=NOON - 60), "-o", form)
    told = read(result.stdout)
    assert (result.exit_code, told["condition"], told["time"]) == (1, "broken", NOON - 60)
    assert [(one["part"], one["condition"]) for one in told["parts"]] == [
        ("objects", "broken"),
        ("clock", "warning"),
        ("version", "ok"),
    ]


def test_a_warning_is_no_failure() -> None:
    assert doctor(an_answer(OF_ETCD, time=NOON + 60)).exit_code == 0


def test_who_is_no_operator_is_told_so() -> None:
    result = doctor({"error": "Only operators may ask."}, status=403)
    assert (result.exit_code, result.stderr) == (125, "prominence: Only operators may ask\n")


CLOCKS = [
    (NOON, Condition.OK, "agree"),
    (NOON + 12, Condition.OK, "agree"),
    (NOON - 6, Condition.WARNING, "6 s behind"),
    (NOON + 16, Condition.WARNING, "6 s ahead of"),
    (NOON + 1000, Condition.BROKEN, "990 s ahead of"),
    (None, Condition.UNKNOWN, "does not tell"),
]


@pytest.mark.parametrize(("told", "condition", "words"), CLOCKS)
def test_a_clock_is_compared_with_both_moments_of_a_request(
    told: float | None, condition: Condition, words: str
) -> None:
    found = rules.of_clock(told, NOON, NOON + 10)
    assert (found.condition, words in found.sentence) == (condition, True), found


CERTIFICATES = [
    (Certificate(NOON + 20 * DAY_S), Condition.OK, "expires in 20 days"),
    (Certificate(NOON + 13.9 * DAY_S), Condition.WARNING, "expires in 13 days"),
    (Certificate(NOON - 1.0), Condition.BROKEN, "has expired"),
    (Certificate(trouble="certificate has expired", refused=True), Condition.BROKEN, "not accepted"),
    (Certificate(trouble="Connection refused"), Condition.UNKNOWN, "Connection refused"),
]


@pytest.mark.parametrize(("certificate", "condition", "words"), CERTIFICATES)
def test_a_certificate_is_renewed_before_it_expires(certificate: Certificate, condition: Condition, words: str) -> None:
    found = rules.of_certificate(certificate, NOON)
    assert (found.condition, words in found.sentence) == (condition, True), found


def test_another_version_is_a_warning() -> None:
    assert rules.of_version("0.1.0", "0.2.0").condition is Condition.WARNING


keys = st.sampled_from(["parts", "part", "condition", "sentence", "advice", "time", "version"])
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from(Condition).map(str),
    lambda one: st.dictionaries(keys, one) | st.lists(one, max_size=3),
)


@given(st.dictionaries(keys, anything), st.none() | st.floats() | st.integers())
def test_no_answer_breaks_it_or_commands_the_terminal(document: dict[str, Any], told: float | None) -> None:
    clock, same = rules.of_clock(told, NOON, NOON + 1), rules.of_version("1", "2")
    found = rules.together(document, [clock, same])
    assert all(line.isprintable() for line in table_of_parts(found).split("\n"))
    assert rules.condition(found) is not Condition.OK
    unwell = [one for one in found["parts"] if rules.condition(one) not in (Condition.OK, Condition.WARNING)]
    assert rules.is_well(found) == (not unwell)
