"""Following a job: nothing of its output is missed, nothing is told twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest
import requests
from builders_cli import (
    TOKEN,
    URL,
    FakeApi,
    PretendClock,
    Turn,
    a_described_job,
    a_session,
    answer,
    failing,
    refused,
    refusing,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.cli import view
from prominence.cli.client import Client
from prominence.cli.errors import ApiError, Unreachable
from prominence.cli.follow import LONGEST_PAUSE_S, PATIENCE_S, SHORTEST_PAUSE_S, follow
from prominence.core.error_reasons import ErrorReason

IDLE, DEPLOYING, RUNNING, COMPLETED = (
    a_described_job(status=status) for status in ("idle", "deploying", "running", "completed")
)


@dataclass
class Recorder:
    """Who listens, and both sinks, in one."""

    lines: list[str] = field(default_factory=list)
    outages: int = 0
    stdout: bytes = b""
    stderr: bytes = b""

    def seen(self, job: view.Job) -> None:
        self.lines.append(view.status(job))

    def away(self, error: Unreachable) -> None:
        self.outages += 1

    def sink(self, stream: str) -> Callable[[bytes], None]:
        def write(piece: bytes) -> None:
            setattr(self, stream, getattr(self, stream) + piece)

        return write


def followed(api: FakeApi, clock: PretendClock | None = None) -> Recorder:
    recorder = Recorder()
    client = Client(URL, TOKEN, a_session(api))
    sinks = {"stdout": recorder.sink("stdout"), "stderr": recorder.sink("stderr")}
    job = follow(client, 12, sinks, recorder, (clock or PretendClock()).clock)  # type: ignore[arg-type]
    assert view.ended(job)
    return recorder


def test_output_written_between_the_last_read_and_the_end_is_not_missed() -> None:
    turns = [Turn(RUNNING, b"one\n"), Turn(RUNNING, b"two\n", stdout_after=b"three\n"), Turn(COMPLETED, b"four\n")]
    assert followed(FakeApi(turns=turns)).stdout == b"one\ntwo\nthree\nfour\n"


def test_a_job_that_has_ended_before_the_first_look_is_read_in_full() -> None:
    api = FakeApi(turns=[Turn(COMPLETED, b"x" * 1000, b"y" * 50)], chunk=7)
    recorder = followed(api)
    assert (recorder.stdout, recorder.stderr) == (b"x" * 1000, b"y" * 50)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=20)), max_size=6),
    st.integers(1, 9),
)
def test_however_output_comes_all_of_it_is_passed_on_once(pieces: list[tuple[bytes, bytes, bytes]], chunk: int) -> None:
    turns = [Turn(RUNNING, out, err, after) for out, err, after in pieces] + [Turn(COMPLETED, b"end", b"END")]
    recorder = followed(FakeApi(turns=turns, chunk=chunk))
    assert recorder.stdout == b"".join(out + after for out, _, after in pieces) + b"end"
    assert recorder.stderr == b"".join(err for _, err, _ in pieces) + b"END"


def test_waiting_jobs_are_not_asked_for_output() -> None:
    api = FakeApi(turns=[Turn(IDLE), Turn(DEPLOYING), Turn(COMPLETED)])
    followed(api)
    assert api.paths == ["GET /jobs/12", "GET /jobs/12", "GET /jobs/12"] + [
        "GET /jobs/12/stdout?offset=0&byte=0",
        "GET /jobs/12/stderr?offset=0&byte=0",
    ]


@pytest.mark.parametrize(("word", "is_mistake"), [("NotFound", False), (None, False), ("InvalidRequest", True)])
def test_a_job_that_ended_without_output_is_no_mistake(word: str | None, is_mistake: bool) -> None:
    def no_stream(request: requests.PreparedRequest) -> requests.Response:
        return answer(request, 400, {"error": "The job has no output.", **({"reasonCode": word} if word else {})})

    api = FakeApi(turns=[Turn(a_described_job(status="deleted"))])
    api.instead.extend([lambda request: answer(request, 200, [a_described_job(status="deleted")]), no_stream])
    with pytest.raises(ApiError) if is_mistake else nullcontext():
        assert followed(api).stdout == b""


def test_the_output_of_a_second_attempt_is_passed_on_from_its_start() -> None:
    turns = [Turn(RUNNING, b"first "), Turn(IDLE), Turn(RUNNING, b"second, longer", starts_again=True)]
    recorder = followed(FakeApi(turns=[*turns, Turn(COMPLETED, b" end")]))
    assert recorder.stdout == b"first second, longer end"


def test_a_new_attempt_that_began_between_two_looks_is_noticed_by_its_shorter_output() -> None:
    turns = [Turn(RUNNING, b"first attempt, long"), Turn(RUNNING, b"second", starts_again=True)]
    recorder = followed(FakeApi(turns=[*turns, Turn(COMPLETED, b" end")]))
    assert recorder.stdout == b"first attempt, longsecond end"


def test_an_api_that_does_not_say_where_to_go_on_is_asked_by_our_own_count() -> None:
    api = FakeApi()
    looks = [(RUNNING, b"one"), (COMPLETED, b"two"), (None, b"")]
    for job, output in looks:
        if job:
            api.instead.append(refusing(200, [job]))
        api.instead.append(refusing(200, output))
        if job is not COMPLETED:
            api.instead.append(refusing(200, b""))
    assert followed(api).stdout == b"onetwo"
    assert [path for path in api.paths if "stdout" in path][-1] == "GET /jobs/12/stdout?offset=6&byte=6"


def test_an_outage_of_the_api_is_waited_out_and_told() -> None:
    api = FakeApi(turns=[Turn(RUNNING, b"a"), Turn(COMPLETED, b"b")])
    too_much = refused(429, "More than 5 requests a second.", ErrorReason.TOO_MANY_REQUESTS)
    api.instead.extend([failing(requests.ConnectionError()), refused(503, "Restarting."), too_much])
    recorder = followed(api)
    assert (recorder.stdout, recorder.outages, recorder.lines) == (b"ab", 3, ["running", "completed"])


def test_a_connection_that_breaks_in_a_read_repeats_nothing() -> None:
    class Breaking:
        def __init__(self) -> None:
            self.pieces = [b"on"]

        def stream(self, *_: object, **__: object) -> object:
            yield from self.pieces
            raise requests.exceptions.ChunkedEncodingError

        def close(self) -> None:
            pass

    def broken(request: requests.PreparedRequest) -> requests.Response:
        response = answer(request, 200, b"")
        response.raw = Breaking()
        return response

    api = FakeApi(turns=[Turn(RUNNING, b"one"), Turn(COMPLETED)])
    api.instead.extend([lambda request: answer(request, 200, api._describe()), broken])
    recorder = followed(api)
    assert (recorder.stdout, recorder.outages) == (b"one", 1)


def test_patience_with_an_api_that_stays_away_has_an_end() -> None:
    api, clock = FakeApi(turns=[Turn(RUNNING)]), PretendClock()
    api.instead.extend([failing(requests.ConnectionError())] * 1000)
    with pytest.raises(Unreachable):
        followed(api, clock)
    assert PATIENCE_S < sum(clock.naps) < PATIENCE_S + 2 * LONGEST_PAUSE_S


def test_pauses_grow_from_short_to_two_seconds() -> None:
    clock = PretendClock()
    followed(FakeApi(turns=[Turn(IDLE)] * 20 + [Turn(COMPLETED)]), clock)
    assert clock.naps[0] == 0.5
    assert clock.naps == sorted(clock.naps)
    assert clock.naps[-1] == LONGEST_PAUSE_S


def test_an_api_that_waits_for_news_is_asked_with_what_is_known_and_soon_again() -> None:
    turns = [Turn(IDLE), Turn(RUNNING, b"one\n"), Turn(RUNNING, b"two\n"), Turn(COMPLETED, b"three\n")]
    api, clock = FakeApi(turns=turns, waits=True), PretendClock()
    assert followed(api, clock).stdout == b"one\ntwo\nthree\n"
    assert [path for path in api.paths if "/std" not in path] == [
        "GET /jobs/12",
        "GET /jobs/12?wait=25",
        "GET /jobs/12?wait=25&stdout=4&stderr=0",
        "GET /jobs/12?wait=25&stdout=8&stderr=0",
    ]
    assert set(clock.naps) == {SHORTEST_PAUSE_S}


def test_an_api_that_has_no_time_to_wait_is_asked_less_and_less_often() -> None:
    api, clock = FakeApi(turns=[Turn(RUNNING)], waits=True), PretendClock()
    nothing = [refusing(304, b"", ETag='"0"')] * 20
    api.instead.extend([refusing(200, [RUNNING], ETag='"0"'), refusing(200, b""), refusing(200, b""), *nothing])
    api.turns = [Turn(COMPLETED)]
    followed(api, clock)
    assert max(clock.naps) == LONGEST_PAUSE_S
