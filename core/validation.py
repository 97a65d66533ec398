"""Parse once, at the door: outside data into one of our models, or every mistake at once, in plain sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from prominence.core.errors import Mistake, Rejected

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)

IS_ADDED = "x-added"
UNIT = "x-unit"
SPELLING = "x-spelling"
"""What schemas of ours say besides what JSON Schema has words for."""


class Strict(BaseModel):
    """What people write: unknown keys and silent conversions are refused.

    ADDED: its fields that the service did not have whose API this is; schemas say so in words of their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)
    ADDED: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(schema)
        fields = handler.resolve_ref_schema(found).get("properties", {})
        for name in cls.ADDED:
            fields[cls.model_fields[name].alias or name][IS_ADDED] = True
        return found


class Document(BaseModel):
    """What our processes pass to each other: unknown keys are ignored, so that versions may differ."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    def but(self, **values: Any) -> Self:
        """The same with other values, which are not checked: twice as quick as `model_copy`, for thousands of them."""
        new, told = self.__class__.__new__(self.__class__), self.__pydantic_fields_set__
        object.__setattr__(new, "__dict__", self.__dict__ | values)
        object.__setattr__(new, "__pydantic_fields_set__", told if told.issuperset(values) else told.union(values))
        object.__setattr__(new, "__pydantic_extra__", None)
        object.__setattr__(new, "__pydantic_private__", None)
        return new


def _without_point(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_without_point)
"""Annotates a whole number in a document that is strict otherwise: JSON has one kind of numbers, and 4.0 is 4.

It comes last, behind the number's limits.
"""


MOST_MISTAKES = 100
"""That are told at once: nobody reads more, and a hostile document holds hundreds of thousands."""


def parse(model: type[Model], data: Any) -> Model:
    """`data` (what json.loads gives) as `model`. Raises Rejected with every mistake and its path."""
    mistakes = [Mistake(path(where), _NOT_UNICODE) for where in _undecodable(data)]
    known = {known.path for known in mistakes}
    try:
        parsed = model.model_validate(data)
    except ValidationError as error:
        # For a key that it cannot decode, pydantic blames the whole.
        details = [
            one for one in error.errors(include_url=False, include_input=False) if one["type"] != "string_unicode"
        ]
        found = [mistake(one) for one in details[:MOST_MISTAKES]]
        more = len(details) - len(found)
        raise _rejected(mistakes + [new for new in found if new.path not in known], more) from error
    if mistakes:
        raise _rejected(mistakes)
    return parsed


def _rejected(mistakes: list[Mistake], more: int = 0) -> Rejected:
    more += len(mistakes[MOST_MISTAKES:])
    return Rejected(mistakes[:MOST_MISTAKES] + ([Mistake("", f"and {more} more mistakes")] if more else []))


def mistake(details: ErrorDetails) -> Mistake:
    """Pydantic's error in our words, without the rejected value: that may be a secret."""
    sentence = _SENTENCES.get(details["type"])
    if sentence is None:
        message = details["msg"].removeprefix("Value error, ")
    else:
        message = sentence.format(**{name: _whole(value) for name, value in details.get("ctx", {}).items()})
    return Mistake(path(details["loc"]), message)


def path(location: tuple[int | str, ...]) -> str:
    """A place in nested data as people write it: "tasks[0].env.HOME"."""
    text = ""
    for part in written(location):
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            readable = part if part.isprintable() else ascii(part)[1:-1]
            text += f".{readable}" if text else readable
    return text


def written(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Without pydantic's own marks: of a wrong key (our sentences say so), of one of several kinds of object."""
    return tuple(part for part in location if isinstance(part, int) or not (part == "[key]" or part.startswith(_KIND)))


def of_kind(word: str) -> str:
    """The tag of one of several kinds of object: pydantic puts it into paths, and nobody has written it there."""
    return f"{_KIND}{word}]"


def said_kind(document: Any) -> str | None:
    """The tag of the kind that a document, read or not read yet, says in its `type`; None: it says none."""
    said = document.get("type") if isinstance(document, dict) else getattr(document, "type", None)
    return of_kind(said) if isinstance(said, str) else None


@dataclass(frozen=True)
class Unit:
    """Annotates a number: what it counts, for readers of the schema."""

    name: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), UNIT: self.name}


@dataclass(frozen=True)
class Spelling:
    """Annotates a text that must match `pattern` as a whole; `sentence` is for those that do not."""

    pattern: str
    sentence: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^{self.pattern}$", SPELLING: self.sentence}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(self.sentence)
        return text


def _whole(value: Any) -> Any:
    """A limit of 0.0 is said as 0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _undecodable(data: Any) -> Iterator[tuple[int | str, ...]]:
    """Where texts hold half a surrogate pair: JSON can write it as an escape, no program can be given it."""
    left: list[tuple[tuple[int | str, ...], Any]] = [((), data)]
    while left:
        where, value = left.pop()
        if isinstance(value, str) and SURROGATE.search(value):
            yield where
        elif isinstance(value, dict):
            # A key is a text in the place of its value.
            left += [((*where, key), text) for key, inner in value.items() for text in (inner, key)]
        elif isinstance(value, list | tuple):
            left += [((*where, index), inner) for index, inner in enumerate(value)]


_KIND = "[kind:"
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which UTF-8 cannot write."""
_NOT_UNICODE = "holds half of a surrogate pair, which is not a character"

_SENTENCES = {
    "extra_forbidden": "unknown field",
    "missing": "this field is required",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of sensible size",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "string_unicode": _NOT_UNICODE,
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "must match {pattern}",
    "timezone_aware": "must have a time zone",
}
