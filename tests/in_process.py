"""The API itself, on memory services, behind the Python client: no socket in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

import requests
from builders_cli import answer
from builders_restapi import Api
from requests.adapters import BaseAdapter

from prominence.cli.client import Client
from prominence.restapi.operations import BASE_PATH

URL = f"http://api.test{BASE_PATH}"


class InProcess(BaseAdapter):
    """Hands requests to the application, and those for objects to the store.

    happens: what goes on in the pool before the API is asked for a job.
    """

    def __init__(self, api: Api, happens: Callable[[], None]) -> None:
        super().__init__()
        self._api, self._happens = api, happens

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = str(request.url)
        if url.startswith("memory:"):
            return self._of_the_store(request, url)
        path = url.removeprefix("http://api.test")
        if request.method == "GET" and path.startswith(f"{BASE_PATH}/jobs/"):
            self._happens()
        headers = {str(name): str(value) for name, value in request.headers.items()}
        told = self._api.client.open(path, method=request.method, headers=headers, data=_bytes(request.body))
        return answer(request, told.status_code, told.data, dict(told.headers))

    def close(self) -> None:
        pass

    def _of_the_store(self, request: requests.PreparedRequest, url: str) -> requests.Response:
        if request.method == "PUT":
            self._api.objects.put(url, _bytes(request.body))
            return answer(request, 201, b"")
        return answer(request, 200, self._api.objects.get(url))


def a_client(api: Api, happens: Callable[[], None] = lambda: None, token: str = "token-of-alice") -> Client:
    """Of this API."""
    session = requests.Session()
    for scheme in ("http://", "memory://"):
        session.mount(scheme, InProcess(api, happens))
    return Client(URL, token, session)


def _bytes(body: Any) -> bytes:
    if body is None or isinstance(body, bytes):
        return body or b""
    return body.encode() if isinstance(body, str) else b"".join(_pieces(body))


def _pieces(body: IO[bytes]) -> list[bytes]:
    return list(iter(lambda: body.read(65536), b""))
