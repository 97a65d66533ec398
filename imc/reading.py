"""What a request brings, before anything is believed of it."""

from __future__ import annotations

import json

from flask import request

from prominence.core.errors import Rejected


def json_of_request() -> object:
    """Its body. Raises Rejected."""
    try:
        return json.loads(request.get_data())
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or nested without end
        raise Rejected.because("the body is not JSON") from error
