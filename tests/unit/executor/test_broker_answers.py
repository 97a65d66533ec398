from __future__ import annotations

from typing import Any

import pytest

from prominence.executor.adapters.broker import ended
from prominence.executor.ports import Cause, Container, WorkerLost

CONTAINER = Container(
    image="busybox", command=("true",), env={}, workdir="/home/user", home="/h", tmp="/t", cpus=1, memory_mib=9
)


def answer(**said: Any) -> dict[str, Any]:
    return {"ok": True, "exit_code": 0, "oom": False, "disk": False, "cut": False, "last_words": "", **said}


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({}, Cause.EXITED),
        ({"exit_code": 137, "oom": True}, Cause.OUT_OF_MEMORY),
        ({"exit_code": 0, "oom": True}, Cause.EXITED),  # a process of it was killed, and the command did well without
        ({"disk": True, "cut": True}, Cause.OUT_OF_DISK),
    ],
)
def test_a_container_ends_as_the_broker_says(said: dict[str, Any], cause: Cause) -> None:
    assert ended(CONTAINER, Cause.EXITED, answer(**said)).cause is cause


def test_output_that_the_workers_disk_did_not_take_makes_the_worker_lost() -> None:
    with pytest.raises(WorkerLost, match="disk is full"):
        ended(CONTAINER, Cause.EXITED, answer(cut=True))


def test_of_a_container_that_was_ended_the_cause_is_known_already() -> None:
    assert ended(CONTAINER, Cause.OUT_OF_TIME, answer(cut=True)).cause is Cause.OUT_OF_TIME
