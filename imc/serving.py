"""Applications behind addresses, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.trigger import trigger

from prominence.imc.admissions import Admissions
from prominence.imc.door import TOKENS, WINDOW_S, WRONG_TRIES, Door, create_door
from prominence.imc.knocks import Knocks
from prominence.imc.settings import JoiningSettings


class Served:
    """An application that answers at an address, until it is closed."""

    def __init__(self, name: str, app: Flask, host: str, port: int, ended: Callable[[], None], **options: Any) -> None:
        """Begin to answer. ended: called when it answers no more, from its own thread."""
        self._sockets: dict[int, Any] = {}
        self._server = waitress.create_server(app, map=self._sockets, host=host, port=port, threads=4, **options)
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
