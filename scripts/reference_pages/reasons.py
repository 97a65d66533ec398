"""The page of reasons."""

from __future__ import annotations

from collections.abc import Iterator

from prominence.core.reasons import MEANINGS, Blame, Reason
from reference_pages.tables import code, table

INTRODUCTION = """# Reasons

<!-- Made by scripts/reference from core/reasons.py; changes here are lost. -->

Of a job that waits, or has ended without success, the API says why: `statusReasonCode` is one of the words below,
`statusReason` its sentence with the gaps filled and the advice behind it. The words never change their meaning."""

MUST_ACT = {
    Blame.NOBODY: "nobody; it passes",
    Blame.USER: "you",
    Blame.PLATFORM: "the operator",
    Blame.PROVIDER: "the cloud's provider",
}


def reasons() -> Iterator[str]:
    """Its lines."""
    yield INTRODUCTION
    told = ((reason, MEANINGS[reason]) for reason in Reason)
    yield from table(
        ("word", "sentence", "who has to act", "advice"),
        ((code(word.value), one.sentence, MUST_ACT[one.blame], one.advice) for word, one in told),
    )
