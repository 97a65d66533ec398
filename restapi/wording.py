"""A schema in a few words, for people: what kind of value it is, and within which limits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prominence.core.validation import SPELLING, UNIT

SHARED = "#/components/schemas/"
"""What stands before the name of a schema where another one refers to it."""

_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_RANGES = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " of them"),
    ("minProperties", "maxProperties", " of them"),
)
"""Words for the least and the most of something, and of what."""

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Wording:
    """link: of the name of a schema, what leads to it. code: of a value, how it is marked as one. text: of words that
    may hold anything, how they are written."""

    link: Callable[[str], str]
    code: Callable[[str], str]
    text: Callable[[str], str]

    def kind(self, schema: Schema) -> str:
        """What kind of value it is, with its unit. That it may be null is not said: then it is as if left out."""
        if "$ref" in schema:
            return self.link(schema["$ref"].removeprefix(SHARED))
        if "const" in schema:
            return self.code(str(schema["const"]).lower() if isinstance(schema["const"], bool) else schema["const"])
        if "enum" in schema:
            return ", ".join(self.code(str(value)) for value in schema["enum"])
        if either := alternatives(schema):
            return " or ".join(dict.fromkeys(map(self.kind, either)))
        if schema.get("type") == "array":
            return self._list(schema)
        if isinstance(inner := _values(schema), Mapping):
            return f"object of {self.kind(inner)}"
        kind: str = schema.get("format") or schema.get("type", "anything")
        return ", ".join([_KINDS.get(kind, kind), *([schema[UNIT]] if UNIT in schema else [])])

    def limits(self, schema: Schema) -> str:
        """What a value must be besides, in sentences without an end; "" for any of its kind."""
        return "; ".join(dict.fromkeys(filter(None, self._limits(schema))))

    def _list(self, schema: Schema) -> str:
        if items := schema.get("prefixItems"):
            return f"list of {len(items)}: {self.kind(items[0])}"
        return f"list of {self.kind(schema.get('items', {}))}"

    def _limits(self, schema: Schema) -> Iterator[str]:
        if "enum" in schema:
            return
        items = schema.get("prefixItems", ())
        if not items:
            yield from _ranges(schema)
        if SPELLING in schema:
            yield self.text(schema[SPELLING])
        elif "pattern" in schema:
            yield f"must match {self.code(schema['pattern'])}"
        if either := [", ".join(self._limits(one)) for one in alternatives(schema)]:
            yield " or ".join(filter(None, either))
        for one in (*items, *([schema["items"]] if "items" in schema else [])):
            yield from self._limits(one)
        if isinstance(inner := _values(schema), Mapping):
            yield from (f"names: {said}" for said in self._limits(schema.get("propertyNames", {})))
            yield from (f"values: {said}" for said in self._limits(inner))


def alternatives(schema: Schema) -> list[Schema]:
    """Of a schema that is one of several those that are no way to say nothing."""
    either = schema.get("anyOf") or schema.get("oneOf") or ()
    return [one for one in either if one.get("type") != "null" and one.get("maxProperties") != 0]


def _values(schema: Schema) -> Any:
    """Of an object whose keys are the caller's, what their values are."""
    return next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))


def _ranges(schema: Schema) -> Iterator[str]:
    if "exclusiveMinimum" in schema:
        yield f"more than {_plain(schema['exclusiveMinimum'])}"
    for least, most, of_what in _RANGES:
        if least in schema and most in schema:
            yield f"{_plain(schema[least])} to {_plain(schema[most])}{of_what}"
        elif least in schema:
            yield f"at least {_plain(schema[least])}{of_what}"
        elif most in schema:
            yield f"at most {_plain(schema[most])}{of_what}"


def _plain(number: float) -> str:
    """Without a point where there need be none."""
    return str(int(number) if float(number).is_integer() else number)
