"""The REST API as a Flask application: services in; blueprints and error handlers on, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from prominence.core import error_reasons, errors, logs, tracing
from prominence.core.error_reasons import ErrorReason
from prominence.restapi import audit, legacy
from prominence.restapi.meter import Meter
from prominence.restapi.operations import BASE_PATH, label
from prominence.restapi.routes import (
    accounting,
    acts,
    arrays,
    budgets,
    commands,
    data,
    description,
    explanations,
    health,
    jobs,
    kv,
    objects,
    pool,
    resources,
    staging,
    tokens,
    webhooks,
    workflows,
)
from prominence.restapi.routes.noun import Noun
from prominence.restapi.services import Services
from prominence.restapi.statuses import status_of

log = logs.get(__name__)

_LOOKS = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""

_NOUNS = (
    jobs,
    explanations,
    acts,
    arrays,
    workflows,
    commands,
    data,
    staging,
    objects,
    kv,
    resources,
    pool,
    accounting,
    budgets,
    tokens,
    webhooks,
    health,
)


def create_app(services: Services, max_body: int) -> Flask:
    """The application on these services. max_body: bytes that a request may bring."""
    # No files are served, so Flask need not look for our folder; in an editable install it would not find it.
    here = str(Path(__file__).parent)
    app = Flask("prominence.restapi", static_folder=None, root_path=here, instance_path=here)
    app.config["MAX_CONTENT_LENGTH"] = max_body
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    # What is almost an address is answered as what it means, or by an error in JSON, never by a page that redirects.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    for noun in nouns(services):
        app.register_blueprint(noun, url_prefix=BASE_PATH)
    app.register_error_handler(errors.ProminenceError, _ours)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _mistake)
    _follow(app, services.meter)
    return app


def nouns(services: Services) -> list[Noun]:
    """All operations. Nothing is asked of services before the first request."""
    found = [noun.blueprint(services) for noun in _NOUNS]
    return [*found, description.blueprint(found)]


def _follow(app: Flask, meter: Meter) -> None:
    """Count each request, give each the id by which it is found in logs, and write down who has changed something."""

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()
        tracing.begin(tracing.accepted(request.headers.get(tracing.HEADER)))

    @app.after_request
    def end(response: Response) -> Response:
        address = request.url_rule.rule.removeprefix(BASE_PATH) if request.url_rule else ""
        meter.answered(request.method, address, response.status_code, time.perf_counter() - g.began)
        response.headers[tracing.HEADER] = tracing.current()
        if request.method not in _LOOKS and response.status_code < 400 and "caller" in g:
            audit.changed(label(request.method, address), g.caller, request.view_args or {})
        return response

    @app.teardown_request
    def forget(_: BaseException | None) -> None:
        tracing.begin("")


def _ours(error: errors.ProminenceError) -> ResponseReturnValue:
    headers = {}
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.Unavailable | errors.TooMany) and error.retry_after_s:
        headers["Retry-After"] = str(error.retry_after_s)
    status = status_of(type(error), label(request.method, request.url_rule.rule) if request.url_rule else "")
    if status == 500:
        log.error("a request failed by a mistake of ours", path=request.path, error=str(error))
    return error_reasons.body(str(error), error.told_as), status, headers


def _of_http(error: HTTPException) -> ResponseReturnValue:
    """Flask's own errors: no such address, a method that it does not know, a body that is too large."""
    if isinstance(error, NotFound):
        sentence = f"There is nothing at {request.path}."
        return error_reasons.body(sentence, ErrorReason.NO_SUCH_OPERATION), legacy.NOT_FOUND
    headers = [header for header in error.get_headers() if header[0] not in ("Content-Type", "Content-Length")]
    sentence = error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        sentence = f"The request is too large: at most {request.max_content_length} bytes are taken."
    status = error.code or 500
    return error_reasons.body(sentence, error_reasons.of_status(status)), status, headers


def _mistake(error: Exception) -> ResponseReturnValue:
    log.exception("a request failed by a mistake of ours", path=request.path, error=repr(error))
    sentence = "The service made a mistake; its operator finds more in its log."
    return error_reasons.body(sentence, ErrorReason.INTERNAL_ERROR), 500
