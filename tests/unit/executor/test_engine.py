from __future__ import annotations

import pytest

from prominence.executor.broker.engine import Engine, EngineUnavailable, plain, split_reference


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("busybox", ("busybox", "latest")),
        ("busybox:1", ("busybox", "1")),
        ("localhost:5000/busybox", ("localhost:5000/busybox", "latest")),
        ("localhost:5000/a/b:1", ("localhost:5000/a/b", "1")),
        ("busybox@sha256:ab", ("busybox", "sha256:ab")),
    ],
)
def test_a_reference_is_split_so_that_one_tag_is_fetched(image: str, parts: tuple[str, str]) -> None:
    assert split_reference(image) == parts


def test_the_scheme_of_apptainers_users_is_left_out() -> None:
    assert plain("docker://busybox:1") == plain("busybox:1") == "busybox:1"


def test_a_worker_without_an_engine_says_so() -> None:
    with pytest.raises(EngineUnavailable, match="no Docker engine for jobs"):
        Engine("").version()
