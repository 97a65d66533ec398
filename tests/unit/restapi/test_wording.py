"""Schemas in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.validation import SPELLING, UNIT
from prominence.restapi.wording import Wording

WORDING = Wording(link=lambda name: f"[{name}]", code=lambda text: f"`{text}`", text=str.upper)

KINDS: list[tuple[dict[str, Any], str]] = [
    ({"type": "string"}, "text"),
    ({"type": "integer", UNIT: "minutes"}, "whole number, minutes"),
    ({"$ref": "#/components/schemas/Task"}, "[Task]"),
    ({"enum": ["a", "b"], "type": "string"}, "`a`, `b`"),
    ({"const": False, "type": "boolean"}, "`false`"),
    ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number"),
    ({"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "object", "maxProperties": 0}]}, "[A]"),
    ({"type": "array", "items": {"$ref": "#/components/schemas/Task"}}, "list of [Task]"),
    ({"type": "array", "prefixItems": [{"type": "integer"}] * 2}, "list of 2: whole number"),
    ({"type": "object", "additionalProperties": {"type": "boolean"}}, "object of true or false"),
    ({"type": "object", "additionalProperties": False}, "object"),
    ({}, "anything"),
]

LIMITS: list[tuple[dict[str, Any], str]] = [
    ({"minimum": 1, "maximum": 100.0}, "1 to 100"),
    ({"exclusiveMinimum": 0, "maximum": 8.5}, "more than 0; at most 8.5"),
    ({"minLength": 1, "maxLength": 5, "pattern": "^a$"}, "1 to 5 characters; must match `^a$`"),
    ({"pattern": "^a$", SPELLING: "must be an a"}, "MUST BE AN A"),
    ({"anyOf": [{"minimum": 1}, {"type": "null"}]}, "at least 1"),
    ({"anyOf": [{"minimum": 2, SPELLING: "even"}, {"maxLength": 3}]}, "at least 2, EVEN or at most 3 characters"),
    ({"maxItems": 3, "items": {"maxLength": 2}}, "at most 3 of them; at most 2 characters"),
    ({"patternProperties": {"a": {"maximum": 1}}, "propertyNames": {SPELLING: "a"}}, "names: A; values: at most 1"),
    ({"enum": ["a"], "minLength": 1}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "said"), KINDS)
def test_a_kind_of_value_is_said_in_words(schema: dict[str, Any], said: str) -> None:
    assert WORDING.kind(schema) == said


@pytest.mark.parametrize(("schema", "said"), LIMITS)
def test_limits_are_said_in_words(schema: dict[str, Any], said: str) -> None:
    assert WORDING.limits(schema) == said


@given(least=st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9), most=st.integers(0, 10**9))
def test_numbers_in_limits_are_those_of_the_schema(least: float, most: int) -> None:
    lower, upper = WORDING.limits({"minimum": least, "maximum": most}).split(" to ")
    assert (float(lower), int(upper)) == (least, most)
