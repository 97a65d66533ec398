"""How many instances a factory makes, and with which values: exact, and known before any is made."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from prominence.core.errors import Rejected
from prominence.core.factories import Factory, Sweep
from prominence.core.validation import Strict, parse


class Holder(Strict):
    factory: Factory


def factory(**fields: Any) -> Any:
    return parse(Holder, {"factory": {"jobs": ["a"], **fields}}).factory


def swept(**fields: Any) -> list[str]:
    found = factory(type="parameterSweep", parameters=[{"name": "x", **fields}])
    return [found.values(index)["x"] for index in range(found.count)]


def refused(**fields: Any) -> str:
    with pytest.raises(Rejected) as refusal:
        factory(**fields)
    return str(refusal.value)


def test_steps_are_exact_decimals_and_reach_the_end() -> None:
    assert swept(start=0, end=1, step=0.1) == ["0", *(f"0.{digit}" for digit in range(1, 10)), "1"]
    assert swept(start=0.1, end=0.3, step=0.1) == ["0.1", "0.2", "0.3"]
    assert swept(start=3, end=1, step=-1) == ["3", "2", "1"]
    assert swept(start=1, end=2.5, step=1) == ["1", "2"]
    assert swept(start=-1e-7, end=1e-7, step=1e-7) == ["-0.0000001", "0", "0.0000001"]


def test_a_number_of_values_lies_at_equal_distances_from_start_to_end() -> None:
    assert swept(start=0, end=1, number=5) == ["0", "0.25", "0.5", "0.75", "1"]
    assert swept(start=0, end=1, number=4) == ["0", "0.333333333333333", "0.666666666666667", "1"]
    assert swept(start=7, end=9, number=1) == ["7"]


def test_numbers_may_have_all_the_digits_that_are_allowed_on_both_sides_of_the_point() -> None:
    assert swept(start=0, end=999_999_999_999_999, number=4)[1:3] == ["333333333333333", "666666666666666"]
    assert swept(start=0, end=99_999_999_999_999.5, number=3)[1] == "49999999999999.75"
    assert swept(start=-17179869184.00001, end=0, number=4)[1] == "-11453246122.666673333333333"
    assert swept(start=123456789012345.6, end=123456789012345.6, step=1e-15) == ["123456789012345.6"]


@given(st.floats(), st.floats(), st.floats() | st.integers(), st.booleans())
def test_any_numbers_are_taken_or_refused(start: float, end: float, between: float, is_step: bool) -> None:
    try:
        found = factory(
            type="parameterSweep",
            parameters=[{"name": "x", "start": start, "end": end, "step" if is_step else "number": between}],
        )
    except Rejected:
        return
    assert all(Decimal(found.values(index)["x"]).is_finite() for index in {0, found.count - 1})


def test_of_several_parameters_all_combinations_are_made_and_the_first_changes_slowest() -> None:
    parameters = [{"name": name, "start": 0, "end": most, "step": 1} for name, most in (("a", 1), ("b", 2), ("c", 1))]
    found = factory(type="parameterSweep", parameters=parameters)
    assert [tuple(found.values(index).values()) for index in range(found.count)] == [
        tuple(map(str, values)) for values in itertools.product(range(2), range(3), range(2))
    ]


def test_a_zip_takes_values_of_any_kind_as_texts() -> None:
    values = ["text", 1, 2.50, 1e21, True, ""]
    found = factory(type="zip", parameters=[{"name": "x", "values": values}, {"name": "y", "values": list(range(6))}])
    told = [found.values(index) for index in range(found.count)]
    assert [one["x"] for one in told] == ["text", "1", "2.5", "1" + "0" * 21, "true", ""]
    assert [one["y"] for one in told] == list("012345")


def test_a_repetition_has_no_parameters() -> None:
    found = factory(type="repeat", number=3)
    assert (found.count, found.values(2)) == (3, {})


def test_mistakes_are_told_with_their_places_and_in_sentences() -> None:
    assert "factory: must be an object with the type parameterSweep, zip or repeat" in refused(type="parametricSweep")
    x = {"name": "x", "start": 0, "end": 1}
    for wrong, sentence in (
        ({}, "needs either step or number"),
        ({"step": 1, "number": 2}, "needs either step or number"),
        ({"step": 0}, "step must not be 0"),
        ({"step": -1}, "the end is never reached"),
        ({"step": 1e-9}, "no factory makes more than 1000000 instances"),
        ({"step": True}, "step: must be a number"),
        ({"step": "1"}, "step: must be a number"),
        ({"end": 1e15, "step": 1}, "end: must be a number of at most 15 digits before its point"),
        ({"end": 10**400, "step": 1}, "end: must be a number of at most 15 digits before its point"),
        ({"start": -(10**4000), "step": 1}, "start: must be a number of at most 15 digits before its point"),
        ({"step": 1e-16}, "step: must have at most 15 digits behind its point"),
        ({"name": "a b", "step": 1}, "name: must be letters"),
    ):
        told = refused(type="parameterSweep", parameters=[{**x, **wrong}])
        assert told.startswith("factory.parameters[0]"), told
        assert sentence in told
    both = refused(type="zip", parameters=[{"name": "x", "values": [1]}, {"name": "y", "values": [1, 2]}])
    assert both == "factory: all parameters need the same number of values: x has 1, y has 2"
    twice = refused(type="zip", parameters=[{"name": "x", "values": [1]}, {"name": "x", "values": [2]}])
    assert twice == "factory.parameters: x is there twice"
    assert refused(type="zip", parameters=[{"name": "x", "values": [None, {}]}]).count("must be a text, a number") == 2


def test_a_factory_is_written_as_it_was_read() -> None:
    said = {"type": "parameterSweep", "jobs": ["a"], "parameters": [{"name": "x", "start": 0.1, "end": 3, "step": 0.7}]}
    assert TypeAdapter(Sweep).dump_python(factory(**said), mode="json", exclude_unset=True) == said


_numbers = st.decimals(min_value=-1000, max_value=1000, places=3).map(float)


@given(start=_numbers, end=_numbers, count=st.integers(1, 50))
def test_any_sweep_begins_at_its_start_goes_in_equal_steps_and_never_beyond_its_end(
    start: float, end: float, count: int
) -> None:
    step = (Decimal(repr(end)) - Decimal(repr(start))) / count
    step = step.quantize(Decimal("0.001"))
    if step == 0:
        return
    try:
        values = [Decimal(text) for text in swept(start=start, end=end, step=float(step))]
    except Rejected:  # rounding may have turned the step's sign
        return
    first, last = Decimal(repr(start)), Decimal(repr(end))
    assert values == [first + step * index for index in range(len(values))]
    assert (values[-1] <= last < values[-1] + step) if step > 0 else (values[-1] >= last > values[-1] + step)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), min_size=1))
def test_texts_stay_as_they_are(values: list[str]) -> None:
    found = factory(type="zip", parameters=[{"name": "x", "values": json.loads(json.dumps(values))}])
    assert [found.values(index)["x"] for index in range(found.count)] == values


def test_what_is_empty_is_told_alone_and_what_is_wrong_without_it() -> None:
    assert refused(type="zip", parameters=[]) == "factory.parameters: at least one is needed"
    told = refused(type="zip", parameters=[{"name": "x", "values": []}, {"name": "y", "values": [None]}])
    assert told.count(";") == 1
