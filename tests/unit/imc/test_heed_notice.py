"""When a worker makes way for a cloud that takes it away: the program in its image that does it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worker_programs import loaded

heed = loaded("heed-notice")

SOON = datetime(2026, 9, 18, 8, 22, tzinfo=UTC).timestamp()
SAYS: dict[str, Callable[[str], Any]] = {"ec2": heed.ec2_says, "google": heed.google_says, "azure": heed.azure_says}


def an_event(kind: str, at: str = "Fri, 18 Sep 2026 08:22:00 GMT") -> dict[str, str]:
    return {"EventId": "1", "EventType": kind, "EventStatus": "Scheduled", "NotBefore": at}


def events(*found: dict[str, str]) -> str:
    return json.dumps({"DocumentIncarnation": 1, "Events": found})


@pytest.mark.parametrize(
    ("cloud", "said", "at"),
    [
        ("ec2", "", None),
        ("ec2", '{"action": "terminate", "time": "2026-09-18T08:22:00Z"}', SOON),
        ("ec2", '{"action": "stop", "time": "who knows"}', ""),
        ("ec2", '{"action": ""}', None),
        ("google", "FALSE\n", None),
        ("google", "TRUE", ""),
        ("azure", events(), None),
        ("azure", events(an_event("Freeze"), an_event("Reboot")), None),
        ("azure", events(an_event("Freeze"), an_event("Preempt")), SOON),
        ("azure", events(an_event("Terminate", "")), ""),
    ],
)
def test_what_the_clouds_say_is_understood(cloud: str, said: str, at: object) -> None:
    assert SAYS[cloud](said) == at


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["action", "time", "Events", "EventType", "NotBefore", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(cloud=st.sampled_from(sorted(SAYS)), said=st.text() | JSON.map(json.dumps))
def test_whatever_is_said_a_worker_stays_or_has_a_time_to_go(cloud: str, said: str) -> None:
    at = SAYS[cloud](said)
    assert at is None or 1 <= heed.seconds_to_vacate(cloud, at, SOON) <= heed.LONGEST_S


def test_jobs_have_what_the_notice_leaves_less_what_it_takes_to_go() -> None:
    assert heed.seconds_to_vacate("ec2", SOON, SOON - 120) == 110
    assert heed.seconds_to_vacate("ec2", SOON, SOON + 5) == 1
    assert heed.seconds_to_vacate("google", "", SOON) == 20


def test_trouble_with_the_service_is_told_once_and_no_reason_to_go(capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[Any] = [OSError("no route"), OSError("no route"), ValueError("odd"), None, None, SOON]

    def look(_: object) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert heed.wait_for_notice(look, None, pause=lambda _: None) == SOON
    assert capsys.readouterr().err.splitlines() == [
        "the metadata service: OSError('no route')",
        "the metadata service: ValueError('odd')",
        "the metadata service: answers again",
    ]


@pytest.mark.parametrize(
    ("place", "told"), [("leaving.conf", (17, signal.SIGHUP)), ("not-there/leaving.conf", (16, signal.SIGTERM))]
)
def test_jobs_are_told_to_leave_where_nothing_can_be_written_too(
    tmp_path: Path, place: str, told: tuple[int, signal.Signals]
) -> None:
    for number, name in ((16, "condor_master"), (17, "condor_startd"), (18, "condor_starter")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "comm").write_text(f"{name}\n")
    done: list[tuple[int, signal.Signals]] = []
    heed.make_way(20, tmp_path / place, tmp_path, lambda *what: done.append(what))
    assert done == [told]


def test_processes_are_found_by_their_names(tmp_path: Path) -> None:
    for number, name in ((17, "condor_startd"), (18, "condor_starter"), (19, "condor_starter")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "comm").write_text(f"{name}\n")
    (tmp_path / "20").mkdir()
    assert sorted(heed.processes("condor_starter", tmp_path)) == [18, 19]
