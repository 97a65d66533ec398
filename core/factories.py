"""Factories: how many instances a job of a workflow has, and which values its parameters have in each. Pure.

Numbers are exact decimals, as they are written: in steps of 0.1 from 0 to 1 there are eleven, and the last is 1. How
many instances there are is known without making any.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)

from prominence.core.substitution import NAME
from prominence.core.validation import WHOLE, Spelling, Strict, of_kind, said_kind

MOST_PARAMETERS = 50
MOST_JOBS_NAMED = 1000
MOST_INSTANCES = 10**6
"""Of one factory, whatever a site allows."""
LONGEST_VALUE = 1000
"""Characters."""

_PLACES = 15
"""Digits that a number may have before its point, and behind it."""

# Whatever is asked of two such numbers comes out exactly.
_EXACT = Context(prec=4 * _PLACES)
_SMALLEST = Decimal(1).scaleb(-_PLACES)


def _rounded(number: Decimal) -> Decimal:
    """To as many digits behind the point as there may be, however many stand before it."""
    return number.quantize(_SMALLEST, context=_EXACT)


def _number(value: Any) -> Any:
    """A number of JSON as it is written: of 0.1 the tenth, not the binary number next to it."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")
    if not (isinstance(value, int) or math.isfinite(value)) or abs(value) >= 10**_PLACES:
        raise ValueError(f"must be a number of at most {_PLACES} digits before its point")
    found = value if isinstance(value, Decimal) else Decimal(repr(value))
    if found != _rounded(found):
        raise ValueError(f"must have at most {_PLACES} digits behind its point")
    return found


def _scalar(value: Any) -> Any:
    """As text; what is no text is written as JSON has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    if isinstance(value, bool | int | float):
        return json.dumps(value) if isinstance(value, bool) else written(Decimal(repr(value)))
    raise ValueError("must be a text, a number, true or false")


def _fits(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a NUL character cannot be passed to a program")
    if len(text) > LONGEST_VALUE:
        raise ValueError(f"must have at most {LONGEST_VALUE} characters")
    return text


def _at_most(most: int, what: str) -> BeforeValidator:
    """Looked at before what is in it."""

    def check(value: Any) -> Any:
        if isinstance(value, list | tuple) and len(value) > most:
            raise ValueError(f"must be at most {most} {what}, not {len(value)}")
        return value

    return BeforeValidator(check)


def _some(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("at least one is needed")
    return values


def _each_once(parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    names = [parameter.name for parameter in parameters]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"{name} is there twice")
    return parameters


_LISTED = Field(json_schema_extra={"minItems": 1})
_SEVERAL = (
    _at_most(MOST_PARAMETERS, "parameters"),
    AfterValidator(_some),
    AfterValidator(_each_once),
    _LISTED,
)
Names = Annotated[tuple[str, ...], _at_most(MOST_JOBS_NAMED, "jobs"), AfterValidator(_some), _LISTED]
ParameterName = Annotated[
    str,
    StringConstraints(max_length=64),
    Spelling(NAME, "must be letters (a to z), digits and _ only, and not begin with a digit"),
]
Number = Annotated[
    Decimal,
    BeforeValidator(_number),
    PlainSerializer(lambda number: int(number) if number == number.to_integral_value() else float(number)),
    WithJsonSchema({"type": "number"}),
]
Value = Annotated[
    str,
    BeforeValidator(lambda value: _fits(_scalar(value))),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}),
]
Count = Annotated[int, Field(ge=1, le=MOST_INSTANCES), WHOLE]
_JOBS = Field(strict=False, description="The names of the jobs that have an instance for each.")


def written(number: Decimal) -> str:
    """A number as a program is given it: without an exponent, and whole numbers without a point."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


class SweptParameter(Strict):
    """Numbers from one to another: with `step` between them, or `number` of them at equal distances."""

    name: ParameterName = Field(description="Its name: in texts of the jobs $NAME stands for its value.")
    start: Number = Field(description="The first value.")
    end: Number = Field(description="No value is beyond it; with `number` it is the last.")
    step: Number | None = Field(default=None, description="From each value to the next.")
    number: Count | None = Field(default=None, description="How many values there are.")

    @model_validator(mode="after")
    def _ends(self) -> SweptParameter:
        if (self.step is None) == (self.number is None):
            raise ValueError("needs either step or number")
        if self.step is not None:
            if self.step == 0:
                raise ValueError("step must not be 0")
            if (self.end - self.start) * self.step < 0:
                raise ValueError("with this step the end is never reached from the start")
            if self.count > MOST_INSTANCES:
                raise ValueError(f"has {self.count} values, and no factory makes more than {MOST_INSTANCES} instances")
        return self

    @property
    def count(self) -> int:
        """How many values it has."""
        if self.step is None:
            return self.number or 1
        return int(_EXACT.divide_int(_EXACT.subtract(self.end, self.start), self.step)) + 1

    def value(self, index: int) -> str:
        """The value at this place, counted from 0."""
        if self.step is not None:
            return written(_EXACT.add(self.start, _EXACT.multiply(self.step, Decimal(index))))
        if self.count == 1:
            return written(self.start)
        start, end = Fraction(self.start), Fraction(self.end)
        found = start + (end - start) * index / (self.count - 1)
        return written(_rounded(_EXACT.divide(Decimal(found.numerator), Decimal(found.denominator))))


class ListedParameter(Strict):
    """Values as they are written."""

    name: ParameterName = Field(description="Its name: in texts of the jobs $NAME stands for its value.")
    values: Annotated[tuple[Value, ...], _at_most(MOST_INSTANCES, "values"), AfterValidator(_some), _LISTED] = Field(
        strict=False, description="One for each instance."
    )


class Sweep(Strict):
    """Every combination of the parameters' values; the first parameter changes slowest."""

    name: str = Field(default="", max_length=512, description="A name for people.")
    type: Literal["parameterSweep"] = Field(description="What it is.")
    jobs: Names = _JOBS
    parameters: Annotated[tuple[SweptParameter, ...], *_SEVERAL] = Field(
        strict=False, description="Each with numbers of its own."
    )

    @property
    def count(self) -> int:
        """How many instances there are."""
        return math.prod(parameter.count for parameter in self.parameters)

    def values(self, index: int) -> dict[str, str]:
        """Of the parameters, in the instance of this number, counted from 0."""
        found = {}
        for parameter in reversed(self.parameters):
            index, place = divmod(index, parameter.count)
            found[parameter.name] = parameter.value(place)
        return {parameter.name: found[parameter.name] for parameter in self.parameters}


class Zip(Strict):
    """The first values of all parameters, then the second ones, and so on."""

    name: str = Field(default="", max_length=512, description="A name for people.")
    type: Literal["zip"] = Field(description="What it is.")
    jobs: Names = _JOBS
    parameters: Annotated[tuple[ListedParameter, ...], *_SEVERAL] = Field(
        strict=False, description="All with the same number of values."
    )

    @model_validator(mode="after")
    def _all_have_as_many(self) -> Zip:
        counts = {parameter.name: len(parameter.values) for parameter in self.parameters}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise ValueError(f"all parameters need the same number of values: {told}")
        return self

    @property
    def count(self) -> int:
        """How many instances there are."""
        return len(self.parameters[0].values)

    def values(self, index: int) -> dict[str, str]:
        """Of the parameters, in the instance of this number, counted from 0."""
        return {parameter.name: parameter.values[index] for parameter in self.parameters}


class Repeat(Strict):
    """The same so many times."""

    name: str = Field(default="", max_length=512, description="A name for people.")
    type: Literal["repeat"] = Field(description="What it is.")
    jobs: Names = _JOBS
    number: Count = Field(description="How many instances there are.")

    @property
    def count(self) -> int:
        """How many instances there are."""
        return self.number

    def values(self, index: int) -> Mapping[str, str]:
        """There are no parameters."""
        return {}


Factory = Annotated[
    Annotated[Sweep, Tag(of_kind("parameterSweep"))]
    | Annotated[Zip, Tag(of_kind("zip"))]
    | Annotated[Repeat, Tag(of_kind("repeat"))],
    Discriminator(
        said_kind,
        custom_error_type="factory",
        custom_error_message="must be an object with the type parameterSweep, zip or repeat",
    ),
]
