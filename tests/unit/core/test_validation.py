"""Paths and sentences, whatever the model."""

from __future__ import annotations

import traceback
from typing import Annotated, Any

import pytest
from builders import a_worker, an_execute_point
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from prominence.core.errors import Mistake, Rejected
from prominence.core.machines import Worker
from prominence.core.validation import WHOLE, Document, Spelling, Strict, parse, path


class Loose(Document):
    port: int
    word: Annotated[str, Spelling(r"[a-z]+", "must be small letters")] = "a"


class Sealed(Strict):
    token: str = ""
    port: int = 0


def test_documents_ignore_what_they_do_not_know() -> None:
    assert parse(Loose, {"port": 1, "new": "thing"}) == Loose(port=1)


def test_a_document_with_other_values_is_the_same_but_for_them() -> None:
    one = Loose(port=1)

    assert one.but(word="b") == one.model_copy(update={"word": "b"}) == Loose(port=1, word="b")
    assert one.but(word="b").model_dump(exclude_unset=True) == {"port": 1, "word": "b"}
    assert one.word == "a"


def test_a_text_must_match_its_spelling_as_a_whole() -> None:
    assert parse(Loose, {"port": 1, "word": "abc"}).word == "abc"
    for word in ("", "A", "a\n", "a b"):
        with pytest.raises(Rejected, match="word: must be small letters"):
            parse(Loose, {"port": 1, "word": word})


def test_a_spelling_is_part_of_the_schema() -> None:
    assert Loose.model_json_schema()["properties"]["word"]["pattern"] == "^[a-z]+$"


def test_a_refused_value_is_never_repeated() -> None:
    secret = "hunter" * 2
    with pytest.raises(Rejected) as caught:
        parse(Sealed, {"token": [secret], "port": secret})
    assert secret not in "".join(traceback.format_exception(caught.value))


def test_the_worker_name_in_a_document_is_checked() -> None:
    parse(Worker, a_worker().model_dump(mode="json"))
    with pytest.raises(Rejected, match="name: must match"):
        parse(Worker, {**a_worker().model_dump(mode="json"), "name": "../etc"})


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(Rejected, match="last_heard_at: must have a time zone"):
        parse(type(an_execute_point()), {**an_execute_point().model_dump(), "last_heard_at": "2026-06-01T12:00:00"})


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ((), ""),
        (("tasks", 0, "image"), "tasks[0].image"),
        (("labels", "a b", "[key]"), "labels.a b"),
        (("env", "a\n\x1b[2J"), r"env.a\n\x1b[2J"),
        ((2, "a"), "[2].a"),
    ],
)
def test_a_path_is_written_as_people_do(location: tuple[Any, ...], text: str) -> None:
    assert path(location) == text


@given(st.lists(st.integers(0) | st.text(st.characters(codec=None)), max_size=4))
def test_a_path_can_always_be_printed(location: list[Any]) -> None:
    assert path(tuple(location)).isprintable()


def test_rejected_says_all_its_mistakes() -> None:
    rejected = Rejected([Mistake("a", "is wrong"), Mistake("", "too")])
    assert str(rejected) == "a: is wrong; too"
    assert Rejected.because("no", "b").mistakes == (Mistake("b", "no"),)


class Counted(Strict):
    """Something with a whole number in it."""

    many: Annotated[int, Field(ge=1, le=10), WHOLE]


@pytest.mark.parametrize(("written", "meant"), [(4, 4), (4.0, 4)])
def test_a_whole_number_may_be_written_with_a_point(written: Any, meant: int) -> None:
    many = parse(Counted, {"many": written}).many
    assert (many, type(many)) == (meant, int)


@pytest.mark.parametrize("written", [4.5, True, "4", float("inf"), float("nan"), 1e300, None])
def test_what_is_no_whole_number_is_refused(written: Any) -> None:
    with pytest.raises(Rejected, match="^many: must be"):
        parse(Counted, {"many": written})


def test_the_limits_of_a_whole_number_are_in_the_schema() -> None:
    assert Counted.model_json_schema()["properties"]["many"].items() >= {"minimum": 1, "maximum": 10}.items()
