"""By what usage is told apart, whose, and in which form."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from prominence.restapi.usage import By, Key

_LABEL = re.compile(r"label:([A-Za-z0-9]{1,64})")
_PATTERN = f"({'|'.join(key for key in Key if key is not Key.LABEL)}|label:[A-Za-z0-9]{{1,64}})"
_MOST = 4


def _one(word: str) -> By:
    if (label := _LABEL.fullmatch(word)) is not None:
        return By(Key.LABEL, label[1])
    if word == Key.LABEL or word not in Key.__members__.values():
        known = ", ".join(key for key in Key if key is not Key.LABEL)
        raise ValueError(f"usage is told apart by {known} or label:NAME, not by {word[:100]!r}")
    return By(Key(word))


def _several(text: str) -> tuple[By, ...]:
    found = tuple(dict.fromkeys(map(_one, text.split(","))))
    if len(found) > _MOST:
        raise ValueError(f"must be at most {_MOST}, with commas between them")
    return found


ToldApartBy = Annotated[
    tuple[By, ...],
    BeforeValidator(_several),
    WithJsonSchema(
        {"type": "array", "minItems": 1, "maxItems": _MOST, "items": {"type": "string", "pattern": f"^{_PATTERN}$"}}
    ),
]


class Theirs(StrEnum):
    """Whose usage."""

    ME = "me"
    GROUPS = "groups"
    ALL = "all"


class Form(StrEnum):
    """How it is written."""

    JSON = "json"
    CSV = "csv"


Owners = Annotated[Theirs, WithJsonSchema({"type": "string", "enum": list(Theirs)})]
FormOfTable = Annotated[Form, WithJsonSchema({"type": "string", "enum": list(Form)})]
