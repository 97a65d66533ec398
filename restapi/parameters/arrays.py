"""Parameters of arrays."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.numbers import Limit


class ListArraysParameters(Parameters):
    """Of a list of arrays."""

    limit: Limit = Field(default=100, description="How many arrays at most, from 1 to 1000.")
