"""Applications behind addresses, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import waitress
from flask import Flask

from prominence.imc.admissions import Admissions
from prominence.imc.door import TOKENS, WINDOW_S, WRONG_TRIES, Door, create_door
from prominence.imc.knocks import Knocks
from prominence.imc.settings import JoiningSettings


def serve(name: str, app: Flask, host: str, port: int, ended: Callable[[], None], **options: Any) -> Any:
    """Begin to answer; the server, to be closed. ended: called when it answers no more."""
    server = waitress.create_server(app, host=host, port=port, threads=4, **options)

    def run() -> None:
        try:
            server.run()
        finally:
            ended()

    threading.Thread(target=run, name=name, daemon=True).start()
    return server


def serve_door(joining: JoiningSettings, admissions: Admissions, ended: Callable[[], None]) -> Any:
    """The same for the door."""
    tries, tokens = (Knocks(most, WINDOW_S, time.monotonic) for most in (WRONG_TRIES, TOKENS))
    believed = {"trusted_proxy": joining.trusted_proxy, "trusted_proxy_headers": "x-forwarded-for"}
    return serve(
        "door",
        create_door(Door(admissions, tries, tokens)),
        joining.host,
        joining.port,
        ended,
        channel_timeout=30,
        connection_limit=200,
        **(believed if joining.trusted_proxy else {}),
    )
