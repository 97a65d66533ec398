"""What is told of keys and values."""

from __future__ import annotations

Keys = list[str] | list[dict[str, str]]
"""Keys with a / before each, or with `values` each with its value."""
