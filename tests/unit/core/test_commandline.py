"""A command's words: those that a shell would make, whatever is written."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import commandline

anything = st.text(st.sampled_from(" \t\r\n'\"\\$`#ab\x00\x0b\xa0é") | st.characters())


def as_the_library(command: str) -> tuple[str, ...] | None:
    """None where it cannot be split."""
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return None


@given(anything)
def test_the_words_are_those_of_the_standard_library(command: str) -> None:
    expected = as_the_library(command)
    if expected is None:
        with pytest.raises(ValueError, match="no closing quotation|no escaped character"):
            commandline.split(command)
    else:
        assert commandline.split(command) == expected


@given(st.lists(st.text(st.characters())))
def test_words_that_were_quoted_come_back(words: list[str]) -> None:
    assert list(commandline.split(shlex.join(words))) == words


@pytest.mark.parametrize(
    "command", ["x" * 1_000_000, "x " * 500_000, "''" * 500_000, "\\x" * 500_000, '"' + "\\$" * 400_000 + '"']
)
def test_a_megabyte_is_nothing_to_wait_for(command: str) -> None:
    """With the standard library's, some of these take minutes."""
    assert "".join(commandline.split(command)).count("x") == command.count("x")
