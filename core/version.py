"""Which version of ours is installed here."""

from __future__ import annotations

import importlib.metadata


def installed() -> str:
    """As in "0.1.0"; "unknown" when run from a checkout that is not installed."""
    try:
        return importlib.metadata.version("prominence-htc")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
