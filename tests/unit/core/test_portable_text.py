"""Texts of users in a form that every parser of HTCondor reads alike."""

from __future__ import annotations

import classad2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.errors import Rejected

anything = st.text(st.characters())  # halves of characters among them
characters = st.text()


@given(characters)
def test_a_portable_text_can_be_turned_back(text: str) -> None:
    assert classads.original(classads.portable(text)) == text


@given(anything)
def test_what_is_turned_back_can_be_written_down(text: str) -> None:
    """A worker may make up a text of halves of characters: who reads it must be able to store and to print it."""
    back = classads.original(classads.portable(text))
    assert back.encode().decode() == back


@given(anything)
def test_a_portable_text_has_nothing_that_a_parser_could_take_for_its_own(text: str) -> None:
    portable = classads.portable(text)
    assert portable.isascii()
    assert not portable or portable.isprintable()
    assert not set('"\\$') & set(portable)


@given(anything)
def test_a_literal_reads_the_same_in_both_syntaxes_of_classads(text: str) -> None:
    """The older one knows no escapes: so there must be none."""
    literal = classads.text_literal(text)
    assert literal == f'"{classads.portable(text)}"'
    assert classad2.ExprTree(literal).eval() == classads.portable(text)


def test_what_people_usually_write_stays_readable() -> None:
    assert classads.portable("fit 1/a_b-c.d (x=y) user@example.org") == "fit 1/a_b-c.d (x=y) user@example.org"


@given(anything, anything)
def test_no_two_users_share_one_account(one: str, other: str) -> None:
    assert (classads.accounting_name(one) == classads.accounting_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("alice", "alice"),
        ("j.doe", "j%2Edoe"),
        ("a@b", "a%40b"),
        ("/vo/x", "%2Fvo%2Fx"),
        ("a b", "a%20b"),
        ("é", "%C3%A9"),
    ],
)
def test_an_account_has_no_character_that_divides_accounts(name: str, account: str) -> None:
    assert classads.accounting_name(name) == account


@pytest.mark.parametrize("key", ["", "a b", "a.b", "a=b", "ä", "a\n"])
def test_what_cannot_be_a_label_is_refused(key: str) -> None:
    with pytest.raises(Rejected):
        classads.label(key)


def test_a_label_is_an_attribute() -> None:
    assert classads.label("app") == "ProminenceUserMetadata_app"
