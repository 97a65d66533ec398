"""Flags: what is so or not."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_YES, _NO = ("", "true", "1", "yes"), ("false", "0", "no")


def _yes(text: str) -> bool:
    """Old clients send `completed=true`, others the bare name."""
    if text.lower() not in (*_YES, *_NO):
        raise ValueError("must be true or false")
    return text.lower() in _YES


Yes = Annotated[bool, BeforeValidator(_yes), WithJsonSchema({"type": "boolean"})]


def _there(text: str) -> bool:
    return True


There = Annotated[bool, BeforeValidator(_there), WithJsonSchema({"type": "string"})]
"""A flag that counts when it is there, with any value or none."""
