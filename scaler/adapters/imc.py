"""Provisioner over imc's HTTP API."""

from __future__ import annotations

from typing import Any, TypeVar

import requests
from pydantic import BaseModel, SecretStr

from prominence.core import tracing
from prominence.core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    ProminenceError,
    Rejected,
    Unauthenticated,
    Unavailable,
)
from prominence.core.machines import CloudStatus, Worker, WorkerRequest
from prominence.core.validation import parse

Model = TypeVar("Model", bound=BaseModel)

_ERRORS: dict[int, type[ProminenceError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
}


class ImcProvisioner:
    """url: where imc listens. timeout_s: for the connection, and for each silence of the answer."""

    def __init__(self, url: str, token: SecretStr, timeout_s: float = 5.0) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        # imc is inside the pool: a proxy for the outside world and its netrc have no business here.
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token.get_secret_value()}"

    def workers(self) -> list[Worker]:
        return self._list("/v1/workers", Worker)

    def clouds(self) -> list[CloudStatus]:
        return self._list("/v1/clouds", CloudStatus)

    def request(self, name: str, request: WorkerRequest) -> None:
        self._call("PUT", f"/v1/workers/{name}", request.model_dump(mode="json"))

    def _list(self, path: str, model: type[Model]) -> list[Model]:
        answer = self._call("GET", path)
        try:
            return [parse(model, item) for item in answer.json()]
        except (ValueError, TypeError, Rejected) as error:
            raise Unavailable(f"imc's answer to GET {path} is not understood: {error}") from error

    def _call(self, method: str, path: str, body: Any = None) -> requests.Response:
        trace = {tracing.HEADER: request} if (request := tracing.current()) else {}
        try:
            answer = self._session.request(method, self._url + path, json=body, headers=trace, timeout=self._timeout_s)
        except requests.RequestException as error:
            raise Unavailable(f"imc does not answer: {error}") from error
        if answer.ok:
            return answer
        raise _error(answer)


def _error(answer: requests.Response) -> ProminenceError:
    """What imc refused, in its words."""
    try:
        message = str(answer.json()["error"])
    except (ValueError, TypeError, KeyError):
        message = f"imc answers {answer.status_code}"
    if answer.status_code in _ERRORS:
        return _ERRORS[answer.status_code](message)
    if answer.status_code < 500 and answer.status_code != 429:
        return Rejected.because(message)
    return Unavailable(message)
