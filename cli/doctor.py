"""What can be told of a service from outside only: its clock and version beside ours, and its certificate. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prominence.cli import view
from prominence.core.health import Condition, Finding, worst

CLOCK_WARNING_S, CLOCK_BROKEN_S = 5, 300
CERTIFICATE_WARNING_DAYS = 14
_DAY_S = 86_400
_LAST_MOMENT = 10**12


@dataclass(frozen=True)
class Certificate:
    """expires: a Unix epoch. trouble: why it is not accepted, or could not be had; refused: it is the former."""

    expires: float | None = None
    trouble: str = ""
    refused: bool = False


def of_clock(told: float | None, asked: float, answered: float) -> Finding:
    """told: what the API's clock said, between the moments by ours when it was asked and when it had answered."""
    if told is None or not abs(told) < _LAST_MOMENT:
        return Finding("clock", Condition.UNKNOWN, "The API does not tell the time.")
    # The answer was written at some moment between the two.
    off = max(0.0, asked - told, told - answered)
    side = "behind" if told < asked else "ahead of"
    if off <= CLOCK_WARNING_S:
        return Finding("clock", Condition.OK, "The API's clock and this machine's agree.")
    condition = Condition.BROKEN if off > CLOCK_BROKEN_S else Condition.WARNING
    sentence = f"The API's clock is {off:.0f} s {side} this machine's."
    return Finding("clock", condition, sentence, "Have both set their clocks by NTP: tokens and addresses expire.")


def of_version(ours: str, theirs: str) -> Finding:
    """Of the command and of the API."""
    if ours == theirs:
        return Finding("version", Condition.OK, f"The command and the API are of version {ours}.")
    sentence = f"The command is of version {ours}, the API of version {theirs or 'unknown'}."
    return Finding("version", Condition.WARNING, sentence, "Install the same version of prominence-htc on both.")


def of_certificate(found: Certificate, now: float) -> Finding:
    """Of the address where the API is."""
    part, advice = "certificate", "Renew the certificate of the API's address."
    if found.refused:
        return Finding(part, Condition.BROKEN, f"It is not accepted: {found.trouble}.", advice)
    if found.expires is None:
        return Finding(part, Condition.UNKNOWN, f"It could not be looked at: {found.trouble}.")
    days = int((found.expires - now) // _DAY_S)
    if found.expires <= now:
        return Finding(part, Condition.BROKEN, "It has expired.", advice)
    if days < CERTIFICATE_WARNING_DAYS:
        return Finding(part, Condition.WARNING, f"It expires in {days} days.", advice)
    return Finding(part, Condition.OK, f"It expires in {days} days.")


def together(answer: Mapping[str, Any], ours: Sequence[Finding]) -> dict[str, Any]:
    """The API's document with what we found ourselves."""
    parts = [*view.mappings(answer, "parts"), *(one.shown() for one in ours)]
    return {**answer, "condition": worst(condition(one) for one in parts).value, "parts": parts}


def condition(part: Mapping[str, Any]) -> Condition:
    """Of a part; a word that we do not know is not known."""
    word = view.text(part, "condition")
    return Condition(word) if word in list(Condition) else Condition.UNKNOWN


def is_well(document: Mapping[str, Any]) -> bool:
    """Whether nothing is broken or unknown."""
    return condition(document) in (Condition.OK, Condition.WARNING)
