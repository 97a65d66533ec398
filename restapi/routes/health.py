"""Health: whether the parts answer without which the API can do nothing. For anybody."""

from __future__ import annotations

from collections.abc import Iterator

from flask.typing import ResponseReturnValue

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.core.published import PLAN_KEY
from prominence.restapi.answers import Silent
from prominence.restapi.operations import Access, Answer, json
from prominence.restapi.routes.noun import Noun
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
        return ({"errors": ",".join(silent)}, 409) if silent else ("", 204)

    return routes


def _silent_store(services: Services) -> Iterator[str]:
    try:
        services.store.get(PLAN_KEY)
    except Unavailable as error:
        log.warning("the shared store does not answer", error=str(error))
        yield "ETCD_STATUS"
