"""What old clients force on us."""

from __future__ import annotations

from typing import Any

import pytest
from builders import job_json

from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.validation import parse
from prominence.restapi import legacy


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("token abc", "abc"),
        ("Token abc", "abc"),
        ("anything   abc ", "abc"),
        ("", ""),
        ("Bearer", ""),
        ("abc", ""),
        ("Bearer a b", ""),
    ],
)
def test_the_word_before_a_token_does_not_matter(header: str, token: str) -> None:
    assert legacy.token(header) == token


@pytest.mark.parametrize(
    ("section", "empty"),
    [
        ("policies", {}),
        ("inputs", []),
        ("artifacts", []),
        ("outputFiles", []),
        ("outputDirs", []),
        ("notifications", []),
        ("storage", {}),
    ],
)
def test_an_empty_section_says_nothing(section: str, empty: Any) -> None:
    assert parse(JobSpec, legacy.job(job_json(**{section: empty}))) == parse(JobSpec, job_json())


@pytest.mark.parametrize(("section", "empty"), [("storage", []), ("inputs", {}), ("policies", [])])
def test_nothing_of_another_kind_is_a_mistake(section: str, empty: Any) -> None:
    with pytest.raises(Rejected, match=section):
        parse(JobSpec, legacy.job(job_json(**{section: empty})))


def test_a_section_that_says_something_is_not_swallowed() -> None:
    assert legacy.job(job_json(policies={"priority": 1})) == job_json(policies={"priority": 1})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"ignoreTaskTailures": True}, {"ignoreTaskFailures": True}),
        ({"ignoreTaskTailures": True, "ignoreTaskFailures": False}, {"ignoreTaskFailures": False}),
        ({"autoScalingType": None, "maximumIdleTimePerResource": 0}, {}),
        ({"autoScalingType": "none", "priority": 3}, {"priority": 3}),
        ({"preemptible": False}, {"preemptible": False}),
        (
            {"maximumIdleTimePerResource": False},
            {"maximumIdleTimePerResource": False},
        ),
    ],
)
def test_policies_are_read_as_they_were_meant(written: dict[str, Any], meant: dict[str, Any]) -> None:
    assert legacy.job(job_json(policies=written)) == job_json(policies=meant)


def test_what_was_described_can_be_submitted_again() -> None:
    described = job_json(statusReason="It waits.", statusReasonCode="Queued", exitCode=0, array=17)
    assert legacy.job(described) == job_json()


@pytest.mark.parametrize("nonsense", [None, 1, "x", [], [{}]])
def test_what_is_no_job_is_left_as_it_is(nonsense: Any) -> None:
    assert legacy.job(nonsense) == nonsense
