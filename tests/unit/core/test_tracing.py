"""Ids of requests."""

from __future__ import annotations

import threading

from hypothesis import example, given
from hypothesis import strategies as st

from prominence.core import tracing


@given(st.one_of(st.none(), st.text()))
@example("a\r\nX-Other: b")
@example('a"b')
@example("a\n")
@example("x" * 65)
def test_whatever_a_caller_says_an_id_can_be_written_anywhere(said: str | None) -> None:
    found = tracing.accepted(said)
    assert 1 <= len(found) <= 64
    assert all(one.isascii() and (one.isalnum() or one in "._:-") for one in found)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True))
def test_a_callers_id_is_kept(said: str) -> None:
    assert tracing.accepted(said) == said


def test_who_brings_none_gets_one_of_their_own() -> None:
    assert len({tracing.accepted(None) for _ in range(100)}) == 100


def test_an_id_is_that_of_one_thread_and_for_as_long_as_it_lasts() -> None:
    seen = []
    with tracing.during("one"):
        with tracing.during("two"):
            seen.append(tracing.current())
        thread = threading.Thread(target=lambda: seen.append(tracing.current()))
        thread.start()
        thread.join()
        seen.append(tracing.current())
    assert [*seen, tracing.current()] == ["two", "", "one", ""]
