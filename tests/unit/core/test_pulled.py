"""The names of pulled images tell whose they are, for which name and since when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import pulled

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True)


@given(NAMES, st.text(min_size=1), st.integers(0, 10**10))
def test_a_mark_tells_its_pool_its_image_and_its_time(pool: str, image: str, at: int) -> None:
    mark = pulled.mark(image, pool, at)
    assert (pulled.pool_of(mark), pulled.used_at(mark)) == (pool, at)
    assert pulled.hash_of(mark) == pulled.hash_of_name(image)
    assert len(mark.rpartition(":")[2]) <= 128, "as long as a tag may be"


@pytest.mark.parametrize("name", ["python:3.12", "localhost/tool:a.1", "localhost/prominence-pulled:a.1", ""])
def test_any_other_name_is_no_mark(name: str) -> None:
    assert pulled.pool_of(name) == ""


def test_a_time_that_is_none_is_long_ago() -> None:
    assert pulled.used_at("localhost/prominence-pulled/x:pool.soon") == 0
