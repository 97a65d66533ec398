"""Applications behind addresses, each in a thread of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask
from waitress.trigger import trigger

from prominence.core import error_reasons
from prominence.imc.admissions import Admissions
from prominence.imc.door import TOKENS, WINDOW_S, WRONG_TRIES, Door, create_door
from prominence.imc.knocks import Knocks
from prominence.imc.settings import JoiningSettings

_REFUSALS = {
    HTTPStatus.BAD_REQUEST: "The request is not HTTP as imc understands it.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request is too large.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too long.",
    HTTPStatus.NOT_IMPLEMENTED: "Of transfer codings, only chunked is known here.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "imc made a mistake; its log says more.",
}


class _Refused:
    """Like one of waitress's own errors, told as our applications tell theirs."""

    def __init__(self, code: int) -> None:
        self._status = HTTPStatus(code)

    def to_response(self, _: object) -> tuple[str, list[tuple[str, str]], bytes]:
        body = error_reasons.body(_REFUSALS[self._status], error_reasons.of_status(self._status))
        line = f"{self._status.value} {self._status.phrase}"
        return line, [("Content-Type", "application/json")], json.dumps(body).encode()


class _Refusal(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Of a request that no application has seen."""

    def execute(self) -> None:
        self.request.error = _Refused(self.request.error.code)
        super().execute()


class _Channel(HTTPChannel):  # type: ignore[misc]
    error_task_class = _Refusal


class Served:
    """An application that answers at an address, until it is closed."""

    def __init__(self, name: str, app: Flask, host: str, port: int, ended: Callable[[], None], **options: Any) -> None:
        """Begin to answer. ended: called when it answers no more, from its own thread."""
        self._sockets: dict[int, Any] = {}
        # More would be kept on the disk before the application could refuse it. waitress takes less than its limit.
        options["max_request_body_size"] = app.config["MAX_CONTENT_LENGTH"] + 1
        self._server = waitress.create_server(app, map=self._sockets, host=host, port=port, threads=4, **options)
        for one in self._sockets.values():  # several where the host has several addresses
            if isinstance(one, BaseWSGIServer):
                one.channel_class = _Channel
        self._closing = trigger(self._sockets)
        self._thread = threading.Thread(target=self._run, args=(ended,), name=name, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.effective_port)

    def close(self) -> None:
        """Finish what is being answered, then end. Its thread closes its sockets, since it may be waiting for them."""
        self._server.task_dispatcher.shutdown()
        self._closing.pull_trigger(partial(wasyncore.close_all, self._sockets))
        self._thread.join()

    def _run(self, ended: Callable[[], None]) -> None:
        try:
            self._server.run()
        finally:
            ended()


def serve_door(joining: JoiningSettings, admissions: Admissions, ended: Callable[[], None]) -> Served:
    """Answer at the door."""
    tries, tokens = (Knocks(most, WINDOW_S, time.monotonic) for most in (WRONG_TRIES, TOKENS))
    believed = {"trusted_proxy": joining.trusted_proxy, "trusted_proxy_headers": "x-forwarded-for"}
    return Served(
        "door",
        create_door(Door(admissions, tries, tokens)),
        joining.host,
        joining.port,
        ended,
        channel_timeout=30,
        connection_limit=200,
        **(believed if joining.trusted_proxy else {}),
    )
