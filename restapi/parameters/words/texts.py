"""Texts: any, and labels with their values."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from prominence.core.validation import SPELLING

Text = Annotated[str, WithJsonSchema({"type": "string"})]


def _labels(texts: list[str]) -> tuple[tuple[str, str], ...]:
    labels = [(key, value) for key, _, value in (text.partition("=") for text in texts)]
    for text, (key, _) in zip(texts, labels, strict=True):
        if text.count("=") != 1 or not re.fullmatch(r"[A-Za-z0-9]+", key):
            raise ValueError(_SAID)
    return tuple(labels)


_SAID = "must be a label and its value, such as app=fit"
LabelsOfJobs = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_labels),
    WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": "^[A-Za-z0-9]+=[^=]*$", SPELLING: _SAID}}),
]
