"""Health: whether the parts answer without which the API can do nothing, for anybody; how each is, for operators."""

from __future__ import annotations

from collections.abc import Iterator

from flask.typing import ResponseReturnValue

from prominence.core import logs, version
from prominence.core.errors import Forbidden, Unavailable
from prominence.core.health import worst
from prominence.core.published import PLAN_KEY
from prominence.restapi.answers.service import PartsShown, Silent
from prominence.restapi.health import checks
from prominence.restapi.identity import Scope, operates
from prominence.restapi.operations import Access, Answer, json
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import caller
from prominence.restapi.services import Services

log = logs.get(__name__)


def blueprint(services: Services) -> Noun:
    """On these services."""
    routes = Noun("health", about="service")

    @routes.serves(
        "GET /health",
        "Whether the parts answer without which the API can do nothing",
        Access.ANYBODY,
        {204: Answer("They do."), **json("Some do not.", Silent, 409)},
    )
    def health() -> ResponseReturnValue:
        silent = [*services.queue.silent(), *_silent_store(services)]
        if not silent:
            return "", 204
        return {"errors": ",".join(silent), "reasonCode": Unavailable.told_as.value}, 409

    @routes.serves(
        "GET /health/parts",
        "How each part of the service is, and what to do; for operators",
        Scope.OPERATE,
        json("The parts.", PartsShown),
        refuses=(Forbidden,),
    )
    def show_parts() -> ResponseReturnValue:
        user = caller(services, Scope.OPERATE)
        if not (operates(user) or services.vitals.for_all):
            raise Forbidden("Only operators may ask how the parts of the service are.")
        found = checks.findings(services)
        return {
            "condition": worst(one.condition for one in found).value,
            "time": services.clock().timestamp(),
            "version": version.installed(),
            "parts": [one.shown() for one in found],
        }

    return routes


def _silent_store(services: Services) -> Iterator[str]:
    try:
        services.store.get(PLAN_KEY)
    except Unavailable as error:
        log.warning("the shared store does not answer", error=str(error))
        yield "ETCD_STATUS"
