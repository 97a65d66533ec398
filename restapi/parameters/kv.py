"""Parameters of keys and values."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.flags import There
from prominence.restapi.parameters.words.texts import Text


class ReadKeysParameters(Parameters):
    """Of a key, or of those that begin like it."""

    list: There = Field(default=False, description="The keys that begin like this, and not one key's value.")
    values: There = Field(default=False, description="With list: each key with its value.")


class WriteKeyParameters(Parameters):
    """Of a key that is to be set."""

    prev: Text | None = Field(
        default=None, description="Only if this is the value now; an empty one: if there is no such key."
    )


class DeleteKeysParameters(Parameters):
    """Of keys that are to be deleted."""

    prefix: There = Field(default=False, description="All that begin like this.")
