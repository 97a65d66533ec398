"""Numbers: how many, from where on, how long."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from prominence.core.resources import MOST_NODES

MOST = 10_000
"""How many finished jobs are looked at at most."""

LONGEST_WAIT_S = 60
"""How long a request may wait for news."""


def _num(text: str) -> int:
    """Old clients say -1 for all there are."""
    if not re.fullmatch(r"-1|[0-9]{1,9}", text):
        raise ValueError("must be a whole number")
    return MOST if text == "-1" else min(int(text), MOST)


Number = Annotated[int, BeforeValidator(_num), WithJsonSchema({"type": "integer", "minimum": -1, "maximum": 10**9 - 1})]


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= 1000:
        raise ValueError("must be a whole number from 1 to 1000")
    return int(text)


Limit = Annotated[int, BeforeValidator(_limit), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000})]


def _bytes(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError("must be a whole number, 0 or more")
    return int(text)


Bytes = Annotated[
    int, BeforeValidator(_bytes), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10**18 - 1})
]


def _seconds(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError("must be a whole number of seconds")
    return min(int(text), LONGEST_WAIT_S)


Seconds = Annotated[
    int, BeforeValidator(_seconds), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10**9 - 1})
]


def _place(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise ValueError("must be the place of a task, a whole number from 0 on")
    return int(text)


Place = Annotated[int, BeforeValidator(_place), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 999})]


def _node(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise ValueError("must be the number of a node, counted from 0")
    return int(text)


Node = Annotated[
    int, BeforeValidator(_node), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MOST_NODES - 1})
]
