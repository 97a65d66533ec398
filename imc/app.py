"""imc's HTTP API as a Flask application: services in, blueprint and error handlers on."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from prominence.core import error_reasons, logs, tracing
from prominence.core.error_reasons import ErrorReason
from prominence.core.errors import (
    CloudError,
    Conflict,
    Forbidden,
    NotFound,
    ProminenceError,
    Rejected,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from prominence.imc.routes import Services, blueprint

log = logs.get(__name__)

MAX_BODY = 64 * 1024

STATUS: dict[type[ProminenceError], int] = {
    Rejected: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooMany: 429,
    CloudError: 502,
    Unavailable: 503,
}


def create_app(services: Services) -> Flask:
    """The application on these services."""
    app = bare("prominence.imc", MAX_BODY)
    app.register_blueprint(blueprint(services))
    return app


def bare(name: str, max_body: int) -> Flask:
    """An application without routes that tells errors as all of ours do."""
    # No files are served, so Flask need not look for our folder; in an editable install it would not find it.
    here = str(Path(__file__).parent)
    app = Flask(name, static_folder=None, root_path=here, instance_path=here)
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.url_map.merge_slashes = False  # a name with a slash in it is refused, and is not another name
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.before_request(_begin)
    app.after_request(_tell_id)
    app.teardown_request(_forget)
    app.register_error_handler(ProminenceError, _ours)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _mistake)
    return app


def _begin() -> None:
    tracing.begin(tracing.accepted(request.headers.get(tracing.HEADER)))


def _tell_id(response: Response) -> Response:
    response.headers[tracing.HEADER] = tracing.current()
    return response


def _forget(_: BaseException | None) -> None:
    tracing.begin("")


def _ours(error: ProminenceError) -> ResponseReturnValue:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    body: dict[str, object] = {**error_reasons.body(str(error), error.told_as)}
    headers = {}
    if isinstance(error, Rejected):
        body["mistakes"] = [{"path": mistake.path, "message": mistake.message} for mistake in error.mistakes]
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unavailable | TooMany) and error.retry_after_s:
        headers["Retry-After"] = str(error.retry_after_s)
    return body, status, headers


def _of_http(error: HTTPException) -> ResponseReturnValue:
    """Flask's own: no such path, wrong method, body too large."""
    status = error.code or 500
    headers = [header for header in error.get_headers() if header[0] not in ("Content-Type", "Content-Length")]
    return error_reasons.body(error.description or error.name, error_reasons.of_status(status)), status, headers


def _mistake(error: Exception) -> ResponseReturnValue:
    log.exception("a request failed by a mistake of ours", error=repr(error))
    return error_reasons.body("imc made a mistake; its log says more.", ErrorReason.INTERNAL_ERROR), 500
