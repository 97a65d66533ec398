"""When storage counts as mounted, how long is waited for what was written to it, and why it failed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from builders_executor import Clock

from prominence.core.reasons import Reason, explain
from prominence.core.report import Outcome
from prominence.executor.failures import STOPPED, Failure
from prominence.executor.ports import Attached, Interrupted, Stop
from prominence.executor.storage import Storage
from prominence.executor.transfer import Refused, TransferFailed

ATTACHED = Attached(42, "/sandbox/storage/seen", "/data", "/sandbox/storage")


class PretendedDriver:
    """left: what is not written yet, at each look. refusals: of each try. troubles: at each look."""

    def __init__(
        self,
        left: Sequence[Sequence[str]] = ((),),
        refusals: Sequence[Exception] = (),
        troubles: Sequence[TransferFailed | None] = (),
        dies: bool = False,
        flows: bool = False,
    ) -> None:
        self._left, self._refusals, self._troubles = list(left), list(refusals), list(troubles)
        self._dies, self._flows = dies, flows
        self._bytes = 0
        self.done: list[str] = []

    def mount(self, stop: Stop) -> Attached:
        self.done.append("mount")
        return ATTACHED

    def try_it(self, stop: Stop) -> None:
        self.done.append("try")
        if self._refusals:
            raise self._refusals.pop(0)

    def works(self) -> bool:
        return not self._dies

    def unwritten(self) -> Sequence[str]:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]

    def trouble(self, files: Sequence[str]) -> TransferFailed | None:
        return self._troubles.pop(0) if self._troubles else None

    def moved(self) -> int:
        self._bytes += self._flows
        return self._bytes

    def unmount(self, patience_s: float) -> None:
        self.done.append("unmount")


def detail(failure: Failure | None, reason: Reason) -> str:
    assert failure is not None
    assert (failure.outcome, failure.reason) == (Outcome.SYSTEM_FAILED, reason)
    assert failure.details["detail"] in explain(reason, **failure.details)
    return failure.details["detail"]


def storage(driver: PretendedDriver, clock: Clock | None = None, patience_s: float = 60) -> Storage:
    clock = clock or Clock()
    return Storage(driver, patience_s, clock, clock.advance)


def test_it_is_tried_before_a_task_sees_it() -> None:
    driver = PretendedDriver()
    one = storage(driver)
    assert one.mount(Stop()) is None
    assert (driver.done, one.attached) == (["mount", "try"], ATTACHED)
    assert one.end(Stop()) is None
    assert (driver.done[2:], one.attached) == (["unmount"], None)
    assert one.end(Stop()) is None, "once more is fine"


def test_who_is_not_let_in_is_told_so_at_once() -> None:
    driver = PretendedDriver(refusals=[Refused("the server refuses it")])
    assert detail(storage(driver).mount(Stop()), Reason.STORAGE_MOUNT_FAILED) == "the server refuses it"
    assert driver.done == ["mount", "try"]


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    driver, clock = PretendedDriver(refusals=[TransferFailed("it is away")] * 4), Clock()
    assert storage(driver, clock).mount(Stop()) is None
    assert driver.done == ["mount", *["try"] * 5]
    assert clock() > 1010
    away = PretendedDriver(refusals=[TransferFailed("it is away")] * 40)
    assert detail(storage(away).mount(Stop()), Reason.STORAGE_UNAVAILABLE) == "it is away"


def test_who_is_told_to_stop_does_not_wait_for_it() -> None:
    assert storage(PretendedDriver(refusals=[Interrupted()])).mount(Stop()) == STOPPED


def test_what_is_not_written_yet_is_waited_for() -> None:
    driver, clock = PretendedDriver(left=[("a", "b"), ("a",), ()]), Clock()
    one = storage(driver, clock)
    one.mount(Stop())
    assert one.end(Stop()) is None
    assert 1000 < clock() < 1002


def test_as_long_as_bytes_flow_there_is_no_end_to_that() -> None:
    clock = Clock()
    one = storage(PretendedDriver(left=[("a",)] * 2000 + [()], flows=True), clock)
    one.mount(Stop())
    assert one.end(Stop()) is None
    assert clock() > 1400, "far more than its patience"


@pytest.mark.parametrize(
    ("driver", "why"),
    [
        (PretendedDriver(left=[("a",)]), "a: nothing of it was taken for a long time"),
        (PretendedDriver(left=[("a", "b")], troubles=[Refused("no room")]), "a and 1 more: no room"),
        (PretendedDriver(left=[("a",)], troubles=[TransferFailed("it is away")] * 999, flows=True), "a: it is away"),
        (PretendedDriver(left=[("a",)], dies=True), "a: what had it mounted has ended before its time"),
        (PretendedDriver(dies=True), "what had it mounted has ended before its time"),
    ],
)
def test_what_is_not_written_in_the_end_fails_the_job(driver: PretendedDriver, why: str) -> None:
    one = storage(driver)
    one.mount(Stop())
    assert detail(one.end(Stop()), Reason.STORAGE_NOT_WRITTEN) == why
    assert driver.done[-1] == "unmount"


def test_who_has_to_leave_does_not_wait() -> None:
    driver, stop = PretendedDriver(left=[("a",)]), Stop()
    one = storage(driver)
    one.mount(stop)
    stop.request()
    assert detail(one.end(stop), Reason.STORAGE_NOT_WRITTEN) == "a: the job had no time left for that"
    assert driver.done[-1] == "unmount"
