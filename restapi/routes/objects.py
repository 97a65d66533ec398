"""The objects of the local store: what its signed addresses lead to. The address is the permission; no token is read.

Content is streamed either way. What is read comes with a tag, and in ranges if the reader wants (RFC 9110); it is
never shown by a browser, only saved.
"""

from __future__ import annotations

import re
import sys

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ClientDisconnected, HTTPException
from werkzeug.wsgi import wrap_file

from prominence.core.errors import NotFound, ProminenceError, Rejected
from prominence.restapi.objects import BROKEN_OFF, SERVED_AT
from prominence.restapi.ports import ServedObjects
from prominence.restapi.services import Services

_DRAINED = 16 * 1024 * 1024
_PIECE = 256 * 1024
_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})")


def blueprint(services: Services) -> Blueprint:
    """For addresses that this API has signed."""
    routes = Blueprint("objects", __name__)

    @routes.get(f"{SERVED_AT}<path:name>")
    def get(name: str) -> ResponseReturnValue:
        store = _store(services)
        store.permission("get", name, request.args)
        return _content(store, name)

    @routes.put(f"{SERVED_AT}<path:name>")
    def put(name: str) -> ResponseReturnValue:
        store = _store(services)
        request.max_content_length = sys.maxsize  # the address says how much may come
        allowed = store.permission("put", name, request.args)
        try:
            store.receive(allowed, request.content_length, request.stream)
        except ProminenceError:
            _drain()
            raise
        except (ClientDisconnected, OSError) as error:
            raise Rejected.because(BROKEN_OFF) from error
        return "", 201

    return routes


def _store(services: Services) -> ServedObjects:
    if services.served is None:
        raise NotFound("This service keeps its objects elsewhere.")
    return services.served


def _content(store: ServedObjects, name: str) -> Response:
    found = store.open(name)
    if found is None:
        raise NotFound(f"There is no object {name}.")
    file, stored, tag = found
    if not _RANGE.fullmatch(request.headers.get("Range", "")):
        request.environ.pop("HTTP_RANGE", None)  # several ranges, other units, nonsense: the whole is right, too
    response = Response(wrap_file(request.environ, file), mimetype="application/octet-stream", direct_passthrough=True)
    response.content_length, response.last_modified = stored.size, stored.modified_at
    response.set_etag(tag)
    response.headers.set("Content-Disposition", "attachment")
    try:
        response.make_conditional(request.environ, accept_ranges=True, complete_length=stored.size)
    except HTTPException:  # a range that is not there
        file.close()
        raise
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _drain() -> None:
    """Take what is still coming, as far as that is reasonable: who is cut off in the middle reads no answer."""
    left = _DRAINED
    try:
        while left > 0 and (piece := request.stream.read(_PIECE)):
            left -= len(piece)
    except (ClientDisconnected, OSError, Rejected):
        return
