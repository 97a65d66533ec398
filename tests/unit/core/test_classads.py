"""Our texts inside ClassAd expressions."""

from __future__ import annotations

import classad2
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
