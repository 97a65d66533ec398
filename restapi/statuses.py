"""The status code of each error. Pure."""

from __future__ import annotations

from prominence.core import errors
from prominence.restapi import legacy

STATUS: dict[type[errors.ProminenceError], int] = {
    errors.Rejected: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.TooMany: 429,
    errors.QuotaReached: 507,
    errors.Unavailable: 503,
    errors.NoRoom: 507,
    errors.CloudError: 502,
    errors.ProminenceError: 500,
}
"""One that is not here has its nearest ancestor's; what is not there depends on who asks."""


def status_of(kind: type[errors.ProminenceError], operation: str = "") -> int:
    """The status code of an error, in the answer to an operation such as "GET /jobs"."""
    if issubclass(kind, errors.NotFound):
        return legacy.not_found(operation)
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)
