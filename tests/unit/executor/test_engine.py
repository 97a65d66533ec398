from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.broker.engine import Engine
from prominence.executor.broker.enginesocket import EngineUnavailable
from prominence.executor.broker.names import qualified, repository, split_reference


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


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("docker://busybox:1", "docker.io/library/busybox:1"),
        ("cafe", "docker.io/library/cafe:latest"),
        ("sha256:" + "a" * 64, "docker.io/library/sha256:" + "a" * 64),
        ("group/tool", "docker.io/group/tool:latest"),
        ("localhost/tool:2", "localhost/tool:2"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("a.example.org/b@sha256:ab", "a.example.org/b@sha256:ab"),
        ("A/b:1", "A/b:1"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("index.docker.io/alpine:3", "docker.io/library/alpine:3"),
        ("index.docker.io/group/tool", "docker.io/group/tool:latest"),
        ("python:3.12@sha256:ab", "docker.io/library/python@sha256:ab"),
        ("localhost:5000/a/b:1@sha256:ab", "localhost:5000/a/b@sha256:ab"),
    ],
)
def test_a_name_is_said_in_full_so_that_it_is_never_taken_for_an_id(image: str, name: str) -> None:
    assert qualified(image) == name


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,80}", fullmatch=True))
def test_nothing_that_a_job_can_say_is_an_id(image: str) -> None:
    assert "/" in qualified(image)


@given(st.from_regex(r"((index\.)?docker\.io/|localhost:5000/)?(a/)?b(:[a1])?(@sha256:[0-9a-f]{4})?", fullmatch=True))
def test_what_is_said_in_full_is_said_in_the_same_way_again(image: str) -> None:
    assert qualified(qualified(image)) == qualified(image)


def test_a_worker_without_an_engine_says_so() -> None:
    with pytest.raises(EngineUnavailable, match="no Docker engine for jobs"):
        Engine("").version()


@pytest.mark.parametrize("image", ["busybox", "busybox:1", "busybox@sha256:ab", "busybox:1@sha256:ab"])
def test_a_repository_has_neither_tag_nor_digest(image: str) -> None:
    assert repository(image) == "busybox"
    assert repository(f"localhost:5000/a/{image}") == "localhost:5000/a/busybox"
