"""The objects of the local store: what its signed addresses lead to. The address is the permission; no token is read.

Content is streamed either way. What is read comes with a tag, and in ranges if the reader wants (RFC 9110); it is
never shown by a browser, only saved.
"""

from __future__ import annotations

import base64
import re
import sys

from flask import Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ClientDisconnected, HTTPException
from werkzeug.wsgi import wrap_file

from prominence.core.errors import Forbidden, NotFound, ProminenceError, QuotaReached, Rejected, Unavailable
from prominence.restapi.answers.general import Error
from prominence.restapi.objects import BROKEN_OFF, SERVED_AT
from prominence.restapi.operations import BYTES, Access, Answer, Content, json
from prominence.restapi.parameters.objects import SignedParameters
from prominence.restapi.ports import ServedObjects
from prominence.restapi.routes.noun import Noun
from prominence.restapi.services import Services
from prominence.restapi.signing import Permission

_DRAINED = 16 * 1024 * 1024
_PIECE = 256 * 1024
_TAG = {"ETag": "Changes with the content."}
_A_TAG = {"type": "string", "description": "A tag that an answer before had."}
_RANGE_SCHEMA = {"type": "string", "description": "As in bytes=100- (RFC 9110); what is no range is passed over."}
_ON_CONDITION = {"Range": _RANGE_SCHEMA, "If-Range": _A_TAG, "If-None-Match": _A_TAG, "If-Match": _A_TAG}
_READ = {
    200: Answer("All of it.", Content(media_type=BYTES), _TAG),
    206: Answer("The range.", Content(media_type=BYTES), {**_TAG, "Content-Range": "Which one, of how much."}),
    304: Answer("It is as it was.", headers=_TAG),
    **json("It is another by now.", Error, 412),
    **json("It has no such range.", Error, 416),
}
_WRITTEN = {
    201: Answer("It is there.", headers={"Repr-Digest": "The SHA-256 checksum of what has arrived (RFC 9530)."}),
}
_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})")


def blueprint(services: Services) -> Noun:
    """For addresses that this API has signed."""
    routes = Noun("objects")

    @routes.serves(
        f"GET {SERVED_AT}<path:name>",
        "An object of the local store, or a range of it",
        Access.SIGNED,
        _READ,
        parameters=SignedParameters,
        headers=_ON_CONDITION,
        refuses=(Forbidden, NotFound, Unavailable),
    )
    def get_object(name: str) -> ResponseReturnValue:
        store = _store(services)
        store.permission("get", name, request.args)
        return _content(store, name)

    @routes.serves(
        f"PUT {SERVED_AT}<path:name>",
        "Send an object to the local store",
        Access.SIGNED,
        _WRITTEN,
        parameters=SignedParameters,
        body=Content(media_type=BYTES),
        refuses=(Forbidden, NotFound, Unavailable, QuotaReached),
    )
    def put_object(name: str) -> ResponseReturnValue:
        store = _store(services)
        request.max_content_length = sys.maxsize  # the address says how much may come
        allowed = store.permission("put", name, request.args)
        sha256 = _received(store, allowed)
        return "", 201, {"Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"}

    return routes


def _store(services: Services) -> ServedObjects:
    if services.served is None:
        raise NotFound("This service keeps its objects elsewhere.")
    return services.served


def _received(store: ServedObjects, allowed: Permission) -> str:
    """The checksum of what has come with this request. Raises what `receive` does, and Rejected for half of it."""
    try:
        return store.receive(allowed, request.content_length, request.stream)
    except ProminenceError:
        _drain()
        raise
    except (ClientDisconnected, OSError) as error:
        raise Rejected.because(BROKEN_OFF) from error


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
