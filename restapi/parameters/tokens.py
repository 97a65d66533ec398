"""Parameters of tokens."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.flags import There


class ListTokensParameters(Parameters):
    """Of a list of tokens."""

    all: There = Field(default=False, description="Everybody's, for operators.")
