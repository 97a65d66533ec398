"""What an answer that is none of the good ones says: the API's sentence, and its word for programs."""

from __future__ import annotations

import re
from typing import NamedTuple

import requests

_WORD = re.compile(r"[A-Za-z]{1,40}")


class Refusal(NamedTuple):
    """sentence: without its full stop. reason_code: of docs/reasons.md. Both "" where the answer is none of ours."""

    sentence: str = ""
    reason_code: str = ""


def refusal_of(response: requests.Response) -> Refusal:
    """What it says. Whoever answers may be another server, or an older API without words."""
    try:
        told = response.json()
    except (ValueError, RecursionError, requests.RequestException):
        return Refusal()
    match told:
        case {"error": str(said), "reasonCode": str(word)} if _WORD.fullmatch(word):
            return Refusal(said.strip().rstrip("."), word)
        case {"error": str(said)}:
            return Refusal(said.strip().rstrip("."))
    return Refusal()
