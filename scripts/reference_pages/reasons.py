"""The page of reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

from prominence.core.error_reasons import ERROR_MEANINGS, ErrorReason
from prominence.core.reasons import MEANINGS, Blame, Reason
from reference_pages.tables import code, table

INTRODUCTION = """# Reasons

<!-- Made by scripts/reference from core/reasons.py and core/error_reasons.py; changes here are lost. -->

Each has a word that never changes its meaning: programs go by it, sentences are for people.

## Why a job waits, or has failed

Of a job that waits, or has ended without success, the API says why: `statusReasonCode` is one of the words below,
`statusReason` its sentence with the gaps filled and the advice behind it."""

OF_REQUESTS = """
## Why a request is refused

Of a request that is not granted, the API says why: `reasonCode` is one of the words below, and `error` a sentence that
says more than the one here. `prominence` shows the word in brackets, and for Python it is the `reason_code` of the
error. imc answers the scaler with the same words."""

MUST_ACT = {
    Blame.NOBODY: "nobody; it passes",
    Blame.USER: "you",
    Blame.PLATFORM: "the operator",
    Blame.PROVIDER: "the cloud's provider",
}


def reasons() -> Iterator[str]:
    """Its lines."""
    yield INTRODUCTION
    yield from _table(Reason, MEANINGS)
    yield OF_REQUESTS
    yield from _table(ErrorReason, ERROR_MEANINGS)


def _table(words: Iterable[Enum], meanings: Mapping[Any, Any]) -> Iterator[str]:
    told = ((word, meanings[word]) for word in words)
    return table(
        ("word", "sentence", "who has to act", "advice"),
        ((code(word.value), one.sentence, MUST_ACT[one.blame], one.advice) for word, one in told),
    )
