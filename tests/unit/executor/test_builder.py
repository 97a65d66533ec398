"""What a worker that makes images for its jobs cannot do, and whom it tells that it is the image's fault."""

from __future__ import annotations

import pytest

from prominence.executor.broker.builder import Builder, failure
from prominence.executor.broker.enginesocket import HangUp
from prominence.executor.broker.pulls import NotKept, PullFailed


def test_nobody_waits_for_an_account_that_makes_another_image() -> None:
    with pytest.raises(NotKept, match="as many images"):
        Builder("/builds", range(0), 1).build("example.org/x", "key", HangUp())


@pytest.mark.parametrize("said", ["write /x: no space left on device", "Disk quota exceeded"])
def test_a_full_disk_is_the_workers_and_not_the_images(said: str) -> None:
    assert isinstance(failure(said), NotKept)


@pytest.mark.parametrize("said", ["manifest unknown", ""])
def test_all_else_that_it_says_is_of_the_image(said: str) -> None:
    assert type(failure(said)) is PullFailed
