"""What can go wrong with a pool, said to a person."""

from __future__ import annotations

from prominence.core.errors import ProminenceError


class PoolError(ProminenceError):
    """The pool cannot do what was asked; the sentence says what to do."""
