"""One pull for all who wait for an image, which ends with the last of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from prominence.executor.broker.enginesocket import EngineRefused, EngineUnavailable, HangUp
from prominence.executor.broker.pulls import Pulls


class Engine:
    """Each pull lasts until it is ended by the test, or is hung up."""

    def __init__(self) -> None:
        self.pulls: list[str] = []
        self.begun = threading.Semaphore(0)
        self.refuses = ""
        self.going = False
        self.ends = threading.Event()

    def pull(self, image: str, hang_up: HangUp) -> None:
        self.pulls.append(image)
        hang_up.watch(_Connection(self.ends))  # type: ignore[arg-type]
        self.begun.release()
        self.ends.wait(10)
        if self.refuses:
            raise EngineRefused(self.refuses)

    def version(self) -> str:
        if self.going:
            raise EngineUnavailable("it is going")
        return "1"


class _Connection:
    def __init__(self, ends: threading.Event) -> None:
        self.ends = ends

    def shutdown(self, how: int) -> None:
        self.ends.set()


class Woken(threading.Event):
    """Tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_for = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_for.set()
        return super().wait(timeout)


@pytest.fixture
def engine() -> Engine:
    return Engine()


Wait = Callable[[str, Woken], "Future[None]"]


@pytest.fixture
def wait(engine: Engine) -> Wait:
    pulls = Pulls(engine, engine.pull)  # type: ignore[arg-type]
    pool = ThreadPoolExecutor()

    def wait(image: str, woken: Woken) -> Future[None]:
        future = pool.submit(pulls.fetch, image, woken)
        assert woken.waited_for.wait(10)
        return future

    return wait


def test_who_waits_for_the_same_image_shares_a_pull(engine: Engine, wait: Wait) -> None:
    jobs = [wait("a", Woken()) for _ in range(3)]
    other = wait("b", Woken())
    assert engine.begun.acquire(timeout=10) and engine.begun.acquire(timeout=10)
    engine.ends.set()
    assert [job.result(10) for job in (*jobs, other)] == [None] * 4
    assert sorted(engine.pulls) == ["a", "b"]


def test_who_goes_away_does_not_end_it_for_the_others(engine: Engine, wait: Wait) -> None:
    goes, stays = Woken(), Woken()
    first, second = wait("a", goes), wait("a", stays)
    assert engine.begun.acquire(timeout=10)
    goes.set()
    with pytest.raises(EngineUnavailable):
        first.result(10)
    assert not second.done()
    engine.ends.set()
    assert second.result(10) is None


def test_the_last_who_goes_away_ends_it(engine: Engine, wait: Wait) -> None:
    goes = Woken()
    job = wait("a", goes)
    assert engine.begun.acquire(timeout=10)
    goes.set()
    with pytest.raises(EngineUnavailable):
        job.result(10)
    assert engine.ends.wait(10), "the engine was hung up on"


def test_a_refusal_is_told_to_all_of_them(engine: Engine, wait: Wait) -> None:
    engine.refuses = "no such image"
    jobs = [wait("a", Woken()) for _ in range(2)]
    assert engine.begun.acquire(timeout=10)
    engine.ends.set()
    for job in jobs:
        with pytest.raises(EngineRefused, match="no such image"):
            job.result(10)


def test_the_refusal_of_an_engine_that_is_going_is_none(engine: Engine, wait: Wait) -> None:
    engine.refuses, engine.going = "context canceled", True
    job = wait("a", Woken())
    assert engine.begun.acquire(timeout=10)
    engine.ends.set()
    with pytest.raises(EngineUnavailable):
        job.result(10)


def test_what_is_fetched_alone_is_shared_with_nobody_and_ends_with_who_wants_it(engine: Engine) -> None:
    pulls = Pulls(engine, engine.pull)  # type: ignore[arg-type]
    begun, waits = threading.Barrier(3, timeout=10), [Woken(), Woken()]
    given_up = [threading.Event(), threading.Event()]

    def act(number: int) -> Callable[[HangUp], None]:
        def fetch(hang_up: HangUp) -> None:
            hang_up.watch(_Connection(given_up[number]))  # type: ignore[arg-type]
            begun.wait()
            given_up[number].wait(10)

        return fetch

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(pulls.fetch_alone, f"s{number}", act(number), waits[number]) for number in range(2)]
        begun.wait()
        waits[0].set()
        assert given_up[0].wait(10)
        assert not given_up[1].is_set() and not jobs[1].done()
        given_up[1].set()
        assert jobs[1].result(10) is None
