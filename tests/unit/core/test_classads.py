"""Our texts inside ClassAd expressions."""

from __future__ import annotations

import re

import classad2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.classads import any_of, one_of, quote
from prominence.core.errors import Rejected


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_htcondor_reads_a_quoted_text_as_it_was(text: str) -> None:
    assert classad2.ExprTree(quote(text)).eval() == text


@pytest.mark.parametrize("hostile", ['" || true || "', '\\" || true', "a\nOwner = b", "$(SECRET)"])
def test_a_hostile_text_stays_a_text(hostile: str) -> None:
    is_called_so = classad2.ExprTree(f"Name == {quote(hostile)}")
    assert is_called_so.eval(classad2.ClassAd({"Name": hostile})) is True
    assert is_called_so.eval(classad2.ClassAd({"Name": "other"})) is False


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_classad_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="NUL"):
        quote(text)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 1000])
def test_one_of_any_number_of_terms_is_enough(count: int) -> None:
    expression = classad2.ExprTree(any_of(f"A == {number}" for number in range(count)))
    for value in (0, count // 2, count - 1, count):
        assert expression.eval(classad2.ClassAd({"A": value})) is (0 <= value < count)


@given(st.sets(st.integers(-(2**31), 2**31), max_size=50), st.integers(-(2**31), 2**31))
def test_one_of_any_numbers_is_meant(numbers: set[int], other: int) -> None:
    expression = classad2.ExprTree(one_of("A", numbers))
    for value in (*numbers, other):
        assert expression.eval(classad2.ClassAd({"A": value})) is (value in numbers)


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_users_are_different_owners_that_can_end_the_name_of_a_machine(one: str, other: str) -> None:
    assert (classads.owner(one) == classads.owner(other)) == (one == other)
    assert re.fullmatch(classads.OWNER_PATTERN, classads.owner(one))


def test_an_owner_is_known_by_the_users_name_and_upper_and_lower_case_are_told_apart() -> None:
    assert re.fullmatch("ann-smith-uni-org-[0-9a-f]{32}", classads.owner("Ann.Smith@uni.org"))
    assert classads.owner("alice") != classads.owner("Alice")
