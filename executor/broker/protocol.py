"""What is said on the broker's socket: a JSON object a line, some of them with file descriptors.

The job's side asks, the broker answers in the same order; the exception is `signal`, which has no answer, because
it is sent while the answer to `run` is awaited. An answer is `{"ok": true, ...}` or `{"ok": false, "error": word,
"message": sentence}`. The verbs are in `requests`, which only the broker needs. Standard library only and Python 3.9:
both sides carry this module.
"""

from __future__ import annotations

import json
from typing import Any

SOCKET = "/run/prominence/broker.sock"
UNAVAILABLE = "unavailable"
"""The error where the engine is not there or does not answer."""
NOT_THERE = "not there"
"""The error where the engine does not know the image, or no container runs."""
KEEPS_NONE = "keeps none"
"""The error where the worker keeps no images for Apptainer, or not this one: the job fetches its own."""
MOST_MOUNTS = 16
MOST_BESIDE = 16
"""Containers that a session may have beside the one that runs its task."""
PRIVATE = "prominence-private"
"""Names that hold this are the broker's for images that are one session's alone; nobody may ask for them."""
LONGEST_USERNAME = 256
LONGEST_TOKEN = 8192
LONGEST_URL = 64 * 1024
LONGEST_LINE = 1024 * 1024
DESCRIPTORS = 2
"""`run`, `beside` and `enter` bring those for stdout and stderr; `load` brings one, of its file."""


def line(verb: str, **fields: Any) -> bytes:
    """A request as it is sent."""
    return json.dumps({"verb": verb, **fields}).encode() + b"\n"
