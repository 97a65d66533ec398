"""Text of HTCondor's configuration, made so that no value can say more than a value. Pure.

What its files cannot hold is refused, because HTCondor has no way to write it: `$(DOLLAR)` is expanded twice in
places.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from prominence.core.errors import Rejected


def config(values: Mapping[str, str | int]) -> str:
    """A configuration file of these values, each exactly as given. Raises Rejected for what it cannot hold."""
    return "".join(f"{name} = {plain(name, str(value))}\n" for name, value in values.items())


def plain(name: str, text: str) -> str:
    """The text, if it can be the value of the knob of this name. Raises Rejected."""
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise Rejected.because("HTCondor's configuration cannot hold control characters", name)
    if "$" in text:
        raise Rejected.because("HTCondor's configuration cannot hold a dollar sign", name)
    if text != text.strip() or text.endswith("\\"):
        raise Rejected.because("HTCondor's configuration cannot hold spaces or a backslash at the end", name)
    return text
