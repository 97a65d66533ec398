"""A ClassAd of HTCondor's library as the plain JobAd that the rest of us reads."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from prominence.core import classads
from prominence.core.view import ATTRIBUTES, JobAd

_TEXTS_OF_USERS = (classads.JOB_NAME, classads.IDENTITY, classads.GROUP, classads.SUMMARY, classads.PARAMETERS)


def plain(ad: Any, names: Iterable[str] = ATTRIBUTES) -> JobAd:
    """These attributes, by default all that we know, evaluated; texts of users as the users wrote them."""
    # What ClassAds have for "undefined" and "error" is a number to Python and none to us: hence no isinstance.
    values = {name: ad.eval(name) for name in names if name in ad}
    known = {name: value for name, value in values.items() if type(value) in (str, int, bool) or _is_finite(value)}
    return {**known, **{name: classads.original(str(known[name])) for name in _TEXTS_OF_USERS if name in known}}


def _is_finite(value: Any) -> bool:
    """Workers may write others, which are no numbers in JSON."""
    return type(value) is float and math.isfinite(value)
