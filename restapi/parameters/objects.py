"""Parameters of the addresses that the service has signed, of objects that it keeps itself."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.texts import Text


class SignedParameters(Parameters):
    """Of an address that the service has signed."""

    until: Text = Field(description="The moment when it expires.")
    signature: Text = Field(description="By which the service knows it.")
    largest: Text | None = Field(default=None, description="Bytes that may come at most.")
    size: Text | None = Field(default=None, description="Bytes that must come.")
    sha256: Text | None = Field(default=None, description="The checksum that the content must have.")
    together: Text | None = Field(default=None, description="Bytes that its owner's objects may have with it.")
