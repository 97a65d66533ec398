"""The processes beside the API go on whatever a round meets, and end when they are told."""

from __future__ import annotations

import threading

import pytest

from prominence.core.errors import Unavailable
from prominence.restapi import rounds


class Waited(threading.Event):
    """Nobody waits: it keeps for how long they would, and is set after so many rounds."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        return len(self.pauses) == self._most


def test_a_round_that_fails_is_told_and_the_next_one_comes_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    meets: list[float | Exception] = [5.0, Unavailable("etcd does not answer"), KeyError("a mistake"), 6.0]

    def one_round() -> float:
        met = meets[len(stop.pauses)]
        if isinstance(met, Exception):
            raise met
        return met

    stop = Waited(len(meets))
    rounds.go_round(one_round, stop, after_failure_s=30.0)
    assert stop.pauses == [5.0, 30.0, 30.0, 6.0]
    expected, mistake = (record for record in caplog.records if record.levelname == "ERROR")
    assert not expected.exc_info, "the world is to blame"
    assert mistake.exc_info, "we are, and its place is told"


def test_who_is_told_to_end_makes_no_further_round() -> None:
    stop = threading.Event()
    made = []

    def one_round() -> float:
        made.append(1)
        stop.set()
        return 3600.0

    rounds.go_round(one_round, stop, after_failure_s=3600.0)
    assert made == [1]


def test_after_each_round_it_is_told_when_the_next_one_is_and_what_was_wrong() -> None:
    meets: list[float | Exception] = [5.0, Unavailable("etcd does not answer"), KeyError("s3cret")]
    heard: list[tuple[float, str]] = []

    def one_round() -> float:
        met = meets[len(stop.pauses)]
        if isinstance(met, Exception):
            raise met
        return met

    stop = Waited(len(meets))
    rounds.go_round(one_round, stop, 30.0, lambda next_s, trouble: heard.append((next_s, trouble)))
    assert heard == [
        (5.0, ""),
        (30.0, "etcd does not answer"),
        (30.0, "it made a mistake, which is in its log"),
    ]
