"""The API with a local object store, as gunicorn serves it in a process of its own, for tests over a real socket."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from builders_restapi import an_api
from flask import Flask

from prominence.restapi.adapters.local_objects import LocalObjects
from prominence.restapi.objects import Reach
from prominence.restapi.operations import BASE_PATH

SECRET = b"the same in both processes"
MAX_BODY = 1024
"""Of everything but objects."""


def store(root: Path, port: int, keep_free: int = 0, scheme: str = "http") -> LocalObjects:
    """As either process has it."""
    base = f"{scheme}://127.0.0.1:{port}{BASE_PATH}"
    return LocalObjects(root, SECRET, dict.fromkeys(Reach, base), keep_free, lambda: datetime.now(UTC))


def create() -> Flask:
    """What gunicorn serves."""
    served = store(Path(os.environ["SERVED_OBJECTS"]), 0, int(os.environ["KEEP_FREE"]))
    return an_api(MAX_BODY, objects=served, served=served).app
